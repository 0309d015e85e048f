"""
Publishes events, each on its author's exchange, and follows the broker's confirms.

Publishing is best effort, because the log has every event and the tail of every process reads it:
what cannot go out now is dropped and counted. Source: RabbitMQ, "Publisher Confirms": numbers count
from 1 on each channel, `multiple` means all up to here.
"""

import re
from collections import deque
from itertools import takewhile

from twisted.internet.defer import Deferred

from feedd.amqp.event_frames import pack_event
from feedd.amqp.exchanges import Exchanges
from feedd.amqp.protocol.channel import Channel, ChannelObserver
from feedd.amqp.protocol.client import Client
from feedd.amqp.protocol.closed import describe, reply_code
from feedd.amqp.protocol.frames import Unpackable
from feedd.amqp.seal import Seal
from feedd.amqp.topology import NOT_FOUND, Topology
from feedd.core.event import Event
from feedd.reactor.complaints import Complain

MAX_EVENTS = 10_000
MAX_BYTES = 16_777_216
"""Bounds of what waits for an exchange or for a confirm."""

_EXCHANGE_IN = re.compile(rb"exchange '([^']+)'")


class Publisher(ChannelObserver):
    """Publishes on a channel of its own, over one connection."""

    def __init__(
        self,
        client: Client,
        exchanges: Exchanges,
        seal: Seal,
        topology: Topology,
        complain: Complain,
    ) -> None:
        self._client = client
        self._seal = seal
        self._exchanges = exchanges
        self._topology = topology
        self._complain = complain
        self._channel: Channel | None = None
        self._number = 0
        self._unconfirmed: dict[int, int] = {}
        self._waiting: dict[bytes, deque[Event]] = {}
        self._events = 0
        self._bytes = 0
        self._packed: list[bytes] = []
        topology.answered = self.answered

    async def open(self) -> None:
        """Open a channel in confirm mode, and publish what waited for it."""
        channel = await self._client.open_channel(self)
        await channel.confirm_select()
        self._number = 0
        self._channel = channel
        for exchange in list(self._waiting):
            if self._topology.declare(exchange):
                self.answered(exchange, True)

    def publish(self, event: Event) -> None:
        """
        Publish `event`, now or as soon as its exchange is there. Never raises; what is over the
        bounds is dropped.
        """
        size = len(event.json)
        if (
            self._client.blocked is not None
            or self._events >= MAX_EVENTS
            or self._bytes + size > MAX_BYTES
        ):
            self._complain("amqp_publish_dropped", "the broker does not keep up")
            return
        self._events += 1
        self._bytes += size
        exchange = self._exchanges.of(event.author)
        if exchange in self._waiting:
            self._waiting[exchange].append(event)
            return
        self._waiting[exchange] = deque((event,))
        if self._topology.declare(exchange):
            self.answered(exchange, True)

    def answered(self, exchange: bytes, there: bool) -> None:
        """`exchange` can be published to, or cannot be had: send or drop what waits for it."""
        if there and self._channel is None:
            return
        for event in self._waiting.pop(exchange, ()):
            if there and self._channel is not None:
                self._send(self._channel, exchange, event)
            else:
                self._finish(len(event.json))
                self._complain("amqp_publish_lost", "an exchange cannot be had, or not soon")

    def confirmed(self, number: int, multiple: bool, ok: bool) -> None:
        numbers = [number]
        if multiple:
            # Numbers only grow, so all up to this one stand in front; 0 means all.
            numbers = list(
                takewhile(lambda earlier: earlier <= number or number == 0, self._unconfirmed)
            )
        for each in numbers:
            size = self._unconfirmed.pop(each, None)
            if size is not None:
                self._finish(size)
                if not ok:
                    self._complain("amqp_publish_nacked", "the broker could not take a message")

    def failed(self, error: Exception) -> None:
        self._channel = None
        self._packed.clear()  # frames for a channel that is closed would end the connection
        lost, self._unconfirmed = self._unconfirmed, {}
        if lost:
            self._complain("amqp_publish_lost", describe(error), len(lost))
        for size in lost.values():
            self._finish(size)
        if not self._client.closed:
            self._recover(error)

    def close(self) -> None:
        """The connection has gone: count what still waited for an exchange."""
        waiting, self._waiting = self._waiting, {}
        count = sum(map(len, waiting.values()))
        if count:
            self._complain("amqp_publish_lost", "the connection was lost", count)

    def _send(self, channel: Channel, exchange: bytes, event: Event) -> None:
        """Pack `event` for the one write of this turn of the reactor."""
        try:
            seal = self._seal.of(event.json)
            packed = pack_event(channel.id, exchange, event, self._client.frame_max, seal)
        except Unpackable as error:
            self._finish(len(event.json))
            self._complain("amqp_publish_lost", str(error))
            return
        if not self._packed:
            self._client.clock.callLater(0, self._write)
        self._packed.append(packed)
        self._number += 1
        self._unconfirmed[self._number] = len(event.json)

    def _write(self) -> None:
        packed, self._packed = self._packed, []
        if packed:
            self._client.write(b"".join(packed))

    def _finish(self, size: int) -> None:
        self._events -= 1
        self._bytes -= size

    def _recover(self, error: Exception) -> None:
        """Go on with a fresh channel; after a 404 the exchange has to be declared again."""
        if reply_code(error) == NOT_FOUND:
            self._topology.forget(_exchange_in(error))
        opening = Deferred.fromCoroutine(self.open())
        opening.addErrback(lambda failure: self._client.fail(f"publishing: {describe(failure)}"))


def _exchange_in(error: Exception) -> bytes | None:
    """
    The exchange that the broker's text names, or None. Source: "NOT_FOUND - no exchange 'x' in
    vhost '/'".
    """
    found = _EXCHANGE_IN.search(error.args[0].reply_text)
    return found[1] if found else None
