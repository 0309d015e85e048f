"""
One server of the tests' own: a port, a folder and a process that ends with the one that started it
(see `supervisor`).

Everything here blocks.
"""

import atexit
import functools
import json
import os
import random
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Self
from unittest import SkipTest

from tests.live.supervisor import Supervisor

HOST = "127.0.0.1"
START_SECONDS = 120.0
STOP_SECONDS = 30.0
PORTS_VARIABLE = "FEEDD_TEST_PORTS"
"""The environment variable with the ports that this process's servers may take: first-last."""


class NotStarted(Exception):
    """
    A server does not come up, or is not installed in CI; the text says which, or holds the end of
    its log.
    """


class NotInstalled(SkipTest):
    """A server is not installed here; outside of CI its tests are skipped."""


@functools.cache
def supervisor() -> Supervisor:
    """The supervisor of this process."""
    made = Supervisor()
    atexit.register(made.close)
    return made


def free_port() -> int:
    """
    A port nobody listens on, below the range that outgoing connections take, so that it stays free
    across a restart.
    """
    first, last = map(int, os.environ.get(PORTS_VARIABLE, "15000-31000").split("-"))
    while True:
        port = random.randint(first, last)
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        return port


def answers(port: int, send: bytes = b"") -> bytes:
    """
    The first bytes that the server on `port` says after `send`, b"" when it says none or is not
    there.
    """
    try:
        with socket.create_connection((HOST, port), timeout=2) as connection:
            connection.sendall(send)
            return connection.recv(64)
    except OSError:
        return b""


class Server:
    """
    One server of our own. Its port and its data stay the same across `stop` or `kill` and `start`.

    :ivar host: always 127.0.0.1.
    :ivar port: where it listens.
    :ivar folder: its data and logs.
    """

    NAME: ClassVar[str]

    def __init__(self) -> None:
        self.host = HOST
        self.port = free_port()
        # A port may have been another server's before; the folder may not.
        self.folder = Path(
            tempfile.mkdtemp(prefix=f"{self.NAME}-{self.port}-", dir=supervisor().folder)
        )
        self._prepared = False
        self._pid = 0

    @property
    def pid(self) -> int:
        """Its process id, 0 when it does not run."""
        return self._pid

    def start(self) -> Self:
        """Start it and return when it accepts clients. Raises `NotStarted`."""
        if self._pid:
            raise RuntimeError(f"{self.NAME} runs already")
        if not self._prepared:
            self._prepare()
            self._prepared = True
        self._pid = self._launch()
        deadline = time.monotonic() + START_SECONDS
        while not self._ready():
            if supervisor().code(self._pid) is not None or time.monotonic() > deadline:
                self.kill()
                raise NotStarted(f"{self.NAME} did not start:\n{self.log()}")
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        """
        End it in its own way, so that its clients are told and its data is flushed; nothing when it
        does not run.
        """
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as a crash would; nothing when it does not run."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze it: connections stay open, and nobody answers."""
        supervisor().signal(self._pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        supervisor().signal(self._pid, signal.SIGCONT)

    def log(self) -> str:
        """The end of what it printed."""
        path = self.folder / "log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else "(no log)"

    def _end(self, number: int) -> None:
        if not self._pid:
            return
        supervisor().signal(self._pid, number)
        supervisor().signal(self._pid, signal.SIGCONT)
        if supervisor().wait(self._pid, STOP_SECONDS) is None:
            supervisor().signal(self._pid, signal.SIGKILL)
            supervisor().wait(self._pid, STOP_SECONDS)
        self._pid = 0

    def _run(self, command: list[str], environment: Mapping[str, str] = os.environ) -> int:
        return supervisor().start(
            [program(command[0]), *command[1:]], environment, self.folder / "log"
        )

    def describe(self) -> str:
        """The text that another process needs for `attach`."""
        return json.dumps([self.port, str(self.folder)])

    @classmethod
    def attach(cls, description: str) -> Self:
        """The server that another process runs."""
        server = cls.__new__(cls)
        server.host, server._pid = HOST, 0
        server.port, folder = json.loads(description)
        server.folder = Path(folder)
        return server

    def _prepare(self) -> None:
        """Lay out the empty folder."""

    def _launch(self) -> int:
        """Start the process that serves and return its id."""
        raise NotImplementedError

    def _ready(self) -> bool:
        raise NotImplementedError


def program(name: str) -> str:
    """The path of an installed program. Raises `NotInstalled`, in CI `NotStarted`."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if path is None:
        raise (NotStarted if os.environ.get("CI") else NotInstalled)(f"{name} is not installed")
    return path


def as_root(option: str) -> list[str]:
    """
    The arguments that let a server run as root, which it refuses otherwise; none when the tests do
    not run as root.
    """
    if os.geteuid():
        return []
    return [f"{option}=root"] if option.startswith("--") else [option, "root"]
