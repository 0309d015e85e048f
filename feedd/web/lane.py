"""
The fast lane: the common long poll, recognised whole in one read and answered with one send.

Most requests of a feed are the same poll by the same browsers, over and over. `Lane` recognises one to the letter: one read,
``GET``, the poll's path, HTTP/1.1, arguments without escapes, header lines that it has looked at before, a viewer who is
already known and a subscription that is hot. It leads to the same `Poll`, and answers the same bytes, as twisted.web does.
Whatever it does not recognise goes there.

The next poll of a connection is, as a rule, the last one with the cursor that it was answered with: such a `Repeat` is
recognised by one comparison.

This module knows bytes and connections. It decides nothing: who may ask and what is answered is decided where it always is.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import datetimeToString
from twisted.web.server import version

from feedd.ports import Credentials, Known
from feedd.web import arguments
from feedd.web.origin import Origins
from feedd.web.poll import PollEndpoint, RepeatedPoll
from feedd.web.site import FeedChannel, FeedSite

START = b"GET /feed/poll?"
REST = b"\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n"

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

    :ivar lines: these lines, from the version to the empty line.
    :ivar own: whether a page of the site asks, see `feedd.web.origin`.
    """

    lines: bytes

    authorization: bytes | None
    cookie: bytes | None
    own: bool


class _Asked(NamedTuple):
    """
    What the first line of a poll asks.

    :ivar before: the request up to the cursor; `rest`: the first line from there on.
    """

    before: bytes
    cursor: str
    rest: bytes
    callback: bytes | None
    wait: float
    token: bytes | None
    name: bytes | None


class Repeat:
    """
    What the next poll of a connection will be, if it is like the last one.

    :ivar before: its bytes up to the cursor,
    :ivar behind: and from there on.
    :ivar callback: the JSONP function's name in it, or None.
    :ivar wait: how long it is willing to wait, in seconds.
    :ivar until: how long it is known who asks, in seconds since 1970.
    :ivar poll: the last one, which may be parked again.
    """

    __slots__ = ("before", "behind", "callback", "poll", "until", "wait")

    def __init__(self, asked: "_Asked", behind: bytes, until: float, poll: RepeatedPoll) -> None:
        self.before = asked.before
        self.behind = behind
        self.callback = asked.callback
        self.wait = asked.wait
        self.until = until
        self.poll = poll


class Lane:
    """
    Recognises polls, for all connections of a site.

    :param known: the identity behind credentials if that can be said at once, else None.
    :param now: seconds since 1970.
    """

    MAX_HEADS = 20_000
    """Some 50 MB hold what is remembered, whoever sends it."""

    def __init__(
        self,
        endpoint: PollEndpoint,
        known: Callable[[Credentials], Known | None],
        origins: Origins,
        now: Callable[[], float],
    ) -> None:
        self._endpoint = endpoint
        self._known = known
        self._origins = origins
        self._now = now
        self._starts = Starts()
        self._heads: dict[bytes, Head | None] = {}

    def repeat(self, repeat: Repeat, data: bytes) -> bool:
        """Park the last poll of a connection again, if `data` asks for that to the letter and there is nothing to say yet."""
        poll = repeat.poll
        return (
            data == repeat.before + poll.subscription.issued.encode("ascii") + repeat.behind
            and repeat.until > self._now()
            and poll.park_again(self._endpoint.hold(repeat.wait))
        )

    def take(self, channel: "LaneChannel", data: bytes) -> bool:
        """Answer or park the poll in `data`, which one read brought; False when it is not one for this lane."""
        end = data.find(b" HTTP/1.1\r\n", len(START))
        if end < 0 or len(data) > MAX_READ_BYTES:
            return False
        asked = _asked(data[:end])
        head = self._head(data[end:]) if asked is not None else None
        if asked is None or head is None:
            return False
        known = self._known(Credentials(head.authorization, asked.token, asked.name, head.cookie))
        if known is None or (known.identity.ambient and asked.callback is not None and not head.own):
            return False
        reply = self._endpoint.reading.hot(known.identity.user, asked.cursor)
        if reply is None or reply.subscription is None:
            return False
        behind = asked.rest + head.lines if asked.rest else head.lines
        poll = RepeatedPoll(self._endpoint, channel, reply.subscription)
        channel.use(Repeat(asked, behind, known.until, poll))
        if reply.events:
            channel.send(self._endpoint.spell(reply.events, reply.cursor))
        else:
            channel.setTimeout(None)
            poll.park(self._endpoint.hold(asked.wait))
        return True

    def spell(self, json: bytes, callback: bytes | None) -> bytes:
        """The whole response, byte for byte as twisted.web would send it."""
        starts = self._starts.of(self._now())
        if callback is None:
            return b"%s%d%s%s" % (starts.json, len(json), REST, json)
        return b"%s%d%s/**/%s(%s);" % (starts.script, len(json) + len(callback) + 7, REST, callback, json)

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
        return Head(lines, found.get(b"authorization"), found.get(b"cookie"), own)


