"""
Whole responses, byte for byte as twisted.web would send them.

This module knows bytes and the time of day. It does not know what is answered.
"""

from collections.abc import Callable

from twisted.web.http import RESPONSES, datetimeToString
from twisted.web.server import version

from feedd.web.errors import Refusal

_JSON = b"application/json"
_SCRIPT = b"application/javascript; charset=utf-8"
_REST = b"\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n"


class Spelling:
    """Spells what is the same in all responses of a second once."""

    def __init__(self, now: Callable[[], float]) -> None:
        """:param now: seconds since 1970."""
        self._now = now
        self._second = -1
        self._json = b""
        self._script = b""
        self._scripts: dict[int, bytes] = {}

    def answer(self, json: bytes, callback: bytes | None) -> bytes:
        """A document with status 200, as JSONP when `callback` is a function's name."""
        second = int(self._now())
        if second != self._second:
            self._second = second
            self._json = _start(second, 200, (), _JSON)
            self._script = _start(second, 200, (), _SCRIPT)
        if callback is None:
            return b"%s%d%s%s" % (self._json, len(json), _REST, json)
        return b"%s%d%s/**/%s(%s);" % (self._script, len(json) + len(callback) + 7, _REST, callback, json)

    def refusal(self, refusal: Refusal, callback: bytes | None) -> bytes:
        """An error, with its status; a script tag sees no status, and no body either unless the status is 200."""
        json, headers = refusal.json(with_status=callback is not None), []
        if refusal.status == 401:
            headers.append(b"WWW-Authenticate: Bearer")
        if refusal.retry_after_seconds is not None:
            headers.append(b"Retry-After: %d" % refusal.retry_after_seconds)
        if callback is None:
            status, kind, body = refusal.status, _JSON, json
        else:
            status, kind, body = 200, _SCRIPT, b"/**/%s(%s);" % (callback, json)
        return b"%s%d%s%s" % (_start(int(self._now()), status, headers, kind), len(body), _REST, body)


def _start(second: int, status: int, headers: list[bytes] | tuple[()], kind: bytes) -> bytes:
    """A response up to the value of its Content-Length."""
    lines = [
        b"HTTP/1.1 %d %s" % (status, RESPONSES[status]),
        b"Server: %s" % version,
        b"Date: %s" % datetimeToString(second),
        b"Vary: Origin",
        *headers,
        b"Content-Type: %s" % kind,
        b"Content-Length: ",
    ]
    return b"\r\n".join(lines)
