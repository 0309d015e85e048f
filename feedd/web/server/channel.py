"""A connection of HTTP/1.1: bounded in time, one send an answer, cheap while it waits."""

from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IHalfCloseableProtocol, ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from zope.interface import implementer  # type: ignore[import-untyped]

from feedd.reactor.deadlines import Expiring
from feedd.reactor.insides import (
    abort_after,
    has_nothing_queued,
    head_of,
    is_answering,
    is_paused_by_transport,
    is_reading,
    is_within_request,
)
from feedd.web.server.request import MAX_BODY_BYTES

IDLE_SECONDS = 65.0
"""How long a connection may stand with no request, or take none of its answers."""

MAX_BEHIND_BYTES = 16_384
"""
Of what comes behind a request or a parked poll; the connection is then read no further, as
twisted.web does it.
"""


@implementer(IHalfCloseableProtocol)
class FeedChannel(HTTPChannel, Expiring):
    """
    A connection to a `FeedSite`.

    One request of a read is worked off at once. What comes behind it waits, for turns of the
    reactor that the connections share, and for the peer to take the answers so far.

    :ivar has_ended: whether the peer sends no more; it may still read.

    Its own attributes are slots: with more than thirty in all, Python gives each object a
    dictionary of 1.5 KiB for them.
    """

    __slots__ = (
        "_behind",
        "_corked",
        "_deadline",
        "_host",
        "_refused",
        "_sends_directly",
        "has_ended",
        "paused",
    )

    site: Any
    transport: Any
    timeOut: Any
    paused: bool

    def __init__(self) -> None:
        HTTPChannel.__init__(self)
        self.paused = False  # LineReceiver's: it splits no more lines
        Expiring.__init__(self)
        self.has_ended = False
        self._behind = b""
        self._corked: list[bytes] | None = None
        self._deadline: Any = None
        self._host: Any = None
        self._refused: Any = None
        self._sends_directly = False

    def connectionMade(self) -> None:
        """Notice peers that vanish (keepalive), and let small answers not wait (no delay)."""
        super().connectionMade()
        # What is no descriptor (TLS, a test's transport) has no socket of its own to send to.
        self._sends_directly = isinstance(self.transport, FileDescriptor)
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpKeepAlive(True)
            self.transport.setTcpNoDelay(True)

    def dataReceived(self, data: bytes) -> None:
        """
        Read on, and start the time limit of the request that has begun.

        Any byte resets the idle timer of twisted.web, so a request as a whole needs a limit of its
        own. It starts after the read, because a read may end one request and begin the next.
        """
        if self._behind or is_paused_by_transport(self):
            self._wait_with(self._behind + data)
            return
        super().dataReceived(data)
        if self.paused:
            self.paused = False
            self._wait_with(self._behind + self.clearLineBuffer())
        if self._deadline is None and is_within_request(self):
            self._deadline = self.callLater(self.site.request_seconds, self._too_slow)
        if self.has_ended:
            self.close_if_done()

    def setLineMode(self, extra: bytes = b"") -> None:
        """
        Go on after an answer; `extra` came behind its request, and waits.

        It may be a poll that ends another connection's poll, behind which there is one as well, and
        so on, deeper than Python's stack.
        """
        super().setLineMode()
        self.paused = is_reading(self)  # what LineReceiver still has waits as well
        self._wait_with(extra + self._behind)

    def _wait_with(self, behind: bytes) -> None:
        """Let `behind` wait, and read no more while that is too much or the peer takes nothing."""
        self._behind = behind
        is_paused = is_paused_by_transport(self)
        # twisted.web itself stops reading only when the transport pauses it between two requests,
        # and it is while one is answered: 64 KB of requests were 500 MiB of answers.
        if is_paused or len(behind) > MAX_BEHIND_BYTES:
            self.transport.pauseProducing()
        if behind and not is_paused:
            self.site.behind.add(self)

    def resumeProducing(self) -> None:
        """The peer has taken the answers: what waits may go on."""
        super().resumeProducing()
        self._wait_with(self._behind)

    def go_on(self) -> None:
        """Work off one request of what waits."""
        behind, self._behind = self._behind, b""
        if len(behind) > MAX_BEHIND_BYTES:
            self.transport.resumeProducing()
        self.dataReceived(behind)

    def fail(self) -> None:
        """A request has failed where nobody else ends its connection."""
        self.transport.abortConnection()

    def headerReceived(self, line: bytes) -> bool:
        """
        Read a header. A Content-Length of thousands of digits, of which Python makes no number, is
        refused like one that is no number.
        """
        try:
            return bool(super().headerReceived(line))
        except ValueError:
            return bool(super().headerReceived(b"Content-Length: none"))

    def allHeadersReceived(self) -> None:
        """
        Let only a body come that will be taken; refuse any other before it comes.

        A client that waits for a 100 (Expect, RFC 9110, 10.1.1) gets the refusal in its place, and
        the connection ends, as nobody knows whether it sends the body all the same. The body of any
        other is thrown away as it comes.
        """
        request = self.requests[-1]
        if self.length is None:  # it comes in chunks
            request.keeps = request.limit(head_of(self)[1])
        is_refused = request.is_encoded or self._is_too_long(request)
        expects = request.requestHeaders.hasHeader(b"Expect")
        if is_refused or self.length == 0:
            request.requestHeaders.removeHeader(b"Expect")
        super().allHeadersReceived()
        if is_refused and expects:
            self.length = 0
            self.persistent = False
            request.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        elif is_refused:
            self._refused = request
            request.requestReceived(*head_of(self))

    def _is_too_long(self, request: Any) -> bool:
        """Whether the body that is announced is longer than `request` may send."""
        length = self.length or 0
        if length <= min(MAX_BODY_BYTES, self.site.max_body_bytes):
            return False
        return bool(length > request.limit(head_of(self)[1]))

    def allContentReceived(self) -> None:
        """The request is complete and has kept its time limit."""
        self._stop_deadline()
        refused, self._refused = self._refused, None
        super().allContentReceived()
        if refused is not None:
            super().requestDone(refused)

    def requestDone(self, request: Any) -> None:
        """Go on to the next request; behind one that was refused early comes its body first."""
        if request is not self._refused:
            super().requestDone(request)
            self.close_if_done()

    def readConnectionLost(self) -> None:
        """
        The peer sends no more: answer all that it has asked, then close.

        A peer that is gone looks the same, so nothing waits for new events here: a parked poll is
        answered with nothing.
        """
        self.has_ended = True
        for request in tuple(self.requests):
            request.hurry()
        self.close_if_done()

    def writeConnectionLost(self) -> None:
        """Nothing is sent any more; no connection is closed in this direction alone."""

    def close_if_done(self) -> None:
        """Close a connection that sends no more, once all it has asked is answered."""
        if not self.has_ended or self._behind or is_reading(self) or is_answering(self):
            return
        if not self.transport.disconnecting:
            self.loseConnection()

    def _stop_deadline(self) -> None:
        deadline, self._deadline = self._deadline, None
        if deadline is not None:
            deadline.cancel()

    def _too_slow(self) -> None:
        self._deadline = None
        self.site.counters.add("http_slow_requests")
        self.transport.abortConnection()

    def cork(self) -> None:
        """Keep what is written, until `uncork`."""
        self._corked = []

    def uncork(self) -> None:
        """Send what was written since `cork`, in one piece."""
        corked, self._corked = self._corked or [], None
        self.send_now(b"".join(corked))

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

    def send_now(self, data: bytes) -> None:
        """
        Send, at once where nothing is queued.

        By way of the reactor (`transport.write`) an answer takes three more system calls and a
        turn of the reactor.
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

    def getHost(self) -> Any:
        """This end of the connection; the kernel is asked once, not for each request."""
        if self._host is None:
            self._host = super().getHost()
        return self._host

    def setTimeout(self, period: float | None) -> float | None:
        """
        Close the connection when nothing has come for `period` seconds; None disables that.

        All connections share one wheel: twisted.web has a timer of the reactor for each.
        """
        previous: float | None
        previous, self.timeOut = self.timeOut, period
        if period is None:
            self.due = 0
        else:
            self.site.deadlines.set(self, period)
        return previous

    def resetTimeout(self) -> None:
        """Something has come: wait anew, if there is a wait and it is not over."""
        if self.due:
            self.setTimeout(self.timeOut)

    def expire(self) -> None:
        """The wheel calls this when nothing has come, or was taken, for too long."""
        if is_paused_by_transport(self):
            self.site.counters.add("http_not_taken")
        self.timeoutConnection()

    def timeoutConnection(self) -> None:
        """
        Close an idle connection.

        Twisted would log its address: that is no news, and as long as an access log.
        """
        abort_after(self, self.abortTimeout)
        self.loseConnection()

    def loseConnection(self) -> None:
        """Close when all is sent; a peer that does not take it has as long as an idle one."""
        self._forget_behind()
        super().loseConnection()
        abort_after(self, IDLE_SECONDS)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Forget what came and the time limit, and make room for another connection."""
        self._forget_behind()
        self._stop_deadline()
        self.site.connections -= 1
        super().connectionLost(reason)
        self.site.deadlines.forget(self)

    def _forget_behind(self) -> None:
        self._behind = b""
        self.site.behind.discard(self)
