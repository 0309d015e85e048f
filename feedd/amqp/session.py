"""
A session: all that one connection to the broker is used for.

A consumer that the broker cancels, or a queue that is lost, ends the connection; the next one
builds everything again.
"""

from collections.abc import Sequence

from twisted.internet.defer import Deferred

from feedd.amqp.authors import FollowedAuthors
from feedd.amqp.exchanges import Remembered
from feedd.amqp.probe import Probe
from feedd.amqp.protocol.channel import Channel, ChannelObserver
from feedd.amqp.protocol.client import Client
from feedd.amqp.protocol.closed import Closed, describe
from feedd.amqp.publisher import Publisher
from feedd.amqp.seal import Seal
from feedd.amqp.topology import Topology
from feedd.core.event import Event
from feedd.reactor.complaints import Complain

MAX_AS_IT_IS = 100_000
"""Exchanges of other properties than ours that are remembered, see `Topology`."""

LEAVE_SECONDS = 10.0
"""How long unbinding may take before the connection is closed anyway."""


class Session:
    """One connection in use: a queue with its consumer, the bindings, the publisher, the probe."""

    def __init__(
        self, client: Client, topology: Topology, publisher: Publisher, probe: Probe
    ) -> None:
        self.client = client
        self._topology = topology
        self._publisher = publisher
        self._probe = probe

    @property
    def trouble(self) -> str:
        """The broker's own words for what this connection may not do; "" for nothing."""
        blocked = self.client.blocked
        if blocked is not None:
            return f"the broker takes no messages: {blocked}"
        return self._topology.trouble

    async def start(self, exchanges: Sequence[bytes]) -> None:
        """
        Return when `exchanges` are bound, and watch the consumer from then on.

        :raises Closed: when the connection goes.
        """
        self._topology.look_at(*exchanges)
        await self._topology.when_idle()
        if self.client.closed:
            raise Closed(self.client.trouble)
        self._probe.start()

    def look_at(self, exchange: bytes) -> None:
        """Bind or unbind `exchange`, which has come to be needed or is not needed any more."""
        self._topology.look_at(exchange)

    def bind_again(self, exchange: bytes) -> None:
        """Declare and bind `exchange`, which seems to have lost its binding, or to be gone."""
        self._topology.forget(exchange)

    def when_idle(self) -> Deferred[None]:
        """Fires when every exchange is bound or unbound as it should be."""
        return self._topology.when_idle()

    def publish(self, event: Event) -> None:
        """Publish `event`; what cannot go out is dropped and counted."""
        self._publisher.publish(event)

    def wake(self) -> None:
        """Do what has waited for the broker to read from us again."""
        self._topology.wake()

    async def leave(self, within_seconds: float) -> None:
        """Unbind everything, then close the connection with AMQP's farewell. Never raises."""
        self._probe.stop()
        unbinding: Deferred[None] = self._topology.unbind_all()
        unbinding.addTimeout(LEAVE_SECONDS, self.client.clock).addErrback(lambda failure: None)
        await unbinding
        await self.client.close(within_seconds=within_seconds)

    def lost(self) -> None:
        """Stop; the connection has gone."""
        self._probe.stop()
        self._publisher.close()


class Sessions:
    """Opens the sessions of a process, one after the other."""

    def __init__(
        self, authors: FollowedAuthors, seal: Seal, queue_length: int, complain: Complain
    ) -> None:
        """:param queue_length: the most messages that wait in the queue."""
        self._authors = authors
        self._seal = seal
        self._queue_length = queue_length
        self._complain = complain
        self._as_it_is = Remembered(MAX_AS_IT_IS)

    async def open(self, client: Client) -> Session:
        """
        Consume from a queue of our own, with nothing bound to it yet, and be ready to publish.

        :raises Closed: when the broker refuses or the connection goes.
        :raises TimeoutError: when the broker does not answer.
        """
        channel = await client.open_channel(_ConsumerObserver(client))
        queue = await _consume(channel, self._queue_length)
        topology = Topology(client, queue, self._authors.needs, self._as_it_is, self._complain)
        publisher = Publisher(client, self._authors.exchanges, self._seal, topology, self._complain)
        await publisher.open()
        return Session(client, topology, publisher, Probe(client, channel, queue, client.clock))


async def _consume(channel: Channel, queue_length: int) -> bytes:
    """The name of a new queue that is consumed; when it is full it drops its oldest message."""
    limits = {"x-max-length": queue_length, "x-overflow": "drop-head"}
    declared = await channel.queue_declare(exclusive=True, auto_delete=True, arguments=limits)
    queue: bytes = declared.queue
    await channel.basic_consume(queue=queue, no_ack=True)
    return queue


class _ConsumerObserver(ChannelObserver):
    """Ends the connection together with its consumer."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def cancelled(self, consumer_tag: bytes) -> None:
        self._client.fail("the broker has cancelled our consumer")

    def failed(self, error: Exception) -> None:
        self._client.fail(f"consuming: {describe(error)}")
