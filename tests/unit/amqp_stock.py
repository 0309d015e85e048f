"""
A stock txAMQP client and a mended one, each with the test at the other end.
"""

import gc
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from txamqp.client import TwistedDelegate
from txamqp.content import Content
from txamqp.protocol import AMQClient

from feedd.amqp.protocol.channel import ChannelObserver
from feedd.amqp.protocol.methods import SPEC
from tests.unit.amqp_peer import Peer


class StockTestCase(SynchronousTestCase):
    """A stock client, given only our method table."""

    def setUp(self) -> None:
        self.peer = Peer(self.make())
        self.client = self.peer.client
        self.peer.wire.take()

    def make(self, heartbeat: int = 0) -> Any:
        client = AMQClient(TwistedDelegate(), "/", SPEC, heartbeat=heartbeat, clock=Clock())
        client.response, client.mechanism, client.locale = "\0u\0p", "PLAIN", "en_US"
        return client

    def stock_channel(self, number: int = 1) -> Any:
        return self.successResultOf(self.client.channel(number))

    def flush_lost_errors(self) -> None:
        """The errors that the library drops on the floor are logged when they are collected."""
        self.client.delegate.client = None
        del self.client, self.peer
        gc.collect()
        self.flushLoggedErrors()

    def publish(self, **arguments: Any) -> Any:
        return self.stock_channel().basic_publish(
            **{"exchange": "e", "content": Content(b"x"), **arguments}
        )


class MendedTestCase(SynchronousTestCase):
    """Our client, with an open connection."""

    def setUp(self) -> None:
        self.peer = Peer()
        self.client = self.peer.client
        self.successResultOf(self.peer.handshake())

    def call(self, deferred: "Deferred[Any]") -> Any:
        return self.successResultOf(deferred)


class Recording(ChannelObserver):
    """An observer that remembers."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []

    def confirmed(self, number: int, multiple: bool, ok: bool) -> None:
        self.said.append((number, multiple, ok))

    def cancelled(self, consumer_tag: bytes) -> None:
        self.said.append((consumer_tag,))

    def failed(self, error: Exception) -> None:
        self.said.append(("failed", error))
