"""The broker of a single process."""

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from feedd.amqp.local import LocalBroker
from feedd.core.event import Event
from feedd.feed.ports import Broker
from tests.contracts.broker import BrokerContract


class LocalBrokerTests(BrokerContract, SynchronousTestCase):
    """The contract, over `LocalBroker`."""

    def setUp(self) -> None:
        self.heard: list[Event] = []

    def drive(self, test: Coroutine[Deferred[Any], Any, None]) -> None:
        self.successResultOf(Deferred.fromCoroutine(test))

    async def broker(self) -> Broker:
        return LocalBroker(self.heard.append)

    async def settle(self, broker: Broker) -> None:
        """Everything takes effect at once."""

    async def wait_for(self, events: int) -> None:
        self.assertEqual(len(self.heard), events)

    async def send_away(self, broker: Broker) -> None:
        """There is no network."""
