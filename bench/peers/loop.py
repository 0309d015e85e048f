"""The floor of Python, as a peer: a loop of sends, and nothing else."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench.conversation import Conversation, Served
from bench.peers.peer import PROGRAMS, Program, started

TOKEN = "x" * 150
"""As long as a JWT."""


class Loop:
    """bench/peers/programs/loop.py."""

    name = "loop"

    def missing(self) -> str:
        """Nothing."""
        return ""

    @contextmanager
    def running(self, viewers: int) -> Iterator[Served]:
        """Asked as feedd is."""
        # It answers a GET with nothing, so it is asked with a POST.
        program = Program(
            [sys.executable, str(PROGRAMS / "loop.py"), "{port}"], ping=b"POST / HTTP/1.0\r\n\r\n"
        )
        talk = Conversation(
            poll=f"/feed/poll?callback=cb{{i}}&token={TOKEN}&cursor={{cursor}}", cursor_key="cursor"
        )
        with started(program, talk) as served:
            yield served
