"""
A TCP proxy on loopback that stands between a client and a server and harms the connection when it
is told to.

It runs in the reactor of the test.
"""

from collections import deque
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from tests.live.server import HOST, free_port

CONNECT_SECONDS = 30
MAX_HELD_BYTES = 65_536
PIECE_BYTES = 1_024


class Pace(NamedTuple):
    """
    The pace of bytes: each `delay_seconds` late, `bytes_per_second` in each direction of each
    connection (0: no limit).
    """

    delay_seconds: float = 0.0
    bytes_per_second: float = 0.0


UNHARMED = Pace()


class Proxy:
    """
    Forwards connections to `target` and, on command, does not.

    :ivar target: a port of 127.0.0.1.
    :ivar port: where it listens itself.
    """

    def __init__(self, reactor: Any, target: int) -> None:
        self.reactor = reactor
        self.target = target
        self.port = free_port()
        self.pace = UNHARMED
        self.frozen = False
        self.pairs: set[_Pair] = set()
        self._listening: Any = None
        self._factory = Factory.forProtocol(_Front)
        self._factory.proxy = self  # type: ignore[attr-defined]
        self._factory.noisy = False

    def start(self) -> "Proxy":
        """Listen."""
        self._listening = self.reactor.listenTCP(self.port, self._factory, interface=HOST)
        return self

    async def stop(self) -> None:
        """Listen no longer, and reset what is open."""
        listening, self._listening = self._listening, None
        if listening is not None:
            await listening.stopListening()
        for pair in tuple(self.pairs):
            pair.reset()

    async def cut(self) -> None:
        """Reset every connection and refuse new ones, until `heal`."""
        await self.stop()

    def freeze(self) -> None:
        """Let connections stand and accept new ones, but pass nothing on, until `heal`."""
        self.frozen = True
        for pair in tuple(self.pairs):
            pair.freeze()

    def slow(self, delay_seconds: float, bytes_per_second: float = 0.0) -> None:
        """Pass everything on late, and not much of it at once, until `heal`."""
        self.pace = Pace(delay_seconds, bytes_per_second)

    def heal(self) -> None:
        """Undo `cut`, `freeze` and `slow`; what was held is passed on."""
        self.pace, self.frozen = UNHARMED, False
        if self._listening is None:
            self.start()
        for pair in tuple(self.pairs):
            pair.thaw()


class _Pair:
    """One proxied connection: the client's side and, once it is made, the server's."""

    def __init__(self, proxy: Proxy, front: "_Front") -> None:
        self.proxy = proxy
        self.front = front
        self.back: _Back | None = None
        self.there = _Way(proxy, front)
        self.back_again: _Way | None = None
        proxy.pairs.add(self)

    def connected(self, back: "_Back") -> None:
        """The server has accepted."""
        self.back = back
        self.back_again = _Way(self.proxy, back)
        self.there.open(back)
        self.back_again.open(self.front)

    def freeze(self) -> None:
        """Pass nothing on, either way."""
        for way in (self.there, self.back_again):
            if way is not None:
                way.freeze()

    def thaw(self) -> None:
        """Pass on what was held, as the pace allows now."""
        for way in (self.there, self.back_again):
            if way is not None:
                way.pump()

    def reset(self) -> None:
        """End both sides at once; what was held is gone."""
        self.proxy.pairs.discard(self)
        for way in (self.there, self.back_again):
            if way is not None:
                way.close()
        for side in (self.front, self.back):
            if side is not None and side.transport is not None:
                side.transport.abortConnection()


class _Way:
    """One direction: bytes that `source` has said and the other side has not been told yet."""

    def __init__(self, proxy: Proxy, source: "_Side") -> None:
        self._proxy = proxy
        self._source = source
        self._sink: _Side | None = None
        self._held: deque[tuple[float, bytes]] = deque()
        self._bytes = 0
        self._free_at = 0.0
        self._timer: Any = None
        self._ended = False
        self._paused = False

    def open(self, sink: "_Side") -> None:
        """Pass what comes to `sink`, the other side, from now on."""
        self._sink = sink
        self.pump()

    def take(self, data: bytes) -> None:
        """Hold `data` for as long as the pace says."""
        now, pace = self._proxy.reactor.seconds(), self._proxy.pace
        step = PIECE_BYTES if pace.bytes_per_second else len(data)
        for start in range(0, len(data), step):
            self._held.append((now + pace.delay_seconds, data[start : start + step]))
        self._bytes += len(data)
        self.pump()

    def end(self) -> None:
        """The source has closed; the other side is told after all that was said before."""
        self._ended = True
        self.pump()

    def freeze(self) -> None:
        """Pass nothing on."""
        self._stop_timer()
        self._pause(True)

    def close(self) -> None:
        """Forget everything."""
        self._stop_timer()
        self._sink = None
        self._held.clear()

    def pump(self) -> None:
        """Pass on what is due, and come back for the rest."""
        self._stop_timer()
        if self._proxy.frozen or self._sink is None or self._sink.transport is None:
            self._pause(self._proxy.frozen or self._bytes > MAX_HELD_BYTES)
            return
        now, rate = self._proxy.reactor.seconds(), self._proxy.pace.bytes_per_second
        while self._held and self._due(now) <= now:
            data = self._held.popleft()[1]
            self._bytes -= len(data)
            self._free_at = now + len(data) / rate if rate else 0.0
            self._sink.transport.write(data)
        if self._held:
            self._timer = self._proxy.reactor.callLater(self._due(now) - now, self._again)
        elif self._ended:
            self._sink.transport.loseConnection()
        self._pause(self._bytes > MAX_HELD_BYTES)

    def _due(self, now: float) -> float:
        return now if self._proxy.pace == UNHARMED else max(self._held[0][0], self._free_at)

    def _again(self) -> None:
        self._timer = None
        self.pump()

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _pause(self, paused: bool) -> None:
        if paused == self._paused or self._source.transport is None:
            return
        self._paused = paused
        if paused:
            self._source.transport.pauseProducing()
        else:
            self._source.transport.resumeProducing()


class _Side(Protocol):
    transport: Any
    factory: Any


class _Front(_Side):
    """The side that faces the client."""

    _pair: _Pair

    def connectionMade(self) -> None:
        proxy: Proxy = self.factory.proxy
        self.transport.setTcpNoDelay(True)
        self._pair = _Pair(proxy, self)
        if proxy.frozen:
            self._pair.freeze()
        endpoint: Any = TCP4ClientEndpoint(
            proxy.reactor, HOST, proxy.target, timeout=CONNECT_SECONDS
        )
        connecting: Deferred[Any] = endpoint.connect(_BackFactory(self._pair))
        connecting.addErrback(lambda failure: self._pair.reset())

    def dataReceived(self, data: bytes) -> None:
        self._pair.there.take(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._pair.proxy.pairs.discard(self._pair)
        if self._pair.back is None:
            self._pair.reset()
        else:
            self._pair.there.end()


class _Back(_Side):
    """The side that faces the server."""

    def __init__(self, pair: _Pair) -> None:
        self._pair = pair

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        if self._pair in self._pair.proxy.pairs:
            self._pair.connected(self)
        else:
            self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        if self._pair.back_again is not None:
            self._pair.back_again.take(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._pair.back_again is not None:
            self._pair.back_again.end()


class _BackFactory(Factory):
    noisy = False

    def __init__(self, pair: _Pair) -> None:
        self._pair = pair

    def buildProtocol(self, addr: IAddress | None) -> _Back:
        return _Back(self._pair)
