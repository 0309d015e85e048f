"""
What one connection is used for: our queue and its consumer, the topology, the publisher, the probe.

A consumer that the broker cancels, or a queue that is lost, ends the connection; the next one
builds everything again. This module knows the parts of a session and their order; it does not know
how connections are made.
"""

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from feedd.amqp.authors import Following
from feedd.amqp.exchanges import Remembered
from feedd.amqp.probe import Probe
from feedd.amqp.protocol.channel import Listener, describe
from feedd.amqp.protocol.client import Client
from feedd.amqp.publisher import Publisher
from feedd.amqp.topology import Topology
from feedd.core.event import Event
from feedd.feed.settings import Broker
from feedd.reactor.complaints import Complain

LEAVE_SECONDS = 10.0
"""How long unbinding may take before the connection is closed anyway."""


class Session(Listener):
    """One connection in use; as a listener, it hears of its consumer's channel."""

    def __init__(
        self,
        client: Client,
        following: Following,
        as_it_is: Remembered,
        settings: Broker,
        complain: Complain,
    ) -> None:
        self.client = client
        self._clock: IReactorTime = client.clock
        self._following = following
        self._as_it_is = as_it_is
        self._settings = settings
        self._complain = complain
        self._topology: Topology | None = None
        self._publisher: Publisher | None = None
        self._probe: Probe | None = None

    async def open(self) -> None:
        """
        Consume from a queue of our own, bound to all that is needed, and be ready to publish.

        :raises Closed: when the broker refuses or the connection goes.
        :raises TimeoutError: when the broker does not answer.
        """
        channel = await self.client.open_channel(self)
        limits = {"x-max-length": self._settings.queue_length, "x-overflow": "drop-head"}
        queue = (
            await channel.queue_declare(exclusive=True, auto_delete=True, arguments=limits)
        ).queue
        await channel.basic_consume(queue=queue, no_ack=True)
        self._topology = Topology(
            self.client, queue, self._following.needs, self._as_it_is, self._complain
        )
        self._publisher = Publisher(
            self.client, self._following.exchanges, self._topology, self._complain
        )
        await self._publisher.open()
        self._topology.look_at(*self._following.needed())
        await self._topology.settled()
        self._probe = Probe(self.client, channel, queue, self._clock)
        self._probe.start()

    def look_at(self, exchange: bytes) -> None:
        """`exchange` has come to be needed, or is not needed any more."""
        if self._topology is not None:
            self._topology.look_at(exchange)

    def bind_again(self, exchange: bytes) -> None:
        """`exchange` seems to have lost its binding, or to be gone."""
        if self._topology is not None:
            self._topology.forget(exchange)

    async def settled(self) -> None:
        """Return when every exchange is bound or unbound as it should be."""
        if self._topology is not None:
            await self._topology.settled()

    def publish(self, event: Event) -> None:
        """Ring for `event`; what cannot go out is dropped and counted."""
        if self._publisher is not None:
            self._publisher.publish(event)

    def wake(self) -> None:
        """The broker reads from us again: do what has waited for that."""
        if self._topology is not None:
            self._topology.wake()

    async def leave(self, within: float) -> None:
        """Unbind everything, then say farewell, in `within` seconds each at most. Never raises."""
        self._stop_probe()
        if self._topology is not None:
            unbinding: Deferred[None] = self._topology.unbind_all()
            unbinding.addTimeout(LEAVE_SECONDS, self._clock).addErrback(lambda failure: None)
            await unbinding
        await self.client.close(within=within)

    def lost(self) -> None:
        """The connection has gone."""
        self._stop_probe()
        if self._publisher is not None:
            self._publisher.close()

    def cancelled(self, consumer_tag: bytes) -> None:
        self.client.fail("the broker has cancelled our consumer")

    def failed(self, error: Exception) -> None:
        self.client.fail(f"consuming: {describe(error)}")

    def _stop_probe(self) -> None:
        if self._probe is not None:
            self._probe.stop()
