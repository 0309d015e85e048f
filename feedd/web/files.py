"""
Static files of the package, in memory.

This module knows names and content types. It does not know what the files do.
"""

from typing import Any

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

_TYPES = {"html": b"text/html", "css": b"text/css", "js": b"text/javascript", "svg": b"image/svg+xml"}
_POLICY = b"default-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'self'"


class StaticFile(Resource):
    """One file, read once when the daemon starts."""

    isLeaf = True

    def __init__(self, name: str, content: bytes) -> None:
        super().__init__()
        self._type = _TYPES[name.rpartition(".")[2]] + b"; charset=utf-8"
        self._content = content

    def render_GET(self, request: Any) -> Any:
        """Send the file; HEAD is twisted.web's doing."""
        request.setHeader(b"Content-Type", self._type)
        request.setHeader(b"X-Content-Type-Options", b"nosniff")
        request.setHeader(b"Content-Security-Policy", _POLICY)
        request.setHeader(b"Cache-Control", b"no-cache")
        request.setHeader(b"Content-Length", b"%d" % len(self._content))
        request.write(self._content)
        request.finish()
        return NOT_DONE_YET
