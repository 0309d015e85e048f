"""
An `AMQPBroker` on a real RabbitMQ, and a stranger who publishes to it with pika.
"""

import random
import time
from collections.abc import Callable
from typing import Any

import pika
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from feedd.amqp.broker import AMQPBroker
from feedd.amqp.inbox import Receiver
from feedd.core.counters import Counters
from feedd.core.event import Event
from feedd.feed.settings import Broker
from tests.live import servers
from tests.sealed import SEALED_WITH

EXCHANGE = "{user}_feedExchange"
LINGER_SECONDS = 0.05
WAIT_SECONDS = 15.0


def now_ms() -> int:
    """The time of day."""
    return int(time.time() * 1000)


class BrokerTestCase(TestCase):
    """
    Brokers of a test; they are stopped at its end.

    :ivar heard: what they delivered.
    """

    timeout = 60

    def setUp(self) -> None:
        self.heard: list[Event] = []
        self.hints: list[int] = []
        self.counters = Counters()
        self.rabbit = servers.rabbitmq()

    def make(
        self,
        url: str = "",
        password: str = "",
        changed: Callable[[], None] = lambda: None,
        **settings: Any,
    ) -> AMQPBroker:
        """A broker that is started."""
        broker = AMQPBroker(
            reactor,
            Broker(url=url or self.rabbit.url, **{"linger_seconds": LINGER_SECONDS, **settings}),
            password,
            Receiver(self.heard.append, self.hints.append),
            self.counters,
            now_ms,
            random.random,
            changed,
        )
        broker.seal_with(*SEALED_WITH)
        broker.startService()
        self.addCleanup(broker.stopService)
        return broker

    async def up(self, *authors: str, **settings: Any) -> AMQPBroker:
        """A broker that is up, following these authors."""
        broker = self.make(**settings)
        for author in authors:
            broker.follow(author)
        await self.until(lambda: broker.up)
        return broker

    async def until(self, condition: Callable[[], object]) -> None:
        """Return when `condition` holds, or fail."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                self.fail("it did not come about in time")
            await self.pause(0.01)

    async def pause(self, seconds: float) -> None:
        """Let the reactor run for a while."""
        await deferLater(reactor, seconds)  # type: ignore[arg-type]

    async def settle(self, broker: AMQPBroker) -> None:
        """Return when every follow and unfollow has taken effect, lingering over."""
        await self.pause(LINGER_SECONDS * 2)
        await broker.when_idle()

    async def wait_for(self, events: int) -> None:
        """Return when so many events were heard."""
        await self.until(lambda: len(self.heard) >= events)
        self.assertEqual(len(self.heard), events)


class Stranger:
    """A producer that knows nothing of feedd."""

    def __init__(self, rabbit: servers.RabbitMQ) -> None:
        self._connection = pika.BlockingConnection(pika.URLParameters(rabbit.url))
        self.channel = self._connection.channel()

    def publish(
        self, author: str, body: bytes, properties: Any = None, routing_key: str = ""
    ) -> None:
        """Publish to the author's exchange."""
        self.channel.basic_publish(
            EXCHANGE.replace("{user}", author), routing_key, body, properties
        )

    def close(self) -> None:
        """Hang up; what was published has arrived then."""
        self._connection.close()
