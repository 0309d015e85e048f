"""
A peer: a server that a benchmark can start, when it is installed.

Every process is started through the supervisor of the live tests, so that nothing outlives a run.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from bench.conversation import Conversation, Served
from tests.live.server import Server, answers

PROGRAMS = Path(__file__).parent / "programs"


class Peer(Protocol):
    """One kind of server."""

    @property
    def name(self) -> str:
        """As it is chosen and printed."""

    def missing(self) -> str:
        """The thing to install before it can run here, "" for none."""

    def running(self, viewers: int) -> "AbstractServed":
        """A context: the server, ready for so many viewers."""


class AbstractServed(Protocol):
    """A context manager that gives a `Served`."""

    def __enter__(self) -> Served: ...

    def __exit__(self, *failure: object) -> bool | None: ...


class Program(Server):
    """
    A process that listens on one port of ours.

    :param command: the process; ``{port}`` and ``{folder}`` stand for its port and its own folder.
    :param ping: what it answers when it is ready.
    """

    NAME = "peer"

    def __init__(
        self,
        command: Sequence[str],
        environment: dict[str, str] | None = None,
        prepare: Callable[["Program"], None] | None = None,
        ping: bytes = b"GET / HTTP/1.0\r\n\r\n",
    ) -> None:
        super().__init__()
        self._command = [part.format(port=self.port, folder=self.folder) for part in command]
        self._variables = environment or {}
        self._ping = ping
        if prepare:
            prepare(self)

    def _launch(self) -> int:
        return self._run(self._command, os.environ | self._variables)

    def _ready(self) -> bool:
        return bool(answers(self.port, self._ping))


@contextmanager
def started(program: Program, conversation: Conversation) -> Iterator[Served]:
    """`program`, from its start to its stop."""
    program.start()
    try:
        yield Served((program.port,), (program.pid,), conversation)
    finally:
        program.stop()
