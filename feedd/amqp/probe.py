"""
Notices a consumer that has gone mute while its connection lives.

Every few seconds the process sends a message to its own queue. When nothing at all has been
delivered for a while, that one included, the connection is given up for a new one.
"""

from collections.abc import Callable
from typing import Any, cast

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from feedd.amqp.protocol.channel import Channel, Content
from feedd.amqp.protocol.client import Client

PROBE_SECONDS = 2.0
MUTE_SECONDS = 7.0


class Probe:
    """Tests the consumer of one connection until `stop`."""

    def __init__(self, client: Client, channel: Channel, queue: bytes, clock: IReactorTime) -> None:
        self._client = client
        self._channel = channel
        self._queue = queue
        self._seconds: Callable[[], float] = cast(Any, clock).seconds
        self._seen = client.reader.deliveries
        self._heard_at = self._seconds()
        self._loop = LoopingCall(self._tick)
        self._loop.clock = clock

    def start(self) -> None:
        """Begin, with a first message at once."""
        self._heard_at = self._seconds()
        self._loop.start(PROBE_SECONDS).addErrback(
            lambda failure: self._client.fail(f"probe: {failure.getErrorMessage()}")
        )

    def stop(self) -> None:
        """End; may be called again."""
        if self._loop.running:
            self._loop.stop()

    def _tick(self) -> None:
        now, deliveries = self._seconds(), self._client.reader.deliveries
        # A broker that has blocked us does not read our message, so its silence means nothing.
        if deliveries != self._seen or self._client.blocked is not None:
            self._seen, self._heard_at = deliveries, now
        if now - self._heard_at >= MUTE_SECONDS:
            self._client.fail("the broker delivers nothing any more")
        elif self._client.blocked is None:
            self._channel.send("basic.publish", Content(b"probe"), routing_key=self._queue)
