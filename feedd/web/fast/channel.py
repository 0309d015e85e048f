"""
The fast channel: the common long poll, recognised whole in one read and answered with one send.

Most requests of a feed are the same poll by the same browsers, over and over. A connection takes
those that `feedd.web.fast.request` can read, and leaves the rest to twisted.web, whose protocol it
is. Its next poll is, as a rule, the last one with the cursor that it was answered with, and is
recognised by one comparison.
"""

from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from feedd.reactor.insides import is_between_requests, is_paused_by_transport
from feedd.web.fast.connection import FastConnection, Shared
from feedd.web.server.channel import FeedChannel
from feedd.web.server.site import FeedSite


class FastChannel(FeedChannel):
    """
    Twisted's protocol of a connection whose polls may take the fast way.

    :ivar fast: to which it forwards; there from `connectionMade` on.
    """

    __slots__ = ("fast",)

    site: "FastSite"

    def connectionMade(self) -> None:
        """Begin."""
        super().connectionMade()
        self.fast = FastConnection(self, self.site.shared, self._sends_directly)

    def dataReceived(self, data: bytes) -> None:
        """Take what the reactor has read."""
        self.fast.dataReceived(data)

    def read_plainly(self, data: bytes) -> None:
        """Let twisted.web take what was read."""
        super().dataReceived(data)

    def is_quiet(self) -> bool:
        """Whether twisted.web is between two requests, and would take this one now."""
        waits = self._behind or self.has_ended or is_paused_by_transport(self)
        return not waits and is_between_requests(self)

    def readConnectionLost(self) -> None:
        """The peer sends no more; what has come already is for twisted.web from now on."""
        super().readConnectionLost()
        self.fast.hurry(self.close_if_done)

    def close_if_done(self) -> None:
        """Close a connection that sends no more, once all it has asked is answered."""
        if not self.fast.is_busy:
            super().close_if_done()

    def pauseProducing(self) -> None:
        """The peer does not take the answers: nothing more is read until it does."""
        super().pauseProducing()
        self.fast.choose_reader()

    def resumeProducing(self) -> None:
        """The peer has taken the answers."""
        super().resumeProducing()
        self.fast.choose_reader()

    def loseConnection(self) -> None:
        """Close when all has been sent."""
        self.fast.leave()
        super().loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self.fast.close()
        super().connectionLost(reason)


class FastSite(FeedSite):
    """A `FeedSite` with fast channels."""

    protocol = FastChannel

    def __init__(self, shared: Shared, *args: Any) -> None:
        """The parameters behind `shared` are those of `FeedSite`."""
        super().__init__(*args)
        self.shared = shared
