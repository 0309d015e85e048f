"""
The requests of a long poll to a server, and what is read from each answer for the next one.

A `Conversation` is plain data, so that the load generators in C and in Python send the same.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

_TAG = re.compile(rb"(?i)last-modified: ([^\r]*)\r\n(?:.*\r\n)*?etag: ([^\r]*)\r\n")
_JSON = b"Content-Type: application/json\r\n"


@dataclass(frozen=True)
class Conversation:
    """
    Templates: ``{i}`` is the number of the poll, ``{cursor}`` what the last answer told, ``{v}``
    this poll's variable.

    :ivar poll: the path of a poll.
    :ivar publish: the path to POST an event to.
    :ivar body: what is posted there; ``{token}`` is what the polls look for.
    :ivar send: the body of a poll, when it is a POST.
    :ivar cursor_key: the cursor is the JSON string or number after this key.
    :ivar tags: the cursor is Last-Modified and Etag, sent back as If-Modified-Since and
        If-None-Match.
    :ivar variables: one for each poll: a token, a session.
    """

    poll: str
    publish: str = "/pub"
    body: str = '{"t":"{token}"}'
    send: str = ""
    cursor_key: str = ""
    tags: bool = False
    variables: tuple[str, ...] = ()

    def request(self, index: int, answer: bytes) -> bytes:
        """The poll number `index` after `answer`, b"" before the first."""
        path = self._filled(self.poll, index, answer)
        if self.send:
            return _post(path, self._filled(self.send, index, answer))
        return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode() + self._tag(answer) + b"\r\n"

    def publishing(self, token: str) -> bytes:
        """The request that publishes `token`."""
        return _post(self.publish, self.body.replace("{token}", token))

    def _filled(self, template: str, index: int, answer: bytes) -> str:
        text = template.replace("{i}", str(index)).replace("{cursor}", self._cursor(answer))
        return (
            text.replace("{v}", self.variables[index % len(self.variables)])
            if self.variables
            else text
        )

    def _cursor(self, answer: bytes) -> str:
        if not self.cursor_key:
            return ""
        found = re.findall(rb'"%s": *(?:"([^"]*)"|([0-9]+))' % self.cursor_key.encode(), answer)
        return (found[-1][0] or found[-1][1]).decode() if found else ""

    def _tag(self, answer: bytes) -> bytes:
        found = _TAG.search(answer) if self.tags else None
        return (
            b"If-Modified-Since: %s\r\nIf-None-Match: %s\r\n" % (found[1], found[2])
            if found
            else b""
        )


class Served(NamedTuple):
    """
    A server that runs.

    :ivar ports: where it listens; poll i goes to port i modulo their number.
    :ivar pids: its processes, for what they cost.
    """

    ports: tuple[int, ...]
    pids: tuple[int, ...]
    conversation: Conversation


def _post(path: str, body: str) -> bytes:
    data = body.encode()
    return b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%sContent-Length: %d\r\n\r\n%s" % (
        path.encode(),
        _JSON,
        len(data),
        data,
    )
