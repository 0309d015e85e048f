"""
The parser of the common poll.

Only what is spelled in the plainest way is read here: ``GET``, the poll's path, HTTP/1.1, arguments
without escapes, header lines of one kind. Everything else, and everything that is wrong, is left to
twisted.web.
"""

import re
from typing import NamedTuple

from feedd.feed.access import Page
from feedd.feed.polling import PollQuery
from feedd.feed.ports import Credentials
from feedd.web import arguments
from feedd.web.origin import Origins

START = b"GET /feed/poll?"

MAX_READ_BYTES = 8_192
MAX_HEADERS = 100
"""Fewer than twisted.web takes."""

MAX_HEAD_BYTES = 1_024
"""Longer header lines are not remembered, but read anew each time."""

MAX_HEADS = 20_000
"""Some 50 MB hold what is remembered, whoever sends it."""

_QUERY = re.compile(rb"[A-Za-z0-9._~$=&-]+\Z")
_HEADER = re.compile(rb"([A-Za-z][A-Za-z0-9-]*): ?([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)\Z")
_FOR_TWISTED = frozenset(
    (b"connection", b"content-length", b"expect", b"origin", b"transfer-encoding", b"upgrade")
)
_KEPT_ALIVE = (b"connection", b"keep-alive")
"""The default of HTTP/1.1, which many clients send all the same."""


class Head(NamedTuple):
    """
    The meaning of the header lines of a request.

    :ivar lines: the lines themselves, from the version to the empty line.
    :ivar plain: the page that a plain GET may come from,
    :ivar script: and a script tag's.
    """

    lines: bytes
    authorization: bytes | None
    cookie: bytes | None
    plain: Page
    script: Page


class PollRequest(NamedTuple):
    """
    A poll as the fast way takes it.

    :ivar query: what it asks; it is always willing to wait.
    :ivar callback: the JSONP function's name, or None.
    :ivar before: the bytes of the request up to the cursor,
    :ivar behind: and from there on.
    """

    query: PollQuery
    callback: bytes | None
    before: bytes
    behind: bytes


class PollParser:
    """
    Reads polls.

    Browsers send the same header lines with each request, so their meaning is remembered.

    :param max_heads: how many header lines are remembered.
    """

    def __init__(self, origins: Origins, max_heads: int = MAX_HEADS) -> None:
        self._origins = origins
        self._max_heads = max_heads
        self._heads: dict[bytes, Head | None] = {}

    def __len__(self) -> int:
        """The number of heads that are remembered."""
        return len(self._heads)

    def parse(self, data: bytes) -> PollRequest | None:
        """
        The poll in `data`, which begins with `START` and was brought by one read; None when it is
        for twisted.web.
        """
        end = data.find(b" HTTP/1.1\r\n", len(START))
        if end < 0 or len(data) > MAX_READ_BYTES:
            return None
        query = data[len(START) : end]
        given = _arguments(query)
        if given is None:
            return None
        callback, wait, cursor = (
            given.get(b"callback"),
            given.get(b"wait", b"86400"),
            given[b"cursor"],
        )
        if not wait.isdigit() or len(wait) > 5 or not wait.strip(b"0"):
            return None
        if callback is not None and not arguments.is_callback(callback):
            return None
        head = self._head(data[end:])
        if head is None:
            return None
        at = len(START) + (b"&" + query).index(b"&cursor=") + len(b"cursor=")
        rest = data[at + len(cursor) : end]
        # The object that is remembered is one for all who send these lines: a parked poll keeps it.
        behind = rest + head.lines if rest else head.lines
        credentials = Credentials(
            head.authorization, given.get(b"token"), given.get(b"as"), head.cookie
        )
        page = head.plain if callback is None else head.script
        asked = PollQuery(credentials, page, cursor.decode("ascii"), float(wait))
        return PollRequest(asked, callback, data[:at], behind)

    def _head(self, lines: bytes) -> Head | None:
        """
        The meaning of `lines`, which go from the version to the empty line; None when they are for
        twisted.web.
        """
        try:
            return self._heads[lines]
        except KeyError:
            if lines.find(b"\r\n\r\n") != len(lines) - 4:
                # Not the whole, or more than one: it never comes again, so it is not remembered.
                return None
        head = self._read_head(lines)
        if len(lines) <= MAX_HEAD_BYTES:
            if len(self._heads) >= self._max_heads:
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
        site, referer, host = (
            _text(found.get(name)) for name in (b"sec-fetch-site", b"referer", b"host")
        )
        is_own = self._origins.is_own(site, None, referer, host)
        return Head(
            lines,
            found.get(b"authorization"),
            found.get(b"cookie"),
            plain=Page(may_be_foreign=False, is_own=is_own),
            script=Page(may_be_foreign=True, is_own=is_own),
        )


def _arguments(query: bytes) -> dict[bytes, bytes] | None:
    """
    The arguments of a query without escapes, a cursor among them, none twice, and only the cursor
    empty; else None.
    """
    if not _QUERY.match(query):
        return None
    given: dict[bytes, bytes] = {}
    for pair in query.split(b"&"):
        name, equals, value = pair.partition(b"=")
        if not equals or name in given or not (value or name == b"cursor") or not name:
            return None
        given[name] = value
    return given if b"cursor" in given else None


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("ascii")
