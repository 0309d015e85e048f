"""The floor, as a peer: a server in C that parks and answers, and does nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager

from bench import native
from bench.conversation import Conversation, Served
from bench.peers.peer import Program, started


class Floor:
    """bench/native/limit.c."""

    name = "floor"

    def missing(self) -> str:
        """A compiler."""
        return native.missing()

    @contextmanager
    def running(self, viewers: int) -> Iterator[Served]:
        """It is compiled when it is first wanted."""
        # It answers a GET with nothing, so it is asked with a POST.
        program = Program([str(native.program("limit")), "{port}"], ping=b"POST / HTTP/1.0\r\n\r\n")
        with started(program, Conversation(poll="/poll")) as served:
            yield served
