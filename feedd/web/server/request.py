"""A request: its body is bounded, and its answer goes out in one piece."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes as unquote

from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.server import Request

MAX_BODY_BYTES = 2 * 1024 * 1024
"""The longest body that the site's own servers may send: 10,000 friendships of long names fit."""

_ABSOLUTE = re.compile(rb"https?://([^/?#]+)", re.IGNORECASE)


class FeedRequest(Request):
    """
    A request to a `FeedSite`.

    :ivar body: the whole body, once the request is complete.
    :ivar announced: how long the body is by the head of the request; None when it comes in chunks.
    :ivar received: how many bytes of the body have come,
    :ivar keeps: and how many of them may be kept; past these they are thrown away.
    :ivar callback: the name of the JSONP function, or None; its endpoint sets it.
    :ivar origin: the origin of the page that asks, if it may read the response, else None; its
        endpoint sets it.
    :ivar gone: whether the client has gone.
    :ivar hurried: whether the client sends no more, and may have gone.
    """

    channel: Any
    content: Any
    site: Any

    def __init__(self, channel: HTTPChannel, queued: Any = None) -> None:
        super().__init__(channel)
        self.body = b""
        self.announced: int | None = None
        self.received = 0
        self.keeps: int = max(MAX_BODY_BYTES, self.channel.site.max_body_bytes)
        self.callback: bytes | None = None
        self.origin: bytes | None = None
        self.gone = False
        self.hurried = False
        self._lost: Callable[[], object] | None = None
        self._hurry: Callable[[], object] | None = None

    def gotLength(self, length: int | None) -> None:
        """The head has come, and announces so long a body."""
        self.announced = length
        self.hurried = self.channel.has_ended
        super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:
        """Keep a piece of the body, as long as the whole is not too long."""
        self.received += len(data)
        if self.finished:  # refused before its body
            return
        if self.received <= self.keeps:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """
        Take the request line's ``GET http://host/path`` for ``GET /path`` and its host for the Host
        header, as a client may spell it that is used to proxies (RFC 9112, 3.2.2).
        """
        if self.finished:  # refused before its body
            return
        host, path = split_target(path)
        if host is not None:
            self.requestHeaders.setRawHeaders(b"Host", [host])
        super().requestReceived(command, path, version)

    @property
    def is_encoded(self) -> bool:
        """Whether there is a body with a Content-Encoding, none of which is undone here."""
        encodings = self.requestHeaders.getRawHeaders(b"content-encoding") or ()
        return self.announced != 0 and any(
            encoding.lower() not in (b"", b"identity") for encoding in encodings
        )

    def limit(self, target: bytes) -> int:
        """How many bytes a body to `target` may have; the body has not come yet."""
        path = split_target(target)[1].partition(b"?")[0]
        self.prepath, self.postpath = [], [unquote(part) for part in path[1:].split(b"/")]
        endpoint = self.channel.site.getResourceFor(self)
        limit: int = getattr(endpoint, "max_body_bytes", None) or self.channel.site.max_body_bytes
        return limit

    def process(self) -> None:
        """Read the body, then answer."""
        # twisted.web closes the body when the client goes; a post is committed all the same.
        self.body = self.content.read()
        super().process()

    def header(self, name: str) -> str | None:
        """The first value of a header, as Latin-1; None when there is none."""
        value = self.requestHeaders.getRawHeaders(name.encode("ascii"))
        return value[0].decode("latin-1") if value else None

    def answer(self, body: bytes) -> None:
        """Send the head and the whole body in one piece, and be done."""
        self.channel.cork()
        self.write(body)  # twisted.web leaves it out for HEAD
        self.channel.uncork()
        self.finish()

    def when_lost(self, call: Callable[[], object] | None) -> None:
        """Call `call` if the client goes before it is answered; it replaces the call before."""
        self._lost = call
        if self.gone and call is not None:
            call()

    def hurry(self) -> None:
        """The client sends no more: wait for nothing but what the answer needs."""
        self.hurried = True
        self.when_hurried(self._hurry)

    def when_hurried(self, call: Callable[[], object] | None) -> None:
        """Call `call`, which answers with what there is, if the client sends no more."""
        self._hurry = call
        if self.hurried and call is not None:
            call()

    def connectionLost(self, reason: Failure) -> None:
        """The client has gone."""
        # notifyFinish would make a Deferred and an errback for each request.
        self.gone = True
        super().connectionLost(reason)
        lost, self._lost = self._lost, None
        if lost is not None:
            lost()


def split_target(target: bytes) -> tuple[bytes | None, bytes]:
    """The host, if there is one, and the rest of the target of a request line."""
    absolute = _ABSOLUTE.match(target)
    if absolute is None:
        return None, target
    rest = target[absolute.end() :]
    return absolute[1], rest if rest.startswith(b"/") else b"/" + rest
