"""
Responses: the status, headers and body of everything that feedd answers.

They are made here. Two writers only write them, with the same bytes: `feedd.web.endpoint.write` by
way of twisted.web, and `Spelling` in one piece for the fast channel.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from twisted.web.http import RESPONSES, datetimeToString
from twisted.web.server import version

from feedd.web.errors import Refusal

JSON = b"application/json"
SCRIPT = b"application/javascript; charset=utf-8"

MAX_HEADS = 1_000
"""How many heads a `Heads` keeps, of some 300 bytes each."""

Header = tuple[bytes, bytes]

_NO_STORE = (b"Cache-Control", b"no-store")
_NO_SNIFF = (b"X-Content-Type-Options", b"nosniff")


class Response(NamedTuple):
    """
    A whole response.

    :ivar headers: in their order; ``Server`` and ``Date`` are not among them, the writers put them
        in front.
    """

    status: int
    headers: tuple[Header, ...]
    body: bytes


def document(
    json: bytes,
    callback: bytes | None,
    status: int = 200,
    origin: bytes | None = None,
    more: Iterable[Header] = (),
) -> Response:
    """
    A JSON document, or the script that calls `callback` with it (JSONP).

    A script has the status 200, whatever `status` is: the browser runs no other, and its page
    cannot see the status.

    :param origin: the origin of the page that asks, if it is allowed to read the response.
    :param more: headers besides those that every document has.
    """
    if callback is None:
        return Response(status, _headers(JSON, len(json), origin, more), json)
    script = call(callback, json)
    return Response(200, _headers(SCRIPT, len(script), origin, more), script)


def refused(
    refusal: Refusal, callback: bytes | None, origin: bytes | None = None, allow: bytes = b""
) -> Response:
    """
    An error as a document, see `document`; for a script its status stands inside.

    :param allow: the methods of the URL, for a 405.
    """
    more: list[Header] = []
    if refusal.status == 405:
        more.append((b"Allow", allow))
    if refusal.status == 401:
        more.append((b"WWW-Authenticate", b"Bearer"))
    if refusal.status == 415:
        more.append((b"Accept-Encoding", b"identity"))  # RFC 9110, 15.5.16
    if refusal.retry_after_seconds is not None:
        more.append((b"Retry-After", b"%d" % refusal.retry_after_seconds))
        if origin is not None:  # else a page's script does not see it (Fetch standard, 3.2.3)
            more.append((b"Access-Control-Expose-Headers", b"Retry-After"))
    json = refusal.json(with_status=callback is not None)
    return document(json, callback, refusal.status, origin, more)


def preflight(allow: bytes, origin: bytes | None) -> Response:
    """
    The answer to OPTIONS.

    :param allow: the methods of the URL.
    :param origin: as in `document`; only an allowed page learns what it may send (Fetch standard,
        3.2.2).
    """
    more: list[Header] = [(b"Allow", allow)]
    if origin is not None:
        names = b"Authorization, Content-Type, Idempotency-Key, Last-Event-ID"
        more += [
            (b"Access-Control-Allow-Methods", allow),
            (b"Access-Control-Allow-Headers", names),
            (b"Access-Control-Max-Age", b"600"),
        ]
    return Response(204, (*_for_page(origin), *more), b"")


def file(content: bytes, kind: bytes, policy: bytes, origin: bytes | None) -> Response:
    """
    A file that a browser may keep, but asks about each time.

    :param policy: its Content-Security-Policy.
    :param origin: as in `document`.
    """
    headers = (
        *_for_page(origin),
        (b"Content-Type", kind),
        _NO_SNIFF,
        (b"Content-Security-Policy", policy),
        (b"Cache-Control", b"no-cache"),
        (b"Content-Length", b"%d" % len(content)),
    )
    return Response(200, headers, content)


def call(callback: bytes, json: bytes) -> bytes:
    """
    The script that calls the JSONP function `callback` with a document.

    It begins with a comment, so that no other reader takes the callback's name, which the client
    chooses, for the magic of a file format of its own.
    """
    return b"/**/%b(%b);" % (callback, json)


class Heads(dict[int, bytes]):
    """
    A cache: the heads of the documents of one kind and one second, by the documents' lengths.

    ``heads[length]`` is the head, with its empty line, of a `document` with status 200 for a page
    of no other origin; one that is not there yet is spelled. The body follows it as it is. A
    fan-out asks `Spelling.heads` once for all that it works out together, and then pays one look
    into a dictionary for each answer, where to spell its head would take 3 microseconds.

    :param kind: `JSON`, or `SCRIPT` for a `call`.
    :param second: of the ``Date``, since 1970.
    """

    def __init__(self, kind: bytes, second: int) -> None:
        super().__init__()
        self._kind = kind
        self._second = second

    def __missing__(self, length: int) -> bytes:
        if len(self) >= MAX_HEADS:
            self.clear()
        head = self[length] = _head(200, _headers(self._kind, length, None, ()), self._second)
        return head


class Spelling:
    """Writes responses in one piece, as twisted.web would."""

    def __init__(self, now: Callable[[], float]) -> None:
        """:param now: seconds since 1970."""
        self._now = now
        self._second = -1
        self._heads: dict[bytes, Heads] = {}

    def heads(self, kind: bytes) -> Heads:
        """The heads of this second; `kind` is `JSON` or `SCRIPT`."""
        if not self._second <= self._now() < self._second + 1:
            self._second = second = int(self._now())
            self._heads = {kind: Heads(kind, second) for kind in (JSON, SCRIPT)}
        return self._heads[kind]

    def answer(self, json: bytes, callback: bytes | None) -> bytes:
        """A `document` with status 200."""
        if callback is None:
            return self.heads(JSON)[len(json)] + json
        script = call(callback, json)
        return self.heads(SCRIPT)[len(script)] + script

    def refusal(self, refusal: Refusal, callback: bytes | None) -> bytes:
        """An error, see `refused`."""
        return self.whole(refused(refusal, callback))

    def whole(self, response: Response) -> bytes:
        """Any response."""
        return _head(response.status, response.headers, int(self._now())) + response.body


def _headers(
    kind: bytes, length: int, origin: bytes | None, more: Iterable[Header]
) -> tuple[Header, ...]:
    return (
        *_for_page(origin),
        *more,
        (b"Content-Type", kind),
        (b"Content-Length", b"%d" % length),
        _NO_STORE,
        _NO_SNIFF,
    )


def _for_page(origin: bytes | None) -> tuple[Header, ...]:
    """CORS, for exactly the allowed origins (Fetch standard, 3.2); a cache must tell them apart."""
    vary = (b"Vary", b"Origin")
    if origin is None:
        return (vary,)
    return (
        vary,
        (b"Access-Control-Allow-Origin", origin),
        (b"Access-Control-Allow-Credentials", b"true"),
    )


def _head(status: int, headers: Iterable[Header], second: int) -> bytes:
    """A head as twisted.web spells it, with its empty line."""
    lines = [
        b"HTTP/1.1 %d %b" % (status, RESPONSES[status]),
        b"Server: %b" % version,
        b"Date: %b" % datetimeToString(second),
        *(b"%b: %b" % header for header in headers),
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"
