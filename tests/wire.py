"""Requests as bytes, and answers read from bytes, without a socket."""

from collections.abc import Mapping
from http.client import HTTPMessage, parse_headers
from io import BytesIO
from typing import Any, NamedTuple

import msgspec


class Reply(NamedTuple):
    """An answer that a browser got: the status, the headers, the bytes of the body."""

    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which must be JSON and nothing else."""
        return msgspec.json.decode(self.body)

    @property
    def error(self) -> tuple[int, str]:
        """The status and the code of an error."""
        return self.status, self.json["error"]["code"]

    @property
    def message(self) -> str:
        """The text of an error."""
        text: str = self.json["error"]["message"]
        return text

    def jsonp(self, name: str) -> Any:
        """The argument of the call to `name`, which must be all that the script does."""
        start, end = b"/**/%s(" % name.encode(), b");"
        assert self.body.startswith(start) and self.body.endswith(end), self.body
        return msgspec.json.decode(self.body[len(start) : -len(end)])


def spell(
    method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: www.example.org"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def parse_reply(line: bytes, stream: BytesIO, method: str) -> Reply:
    """The answer to a request of this method, whose first line has been read from `stream`."""
    version, status, _ = line.split(b" ", 2)
    assert version == b"HTTP/1.1", line
    headers = parse_headers(stream)
    assert "Transfer-Encoding" not in headers
    length = 0 if method == "HEAD" or status in (b"204", b"304") else int(headers["Content-Length"])
    body = stream.read(length)
    assert len(body) == length
    return Reply(int(status), headers, body)
