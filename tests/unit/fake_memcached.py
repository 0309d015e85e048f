"""
A memcached in memory, with the clock of the test, that can be stopped, hang and answer nonsense.

It speaks as much of the text protocol as feedd uses. Answers come in the next turn of the clock
(``advance(0)``), as from a socket. It does not know feedd.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionRefusedError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer


class FakeTransport(StringTransport):
    """
    The client's end of a connection: what is written goes to the server's `hear`.

    :ivar heard: how many commands have come.
    """

    def __init__(self, protocol: Any, hear: Callable[["FakeTransport", bytes], None]) -> None:
        super().__init__()
        self.protocol = protocol
        self.hear = hear
        self.unread = b""
        self.connected = True
        self.heard = 0

    def setTcpKeepAlive(self, enabled: bool) -> None: ...

    def setTcpNoDelay(self, enabled: bool) -> None: ...

    def write(self, data: bytes) -> None:
        if self.connected:
            self.hear(self, data)

    def loseConnection(self) -> None:
        self.end(ConnectionDone())

    def abortConnection(self) -> None:
        self.end(ConnectionAborted())

    def end(self, why: Exception) -> None:
        if self.connected:
            self.connected = False
            self.protocol.connectionLost(Failure(why))


@implementer(IStreamClientEndpoint)
class FakeMemcached:
    """
    :ivar up: accepts connections; `kill` and `start` change it.
    :ivar hung: reads and does not answer until `resume`.
    :ivar say: when set, the answer to whatever is asked.
    :ivar heard: the commands, first words and first keys, in the order of arrival.
    :ivar flags: those of some keys; 0 for the others.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.up = True
        self.hung = False
        self.say: bytes | None = None
        self.heard: list[bytes] = []
        self.items: dict[bytes, tuple[bytes, int, float]] = {}
        self.transports: list[FakeTransport] = []
        self.numbers = 0
        self.flags: dict[bytes, int] = {}

    def connect(self, factory: Any) -> Deferred[Any]:
        if not self.up:
            return fail(ConnectionRefusedError())
        protocol = factory.buildProtocol(None)
        transport = FakeTransport(protocol, self.hear)
        self.transports = [other for other in self.transports if other.connected] + [transport]
        protocol.makeConnection(transport)
        return succeed(protocol)

    def kill(self) -> None:
        """It is gone, with all it kept."""
        self.up, self.items, self.numbers = False, {}, 0
        for transport in self.transports:
            transport.end(ConnectionDone())

    def resume(self) -> None:
        """Answer again, what was asked meanwhile first."""
        self.hung = False
        for transport in self.transports:
            self.hear(transport, b"")

    def put(self, key: bytes, value: bytes, seconds: int = 0) -> None:
        """Another client's set."""
        self.numbers += 1
        self.items[key] = (
            value,
            self.numbers,
            self.clock.seconds() + seconds if seconds else float("inf"),
        )

    def value(self, key: bytes) -> bytes | None:
        """Another client's get."""
        value, _, expires = self.items.get(key, (None, 0, 0.0))
        return value if expires > self.clock.seconds() else None

    def hear(self, transport: FakeTransport, data: bytes) -> None:
        transport.unread += data
        while b"\r\n" in transport.unread and not self.hung:
            line, rest = transport.unread.split(b"\r\n", 1)
            words = line.split()
            value = b""
            if words[0] in (b"add", b"set", b"cas"):
                size = int(words[4])
                if len(rest) < size + 2:
                    return
                value, rest = rest[:size], rest[size + 2 :]
            transport.unread = rest
            self.answer(transport, words, value)

    def answer(self, transport: FakeTransport, words: list[bytes], value: bytes) -> None:
        transport.heard += 1
        self.heard.append(b" ".join(words[:2]))
        answer = self.say
        if answer is None:
            answer = getattr(self, "do_" + words[0].decode())(words, value)
        self.clock.callLater(0, self.deliver, transport, answer)

    def deliver(self, transport: FakeTransport, answer: bytes) -> None:
        if transport.connected:
            transport.protocol.dataReceived(answer)

    def do_version(self, words: list[bytes], value: bytes) -> bytes:
        return b"VERSION 1.6\r\n"

    def do_gets(self, words: list[bytes], value: bytes) -> bytes:
        found = [(key, value) for key in words[1:] if (value := self.value(key)) is not None]
        values = [
            b"VALUE %s %d %d %d\r\n%s\r\n"
            % (key, self.flags.get(key, 0), len(value), self.items[key][1], value)
            for key, value in found
        ]
        return b"".join(values) + b"END\r\n"

    def do_add(self, words: list[bytes], value: bytes) -> bytes:
        if self.value(words[1]) is not None:
            return b"NOT_STORED\r\n"
        return self.do_set(words, value)

    def do_set(self, words: list[bytes], value: bytes) -> bytes:
        self.put(words[1], value, int(words[3]))
        return b"STORED\r\n"

    def do_cas(self, words: list[bytes], value: bytes) -> bytes:
        if self.value(words[1]) is None:
            return b"NOT_FOUND\r\n"
        if self.items[words[1]][1] != int(words[5]):
            return b"EXISTS\r\n"
        return self.do_set(words, value)

    def do_delete(self, words: list[bytes], value: bytes) -> bytes:
        there = self.value(words[1]) is not None
        self.items.pop(words[1], None)
        return b"DELETED\r\n" if there else b"NOT_FOUND\r\n"
