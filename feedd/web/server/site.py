"""The HTTP server: its limits, and the number of its connections."""

from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.web.resource import IResource
from twisted.web.server import Site

from feedd.core.counters import Counters
from feedd.feed.settings import HTTP
from feedd.reactor.deadlines import Deadlines
from feedd.reactor.round_robin import RoundRobin
from feedd.web.server.channel import IDLE_SECONDS, FeedChannel
from feedd.web.server.request import FeedRequest

SPOOL_BYTES = 100_000
"""A longer body, which only the site's own servers have, is kept in a file."""


class FeedSite(Site):
    """
    The HTTP server, for HTTP/1.1 only: the idle timer that twisted.web has for HTTP/2 kills polls.

    :param root: the tree of URLs.
    :param deadlines: the wheel for idle connections.
    :param behind: the connections of which more requests have come than were worked off.
    :ivar connections: how many are open. Beyond ``http.max_connections`` a new one is closed at
        once, and counted.
    :ivar request_seconds: how long a request may take to arrive.
    :ivar max_body_bytes: the longest body, where the endpoint has no limit of its own.
    """

    protocol: Any = FeedChannel
    requestFactory: Any = FeedRequest

    def __init__(
        self,
        root: IResource,
        reactor: Any,
        settings: HTTP,
        deadlines: Deadlines,
        counters: Counters,
        behind: RoundRobin,
    ) -> None:
        super().__init__(root, reactor=reactor, timeout=IDLE_SECONDS, parsePOSTFormSubmission=False)
        self.counters = counters
        self.deadlines = deadlines
        self.behind = behind
        self.connections = 0
        self.request_seconds = settings.request_seconds
        self.max_body_bytes = settings.max_body_bytes
        self._max_connections = settings.max_connections

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """A channel for a new connection; None, which closes it, when there are enough."""
        if self.connections >= self._max_connections:
            self.counters.add("http_connections_refused")
            return None
        self.connections += 1
        return super().buildProtocol(addr)

    def getContentFile(self, length: int | None) -> Any:
        """
        Where a body is kept: in memory while it is short. twisted.web opens a file for every body
        that comes in chunks, before its first byte.
        """
        if length is not None and length < SPOOL_BYTES:
            return BytesIO()  # at an eightieth of the cost
        return SpooledTemporaryFile(SPOOL_BYTES)

    def acceptableProtocols(self) -> list[bytes]:
        """The protocols that TLS may negotiate."""
        return [b"http/1.1"]

    def log(self, request: Any) -> None:
        """No access log: a poll a minute of every viewer says nothing, and URLs hold tokens."""
