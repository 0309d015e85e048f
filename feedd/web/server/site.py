"""
Connections and requests, bounded in number, size and time.

This module mends twisted.web for a server of long polls. It does not know what is asked for.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IAddress, ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from feedd.core.counters import Counters
from feedd.reactor.deadlines import Deadlines, Expiring
from feedd.reactor.insides import abort_after, has_nothing_queued, is_reading, is_within_request

MAX_BODY_BYTES = 2 * 1024 * 1024
"""What the site's own servers may send. 10,000 friendships of the longest names fit."""


class FeedRequest(Request):
    """
    A request whose body is counted, and whose end is told to one callable.

    :ivar body: the whole body, once the request is complete.
    :ivar callback: the JSONP function's name, or None.
    :ivar origin: the origin of the page that asks, if it may read the response, else None.
    :ivar gone: the client has gone.
    :ivar received: bytes of the body so far; what is more than any request may send was thrown
        away.
    """

    channel: Any
    content: Any
    site: Any

    def __init__(self, channel: HTTPChannel, queued: Any = None) -> None:
        super().__init__(channel)
        self.body = b""
        self.callback: bytes | None = None
        self.origin: bytes | None = None
        self.gone = False
        self.received = 0
        self._lost: Callable[[], object] | None = None

    def handleContentChunk(self, data: bytes) -> None:
        """Keep a piece of the body, while it is not too long."""
        self.received += len(data)
        if self.received <= max(MAX_BODY_BYTES, self.channel.site.max_body_bytes):
            super().handleContentChunk(data)

    def process(self) -> None:
        """
        Read the body while it is there: twisted.web closes it when the client goes, and a post is
        committed all the same.
        """
        self.body = self.content.read()
        super().process()

    def header(self, name: str) -> str | None:
        """The first value of a header, as text; bytes beyond ASCII as Latin-1."""
        value = self.requestHeaders.getRawHeaders(name.encode("ascii"))
        return value[0].decode("latin-1") if value else None

    def answer(self, body: bytes) -> None:
        """Send the head and the whole body, and be done."""
        self.channel.cork()
        self.write(body)  # twisted.web leaves it out for HEAD
        self.channel.uncork()
        self.finish()

    def when_lost(self, call: Callable[[], object] | None) -> None:
        """Call `call` if the client goes before it is answered; the last one told wins."""
        self._lost = call
        if self.gone and call is not None:
            call()

    def connectionLost(self, reason: Failure) -> None:
        """
        The client has gone: cheaper than notifyFinish, whose Deferred always needs an errback.
        """
        self.gone = True
        super().connectionLost(reason)
        lost, self._lost = self._lost, None
        if lost is not None:
            lost()


