"""
A keep-alive HTTP client that costs little, for many viewers in one process. It reads answers as
feedd sends them: each has a Content-Length.
"""

import re
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from tests.live.server import HOST

CONNECT_SECONDS = 5
IDLE_SECONDS = 30
"""An older connection is not used again: the server closes them some time, as in any browser."""

_HEAD = re.compile(
    rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n(?:[^\r\n]+\r\n)*?content-length: (\d+)\r\n", re.IGNORECASE
)


class Failed(Exception):
    """There is no answer: `kind` is ``refused``, ``lost``, ``timeout`` or ``garbled``."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Answer(NamedTuple):
    """A status and a body."""

    status: int
    body: bytes


class _Connection(Protocol):
    transport: Any

    def __init__(self) -> None:
        self.open = True
        self.used_at = 0.0
        self._heard = b""
        self._waiting: Deferred[Answer] | None = None

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)

    def ask(self, request: bytes) -> Deferred[Answer]:
        """Send it; one at a time."""
        self._waiting = Deferred()
        self.transport.write(request)
        return self._waiting

    def fail(self, kind: str) -> None:
        """Give up, and reset the connection."""
        waiting, self._waiting, self.open = self._waiting, None, False
        self.transport.abortConnection()
        if waiting is not None:
            waiting.errback(Failed(kind))

    def dataReceived(self, data: bytes) -> None:
        self._heard += data
        head, blank, rest = self._heard.partition(b"\r\n\r\n")
        if not blank:
            return
        match = _HEAD.match(head + b"\r\n")
        if match is None or self._waiting is None:
            self.fail("garbled")
        elif len(rest) >= int(match[2]):
            self._heard = rest[int(match[2]) :]
            waiting, self._waiting = self._waiting, None
            waiting.callback(Answer(int(match[1]), rest[: int(match[2])]))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.fail("lost")


class Client:
    """
    One connection to one process, made again when it is needed.

    :param port: of 127.0.0.1.
    """

    def __init__(self, reactor: Any, port: int) -> None:
        self._reactor = reactor
        self._port = port
        self._connection: _Connection | None = None

    async def ask(
        self, method: str, target: str, seconds: float, body: bytes = b"", headers: str = ""
    ) -> Answer:
        """
        The answer to a request.

        :param headers: more of them, each with its line end.
        :raises Failed: when there is none within `seconds`, or the connection ends.
        """
        connection = await self._connect()
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        request = (
            f"{method} {target} HTTP/1.1\r\nHost: chaos\r\n{headers}{length}\r\n".encode() + body
        )
        limit = self._reactor.callLater(seconds, connection.fail, "timeout")
        try:
            return await connection.ask(request)
        finally:
            connection.used_at = self._reactor.seconds()
            if limit.active():
                limit.cancel()

    def drop(self, kind: str = "dropped") -> None:
        """Reset the connection; who waits for an answer is told `kind`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.fail(kind)

    async def _connect(self) -> _Connection:
        connection = self._connection
        if connection is not None and connection.open:
            if connection.used_at + IDLE_SECONDS > self._reactor.seconds():
                return connection
            connection.fail("dropped")
        endpoint: Any = TCP4ClientEndpoint(self._reactor, HOST, self._port, timeout=CONNECT_SECONDS)
        try:
            made: _Connection = await connectProtocol(endpoint, _Connection())
        except Exception:
            raise Failed("refused") from None
        self._connection = made
        return made
