"""
An `AMQPBroker` on a `FakeRabbit`.
"""

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from feedd.amqp.broker import AMQPBroker
from feedd.amqp.inbox import Receiver
from feedd.core.counters import Counters
from feedd.core.event import Event, make_event
from feedd.feed.settings import Broker
from feedd.reactor.link import Host
from tests.sealed import SEALED_WITH, sealed
from tests.unit.amqp_peer import FakeRabbit, Wire

EXCHANGE = "{user}_feedExchange"


def event(id: int = 1, author: str = "alice", body: bytes = b'{"text":"hi"}') -> Event:
    """A post."""
    return make_event(id, "post", author, id, body, 1000)


class BrokerTestCase(SynchronousTestCase):
    """
    A broker, its fake RabbitMQ, and the events that it delivered.

    :ivar flips: `up`, each time `changed` was called.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.rabbit = FakeRabbit(self.clock)
        self.events: list[Event] = []
        self.hints: list[int] = []
        self.flips: list[bool] = []
        self.counters = Counters()
        self.broker = self.make_broker()
        self.addCleanup(self.stop)

    def make_broker(self, hosts: int = 1, **settings: Any) -> AMQPBroker:
        broker = AMQPBroker(
            self.clock,
            Broker(url="amqp://u:s3cret@h", **{"heartbeat_seconds": 0, **settings}),
            "",
            Receiver(self.events.append, self.hints.append),
            self.counters,
            lambda: 5000,
            lambda: 1.0,
            lambda: self.flips.append(self.broker.up),
            [Host(f"rabbit{number}", self.rabbit) for number in range(hosts)],
        )
        broker.seal_with(*SEALED_WITH)
        return broker

    def start(self, *authors: str, **settings: Any) -> None:
        """Start the broker, following these."""
        if settings:
            self.broker = self.make_broker(**settings)
        for author in authors:
            self.broker.follow(author)
        self.broker.startService()
        self.rabbit.run()

    def stop(self) -> None:
        """Stop it; nothing may be left behind."""
        stopping = self.broker.stopService()
        self.rabbit.run()
        self.pass_time(20)
        self.successResultOf(stopping)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def hear(self, event: Event) -> None:
        """Let a message of another feedd arrive."""
        self.rabbit.deliver(event.json, properties=sealed(event))

    def pass_time(self, seconds: float) -> None:
        self.rabbit.pass_time(seconds)

    @property
    def wire(self) -> Wire:
        """The newest connection."""
        return self.rabbit.wires[-1]

    def count(self, method: str) -> int:
        """How often a method has arrived at RabbitMQ."""
        return self.rabbit.heard.count(method)
