"""The HTTP server: its limits, and the number of its connections."""

from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.web.resource import IResource
from twisted.web.server import Site

from feedd.core.counters import Counters
from feedd.reactor.deadlines import Deadlines
from feedd.web.server.channel import FeedChannel
from feedd.web.server.request import FeedRequest


class FeedSite(Site):
    """
    The HTTP server, for HTTP/1.1 only: the idle timer that twisted.web has for HTTP/2 kills polls.

    :param deadlines: the wheel for idle connections.
    :param idle_seconds: how long a connection may stand with no request.
    :param request_seconds: how long a request may take to arrive.
    :param max_connections: beyond it a new connection is closed at once, and counted.
    :param max_body_bytes: the longest body, where the endpoint has no limit of its own.
    :ivar connections: how many are open.
    """

    protocol: Any = FeedChannel
    requestFactory: Any = FeedRequest

    def __init__(
        self,
        root: IResource,
        reactor: Any,
        counters: Counters,
        deadlines: Deadlines,
        max_connections: int,
        request_seconds: float,
        idle_seconds: float = 65.0,
        max_body_bytes: int = 65_536,
    ) -> None:
        super().__init__(root, reactor=reactor, timeout=idle_seconds, parsePOSTFormSubmission=False)
        self.counters = counters
        self.deadlines = deadlines
        self.connections = 0
        self.idle_seconds = idle_seconds
        self.request_seconds = request_seconds
        self.max_body_bytes = max_body_bytes
        self._max_connections = max_connections

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """A channel for a new connection; None, which closes it, when there are enough."""
        if self.connections >= self._max_connections:
            self.counters.add("http_connections_refused")
            return None
        self.connections += 1
        return super().buildProtocol(addr)

    def acceptableProtocols(self) -> list[bytes]:
        """The protocols that TLS may negotiate."""
        return [b"http/1.1"]

    def log(self, request: Any) -> None:
        """No access log: a poll a minute of every viewer says nothing, and URLs hold tokens."""
