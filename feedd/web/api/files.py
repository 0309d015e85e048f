"""Static files of the package, in memory."""

from feedd.web.endpoint import Endpoint
from feedd.web.gate import Gate
from feedd.web.responses import Response, file
from feedd.web.server.request import FeedRequest

_TYPES = {
    "html": b"text/html",
    "css": b"text/css",
    "js": b"text/javascript",
    "svg": b"image/svg+xml",
}
_POLICY = b"default-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'self'"


class FileEndpoint(Endpoint):
    """
    One file, read once when the daemon starts.

    :param name: its ending says the content type.
    """

    def __init__(self, gate: Gate, name: str, content: bytes) -> None:
        super().__init__(gate, {b"GET": self.get})
        self._type = _TYPES[name.rpartition(".")[2]] + b"; charset=utf-8"
        self._content = content

    async def get(self, request: FeedRequest) -> Response:
        """The file."""
        return file(self._content, self._type, _POLICY, request.origin)
