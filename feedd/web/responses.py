"""
Whole responses, byte for byte as twisted.web would send them.

This module knows bytes and the time of day. It does not know what is answered.
"""

from collections.abc import Callable

from twisted.web.http import RESPONSES, datetimeToString
from twisted.web.server import version

from feedd.web.errors import Refusal

MAX_HEADS = 1_000

_JSON = b"application/json"
_SCRIPT = b"application/javascript; charset=utf-8"
_REST = b"\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n"


class Spelling:
    """Spells the head of all answers of one kind, length and second once."""

    def __init__(self, now: Callable[[], float]) -> None:
        """:param now: seconds since 1970."""
        self._now = now
        self._second = -1
        self._documents: dict[int, bytes] = {}
        self._scripts: dict[int, bytes] = {}

    def answer(self, json: bytes, callback: bytes | None) -> bytes:
        """A document with status 200, as JSONP when `callback` is a function's name."""
        second = self._second
        if not second <= self._now() < second + 1:
            self._second = int(self._now())
            self._documents.clear()
            self._scripts.clear()
        if callback is None:
            length = len(json)
            return (
                self._documents.get(length) or self._head(self._documents, length, _JSON)
            ) + json
        length = len(json) + len(callback) + 7
        head = self._scripts.get(length) or self._head(self._scripts, length, _SCRIPT)
        return b"".join((head, b"/**/", callback, b"(", json, b");"))

    def _head(self, heads: dict[int, bytes], length: int, kind: bytes) -> bytes:
        if len(heads) >= MAX_HEADS:
            heads.clear()
        head = heads[length] = b"%s%d%s" % (_start(self._second, 200, (), kind), length, _REST)
        return head

    def refusal(self, refusal: Refusal, callback: bytes | None) -> bytes:
        """
        An error, with its status; a script tag sees no status, and no body either unless the status
        is 200.
        """
        json, headers = refusal.json(with_status=callback is not None), []
        if refusal.status == 401:
            headers.append(b"WWW-Authenticate: Bearer")
        if refusal.retry_after_seconds is not None:
            headers.append(b"Retry-After: %d" % refusal.retry_after_seconds)
        if callback is None:
            status, kind, body = refusal.status, _JSON, json
        else:
            status, kind, body = 200, _SCRIPT, b"/**/%s(%s);" % (callback, json)
        return b"%s%d%s%s" % (
            _start(int(self._now()), status, headers, kind),
            len(body),
            _REST,
            body,
        )


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
