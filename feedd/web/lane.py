"""
The fast lane: the common long poll, recognised whole in one read and answered with one send.

Most requests of a feed are the same poll by the same browsers, over and over. `Lane` recognises one to the letter: one read,
``GET``, the poll's path, HTTP/1.1, arguments without escapes, header lines that it has looked at before, a viewer who is
already known and a subscription that is hot. It leads to the same `Poll`, and answers the same bytes, as twisted.web does.
Whatever it does not recognise goes there.

This module knows bytes and connections. It decides nothing: who may ask and what is answered is decided where it always is.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from twisted.internet.abstract import FileDescriptor
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import datetimeToString
from twisted.web.server import version

from feedd.ports import Credentials, Identity
from feedd.web import arguments
from feedd.web.origin import Origins
from feedd.web.poll import Poll, PollEndpoint, spell
from feedd.web.site import FeedChannel, FeedSite

START = b"GET /feed/poll?"

_QUERY = re.compile(rb"[A-Za-z0-9._~$=&-]+\Z")
_HEADER = re.compile(rb"([A-Za-z][A-Za-z0-9-]*): ?([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)\Z")
_FOR_TWISTED = frozenset((b"connection", b"content-length", b"expect", b"origin", b"transfer-encoding", b"upgrade"))
_KEPT_ALIVE = (b"connection", b"keep-alive")
"""What HTTP/1.1 does anyway, and many clients say all the same."""

MAX_READ_BYTES = 8_192
MAX_HEADERS = 100
"""Fewer than twisted.web takes."""

MAX_HEAD_BYTES = 1_024
"""Longer header lines are read anew each time."""

MAX_HELD_BYTES = 16_384
"""Of what comes behind a parked poll; as with twisted.web the connection is not read any further then."""


class Head(NamedTuple):
    """
    What the header lines of a request say.

    :ivar own: whether a page of the site asks, see `feedd.web.origin`.
    """

    authorization: bytes | None
    cookie: bytes | None
    own: bool


class Lane:
    """
    Recognises polls, for all connections of a site.

    :param known: the identity behind credentials if that can be said at once, else None.
    :param date: the value of the Date header now.
    """

    MAX_HEADS = 20_000
    """Some 50 MB hold what is remembered, whoever sends it."""

    def __init__(
        self,
        endpoint: PollEndpoint,
        known: Callable[[Credentials], Identity | None],
        origins: Origins,
        date: Callable[[], bytes],
    ) -> None:
        self._endpoint = endpoint
        self._known = known
        self._origins = origins
        self._start = b"HTTP/1.1 200 OK\r\nServer: %s\r\nDate: " % version
        self._date = date
        self._heads: dict[bytes, Head | None] = {}

    def take(self, channel: "LaneChannel", data: bytes) -> bool:
        """Answer or park the poll in `data`, which one read brought; False when it is not one for this lane."""
        end = data.find(b" HTTP/1.1\r\n", len(START))
        if end < 0 or len(data) > MAX_READ_BYTES:
            return False
        given = _arguments(data[len(START) : end])
        if given is None:
            return False
        cursor, callback = given.get(b"cursor"), given.get(b"callback")
        wait = given.get(b"wait", b"86400")
        if cursor is None or not wait.isdigit() or len(wait) > 5 or not wait.strip(b"0"):
            return False
        if callback is not None and not arguments.is_callback(callback):
            return False
        head = self._head(data[end:])
        if head is None:
            return False
        identity = self._known(Credentials(head.authorization, given.get(b"token"), given.get(b"as"), head.cookie))
        if identity is None or (identity.ambient and callback is not None and not head.own):
            return False
        return self._answer(channel, identity.user, cursor.decode("ascii"), callback, float(wait))

    def spell(self, json: bytes, callback: bytes | None) -> bytes:
        """The whole response, byte for byte as twisted.web would send it."""
        if callback is None:
            kind, body = b"application/json", json
        else:
            kind, body = b"application/javascript; charset=utf-8", b"/**/%s(%s);" % (callback, json)
        return (
            b"%s%s\r\nVary: Origin\r\nContent-Type: %s\r\nContent-Length: %d\r\n"
            b"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n%s"
        ) % (self._start, self._date(), kind, len(body), body)

    def _answer(self, channel: "LaneChannel", viewer: str, cursor: str, callback: bytes | None, wait: float) -> bool:
        endpoint = self._endpoint
        reply = endpoint.reading.hot(viewer, cursor)
        if reply is None or reply.subscription is None:
            return False
        channel.callback = callback
        if reply.events:
            channel.send(spell(reply.events, reply.cursor, endpoint.degraded()))
        else:
            channel.park(Poll(endpoint, channel, reply.subscription, endpoint.hold(wait)))
        return True

    def _head(self, lines: bytes) -> Head | None:
        """What `lines`, from the version to the empty line, say; None when that is for twisted.web to find out."""
        try:
            return self._heads[lines]
        except KeyError:
            if lines.find(b"\r\n\r\n") != len(lines) - 4:
                return None  # not the whole, or more than one: that never comes again, and is not worth remembering
        head = self._read_head(lines)
        if len(lines) <= MAX_HEAD_BYTES:
            if len(self._heads) >= self.MAX_HEADS:
                self._heads.clear()
            self._heads[lines] = head
        return head

    def _read_head(self, lines: bytes) -> Head | None:
        found: dict[bytes, bytes] = {}
        for line in lines[:-4].split(b"\r\n")[1:]:
            match = _HEADER.match(line)
            name = match[1].lower() if match else b""
            if match is None or name in found or len(found) == MAX_HEADERS:
                return None
            if name in _FOR_TWISTED and (name, match[2].lower()) != _KEPT_ALIVE:
                return None
            found[name] = match[2]
        site, referer, host = (_text(found.get(name)) for name in (b"sec-fetch-site", b"referer", b"host"))
        own = self._origins.is_own(site, None, referer, host)
        return Head(found.get(b"authorization"), found.get(b"cookie"), own)


class LaneChannel(FeedChannel):
    """
    A connection whose polls may take the fast lane.

    :ivar callback: of the poll that is being answered.
    """

    site: "LaneSite"
    callback: bytes | None = None
    _poll: Poll | None = None
    _held = b""
    _sends_directly = False
    _HTTPChannel__first_line: int

    def connectionMade(self) -> None:
        """See what the transport can do: a socket sends at once, TLS does not."""
        super().connectionMade()
        self._sends_directly = isinstance(self.transport, FileDescriptor)

    def dataReceived(self, data: bytes) -> None:
        """Take the lane, or wait behind the poll that is parked, or be twisted.web's."""
        if self._poll is not None:
            self._hold(data)
        elif not (data.startswith(START) and self._is_quiet() and self.site.lane.take(self, data)):
            super().dataReceived(data)

    def park(self, poll: Poll) -> None:
        """Keep `poll` until it is answered; meanwhile this connection is not idle."""
        self._poll = poll
        self.setTimeout(None)
        poll.park()

    def send(self, json: bytes) -> None:
        """Answer the poll, at once where the connection has nothing queued; then go on with what has come behind it."""
        self._poll = None
        self.setTimeout(self.site.timeOut)
        data = self.site.lane.spell(json, self.callback)
        transport = self.transport
        sent = 0
        if self._sends_directly and not transport.dataBuffer and not transport._tempDataBuffer:
            sent = transport.writeSomeData(data)
        if sent != len(data):
            # Not all, or ConnectionLost: the reactor sends the rest, or finds the connection lost.
            transport.write(data[sent:] if isinstance(sent, int) else data)
        if self._held:
            self._go_on()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Leave the poll."""
        poll, self._poll = self._poll, None
        super().connectionLost(reason)
        if poll is not None:
            poll.lost()

    def _is_quiet(self) -> bool:
        """Whether twisted.web is between two requests here, and would take this one now."""
        return bool(
            self.line_mode
            and self._HTTPChannel__first_line == 1  # 2: an empty line has come before it
            and not self.requests
            and not self._buffer
            and not self._behind
            and self.persistent
            and not self.transport.disconnecting
        )

    def _hold(self, data: bytes) -> None:
        self._held += data
        if len(self._held) > MAX_HELD_BYTES:
            self.transport.pauseProducing()

    def _go_on(self) -> None:
        held, self._held = self._held, b""
        if len(held) > MAX_HELD_BYTES and not self._waitingForTransport:
            self.transport.resumeProducing()
        self.setLineMode(held)


class LaneSite(FeedSite):
    """A `FeedSite` with a fast lane."""

    protocol = LaneChannel

    def __init__(self, lane: Lane, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lane = lane


class Dates:
    """The value of the Date header, spelled once a second."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._second = -1
        self._text = b""

    def __call__(self) -> bytes:
        second = int(self._seconds())
        if second != self._second:
            self._second, self._text = second, datetimeToString(second)
        return self._text


def _arguments(query: bytes) -> dict[bytes, bytes] | None:
    """The arguments of a query without escapes, none empty and none twice; None for any other."""
    if not _QUERY.match(query):
        return None
    given: dict[bytes, bytes] = {}
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        if not value or not name or name in given:
            return None
        given[name] = value
    return given


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("ascii")