class FeedChannel(HTTPChannel, Expiring):
    """
    One connection: HTTP/1.1 only, because the idle timer of HTTP/2 kills long polls, and no request
    may take for ever.

    Its own attributes are slots: with more than thirty in all, Python gives each object a
    dictionary of 1.5 KiB for them.
    """

    __slots__ = ("_behind", "_corked", "_deadline", "_host", "_sends_directly")

    site: "FeedSite"
    transport: Any
    timeOut: Any

    def __init__(self) -> None:
        HTTPChannel.__init__(self)
        Expiring.__init__(self)
        self._behind = b""
        self._corked: list[bytes] | None = None
        self._deadline: Any = None
        self._host: Any = None
        self._sends_directly = False

    def connectionMade(self) -> None:
        """Notice peers that vanish, and send small answers at once: a socket can, TLS cannot."""
        super().connectionMade()
        self._sends_directly = isinstance(self.transport, FileDescriptor)
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpKeepAlive(True)
            self.transport.setTcpNoDelay(True)

    def dataReceived(self, data: bytes) -> None:
        """
        Any byte resets the idle timer of twisted.web; a request as a whole has a time limit of its
        own.

        It is set after the read, because a read may end one request and begin the next.
        """
        if self._behind:
            self._behind += data
            return
        super().dataReceived(data)
        if self._deadline is None and is_within_request(self):
            self._deadline = self.callLater(self.site.request_seconds, self._too_slow)

    def cork(self) -> None:
        """Keep what is written, until `uncork`."""
        self._corked = []

    def uncork(self) -> None:
        """Send what was written since `cork`, in one piece."""
        corked, self._corked = self._corked or [], None
        self.send_now(b"".join(corked))

    def send_now(self, data: bytes) -> None:
        """
        Send at once where the connection has nothing queued: by way of the reactor it would take
        three more system calls.
        """
        transport = self.transport
        sent = 0
        if self._sends_directly and has_nothing_queued(transport):
            try:
                sent = transport.socket.send(data)
            except OSError:
                sent = 0  # it would block, or the connection is lost: the reactor will find out
        if sent != len(data):
            transport.write(data[sent:])

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Any) -> None:
        """Write the head of an answer; a `Headers` holds no line break."""
        if self._corked is None:
            super().writeHeaders(version, code, reason, headers)
            return
        lines = [
            b"%b: %b" % (name, value)
            for name, values in headers.getAllRawHeaders()
            for value in values
        ]
        self._corked.append(
            b"%b %b %b\r\n%b\r\n\r\n" % (version, code, reason, b"\r\n".join(lines))
        )

    def write(self, data: bytes) -> None:
        """Write a piece of the body."""
        if self._corked is None:
            super().write(data)
        else:
            self._corked.append(data)

    def getHost(self) -> Any:
        """Our end of the connection, asked of the kernel once and not for each request."""
        if self._host is None:
            self._host = super().getHost()
        return self._host

    def setLineMode(self, extra: bytes = b"") -> None:
        """
        Read on, after a request that kept the connection waiting has been answered.

        What came behind it has a turn of its own: it may be a poll that ends another's poll, behind
        which there is one as well, and so on, deeper than Python's stack.
        """
        if extra and not is_reading(self):
            self._behind = extra
            self.callLater(0, self._read_on)
            extra = b""
        super().setLineMode(extra)

    def setTimeout(self, period: float | None) -> float | None:
        """
        Close when nothing has come for `period` seconds, None: ever. All connections share one
        wheel, not a timer each.
        """
        previous: float | None
        previous, self.timeOut = self.timeOut, period
        if period is None:
            self.due = 0
        else:
            self.site.deadlines.set(self, period)
        return previous

    def resetTimeout(self) -> None:
        """Something has come: begin to wait anew, if there is a wait at all and it is not over."""
        if self.due:
            self.setTimeout(self.timeOut)

    def expire(self) -> None:
        """Nothing has come for too long: what the wheel calls."""
        self.timeoutConnection()

    def allContentReceived(self) -> None:
        """The request is complete: its time limit is met."""
        self._stop_deadline()
        super().allContentReceived()

    def loseConnection(self) -> None:
        """
        Close when all has been sent; a peer that does not take it is waited for as long as an idle
        one.
        """
        super().loseConnection()
        abort_after(self, self.site.idle_seconds)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Forget what came and the time limit, and make room for another connection."""
        self._behind = b""
        self._stop_deadline()
        self.site.connections -= 1
        super().connectionLost(reason)
        self.site.deadlines.forget(self)

    def _read_on(self) -> None:
        behind, self._behind = self._behind, b""
        if behind:
            self.dataReceived(behind)

    def _stop_deadline(self) -> None:
        deadline, self._deadline = self._deadline, None
        if deadline is not None:
            deadline.cancel()

    def _too_slow(self) -> None:
        self._deadline = None
        self.site.counters.add("http_slow_requests")
        self.transport.abortConnection()


class FeedSite(Site):
    """
    The HTTP server.

    :param deadlines: the wheel on which connections wait.
    :param idle_seconds: how long a connection may stand with no request.
    :param request_seconds: how long a request may take to arrive.
    :param max_connections: past it a new connection is closed at once and counted.
    :param max_body_bytes: how long a request's body may be, where its endpoint has no limit of its
        own.
    """

    protocol: Any = FeedChannel
    requestFactory: Any = FeedRequest

    def __init__(
        self,
        root: IResource,
        reactor: Any,
        counters: Counters,
        deadlines: Deadlines,
        max_connections: int,
        request_seconds: float,
        idle_seconds: float = 65.0,
        max_body_bytes: int = 65_536,
    ) -> None:
        super().__init__(root, reactor=reactor, timeout=idle_seconds, parsePOSTFormSubmission=False)
        self.counters = counters
        self.deadlines = deadlines
        self.connections = 0
        self.idle_seconds = idle_seconds
        self.request_seconds = request_seconds
        self.max_body_bytes = max_body_bytes
        self._max_connections = max_connections

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """A channel for a new connection, None when there are enough."""
        if self.connections >= self._max_connections:
            self.counters.add("http_connections_refused")
            return None
        self.connections += 1
        return super().buildProtocol(addr)

    def acceptableProtocols(self) -> list[bytes]:
        """What TLS may negotiate."""
        return [b"http/1.1"]

    def log(self, request: Any) -> None:
        """No access log: a poll a minute of every viewer says nothing, and URLs hold tokens."""