class LaneChannel(FeedChannel):
    """
    A connection whose polls may take the fast lane.

    What may come next (`use`) is remembered only as long as nothing else has happened on the connection.
    """

    __slots__ = ("_held", "_repeat")

    site: "LaneSite"
    _HTTPChannel__first_line: int

    def __init__(self) -> None:
        super().__init__()
        self._held = b""
        self._repeat: Repeat | None = None

    def dataReceived(self, data: bytes) -> None:
        """Take the lane, or wait behind the poll that is parked, or be twisted.web's."""
        repeat = self._repeat
        if repeat is not None:
            if repeat.poll.waits:
                self._hold(data)
                return
            if self.site.lane.repeat(repeat, data):
                self.setTimeout(None)
                return
        if not (data.startswith(START) and self._is_quiet() and self.site.lane.take(self, data)):
            self.use(None)
            super().dataReceived(data)

    def use(self, repeat: Repeat | None) -> None:
        """Remember the poll that the lane takes now, or that what comes next is not for the lane."""
        last, self._repeat = self._repeat, repeat
        if last is not None:
            last.poll.lost()

    def send(self, json: bytes) -> None:
        """Answer the poll, at once where the connection has nothing queued; then go on with what has come behind it."""
        assert self._repeat is not None
        self.setTimeout(self.site.timeOut)
        self.send_now(self.site.lane.spell(json, self._repeat.callback))
        if self._held:
            self._go_on()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Leave the poll."""
        super().connectionLost(reason)
        self.use(None)

    def loseConnection(self) -> None:
        """Nothing that comes from now on is for the lane."""
        self.use(None)
        super().loseConnection()

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
        self.use(None)
        if len(held) > MAX_HELD_BYTES and not self._waitingForTransport:
            self.transport.resumeProducing()
        self.setLineMode(held)


class LaneSite(FeedSite):
    """A `FeedSite` with a fast lane."""

    protocol = LaneChannel

    def __init__(self, lane: Lane, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lane = lane


class Starts:
    """
    The answers up to their length, spelled once a second.

    :ivar json: of a JSON document; `script`: of JSONP.
    """

    def __init__(self) -> None:
        self._second = -1
        self.json = b""
        self.script = b""

    def of(self, now: float) -> "Starts":
        """Those of this second (since 1970)."""
        second = int(now)
        if second != self._second:
            self._second = second
            start = b"HTTP/1.1 200 OK\r\nServer: %s\r\nDate: %s\r\nVary: Origin\r\nContent-Type: %s\r\nContent-Length: "
            date = datetimeToString(second)
            self.json = start % (version, date, b"application/json")
            self.script = start % (version, date, b"application/javascript; charset=utf-8")
        return self


def _asked(first_line: bytes) -> _Asked | None:
    """What a request's first line, up to the version, asks; None when it is for twisted.web to read or to answer at once."""
    query = first_line[len(START) :]
    given = _arguments(query)
    if given is None or b"cursor" not in given:
        return None
    callback, wait, cursor = given.get(b"callback"), given.get(b"wait", b"86400"), given[b"cursor"]
    if not wait.isdigit() or len(wait) > 5 or not wait.strip(b"0"):
        return None
    if callback is not None and not arguments.is_callback(callback):
        return None
    at = len(START) + (b"&" + query).index(b"&cursor=") + len(b"cursor=")
    rest = first_line[at + len(cursor) :]
    token, name = given.get(b"token"), given.get(b"as")
    return _Asked(first_line[:at], cursor.decode("ascii"), rest, callback, float(wait), token, name)


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
