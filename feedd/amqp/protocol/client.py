"""
One AMQP connection: txAMQP's client, mended.

txAMQP gives the generated calls, the events `started` and `disconnected`, and the dispatch to a
delegate. Its frame reading, writing, heartbeats and queues are replaced: bytes go through
`FrameReader`, a call is one write, every frame is handled before the next one is looked at.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TooLate
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorTime, ITCPTransport
from twisted.python.failure import Failure
from txamqp.protocol import AMQClient

from feedd.amqp.protocol.channel import Channel, ChannelObserver
from feedd.amqp.protocol.closed import Closed, closed_error, describe
from feedd.amqp.protocol.delegate import Delegate
from feedd.amqp.protocol.frame_reader import Delivered, FrameError, FrameReader
from feedd.amqp.protocol.frames import HEARTBEAT, PROTOCOL_HEADER
from feedd.amqp.protocol.heartbeat import Heartbeat, negotiate
from feedd.amqp.protocol.login import Login
from feedd.amqp.protocol.methods import SPEC
from feedd.reactor.complaints import Complain

FRAME_MAX = 131_072
CHANNEL_MAX = 2_047


class Client(AMQClient):  # type: ignore[misc]  # txAMQP has no types
    """
    A connection to the broker, usable after `open`.

    :ivar blocked: why the broker reads nothing from us at the moment, or None.
    :ivar trouble: why the connection ended, "" before; it never holds a secret.
    """

    channelClass = Channel
    delegate: Delegate
    channels: dict[int, Channel]

    def __init__(
        self,
        login: Login,
        clock: IReactorTime,
        delivered: Delivered,
        complain: Complain,
        heartbeat_seconds: int = 10,
        timeout_seconds: float = 5.0,
    ) -> None:
        # txAMQP's own heartbeat reschedules a timer for each frame, so it is told of none.
        super().__init__(Delegate(), login.vhost, SPEC, heartbeat=0, clock=clock)
        self.closed = False
        self.login = login
        self.complain = complain
        self.heartbeat_seconds = heartbeat_seconds
        self.timeout_seconds = timeout_seconds
        self.frame_max = FRAME_MAX
        self.channel_max = CHANNEL_MAX
        self.blocked: str | None = None
        self.on_blocked: Callable[[], None] = lambda: None
        self.trouble = ""
        self.reader = FrameReader(delivered, self._received, complain, FRAME_MAX)
        self._heartbeat = Heartbeat(
            clock, lambda: self.write(HEARTBEAT), lambda: self.fail("no heartbeat from the broker")
        )
        self._last_number = 0
        self._control: Channel = self._make_channel(0, ChannelObserver())

    async def open(self) -> None:
        """
        Log in and open the virtual host.

        :raises Closed: when the broker refuses, or does not answer within `timeout_seconds`; the
            connection is gone then.
        """
        opening = Deferred.fromCoroutine(self._open())
        try:
            await opening.addTimeout(self.timeout_seconds, self.clock)
        except TooLate:
            self.fail("the broker did not finish the handshake in time")
            raise Closed(self.trouble) from None

    async def open_channel(self, observer: ChannelObserver) -> Channel:
        """
        Open a channel with a number that has not been used for as long as possible.

        :raises Closed: when the connection is closed or has no number left.
        :raises TimeoutError: when the broker does not answer.
        """
        if self.closed:
            raise Closed(self.trouble)
        channel = self._make_channel(self._next_number(), observer)
        await channel.channel_open()
        return channel

    def write(self, data: bytes) -> None:
        """Send whole frames."""
        self._heartbeat.wrote = True
        self.transport.write(data)

    def fail(self, why: str) -> None:
        """End the connection at once, for a reason of our own."""
        self.do_close(Closed(why))
        self.transport.abortConnection()

    async def when_lost(self) -> str:
        """`trouble`, when the connection has ended."""
        await self.disconnected.wait()
        return self.trouble

    def close(self, reason: Any = None, within_seconds: float = 0) -> Deferred[None]:
        """
        End the connection. Never fails.

        :param within_seconds: how long to wait for the answer to AMQP's farewell; 0 for none.
        """
        return Deferred.fromCoroutine(
            self._close(reason or Failure(ConnectionDone()), within_seconds)
        )

    def do_close(self, reason: Any) -> None:
        """
        The connection is over, for `reason`: a message of the broker, a Failure or an exception.
        May be called again.
        """
        if self.closed:
            return
        self.closed = True
        self.trouble = self.trouble or describe(reason)
        self._heartbeat.stop()
        channels, self.channels = self.channels, {}
        for channel in channels.values():
            channel.do_close(reason)
        self.delegate.close(reason)

    def channel_failed(self, channel: Channel, reason: Failure) -> None:
        """A channel is closed that we did not close; also when the connection goes."""
        try:
            channel.observer.failed(closed_error(reason.value))
        except Exception as error:
            self.complain("amqp_errors", f"an observer failed: {error!r}")

    def expect_close_ok(self, channel: Channel) -> None:
        """Keep the number of a channel that we have closed out of use until the broker agrees."""
        self.channels[channel.id] = _Closing(channel.id, self.outgoing, self)

    def forget(self, channel: Channel) -> None:
        """The number of this channel is free again."""
        self.channels.pop(channel.id, None)

    def tune(self, channel_max: int, frame_max: int, heartbeat: int) -> tuple[int, int, int]:
        """
        Settle on limits that both sides can live with (0: no limit of one's own), and begin the
        heartbeat.
        """
        self.channel_max = negotiate(CHANNEL_MAX, channel_max)
        self.frame_max = self.reader.frame_max = negotiate(FRAME_MAX, frame_max)
        heartbeat = negotiate(self.heartbeat_seconds, heartbeat)
        self._heartbeat.start(heartbeat)
        return self.channel_max, self.frame_max, heartbeat

    def set_blocked(self, reason: str | None) -> None:
        """The broker has stopped, or begun again, to read from us."""
        self.blocked = reason
        self.on_blocked()

    def connectionMade(self) -> None:
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)
        self.write(PROTOCOL_HEADER)

    def dataReceived(self, data: bytes) -> None:
        if self.closed:
            return
        self._heartbeat.heard = True
        try:
            self.reader.feed(data)
        except FrameError as error:
            self.fail(str(error))

    def connectionLost(self, reason: Failure) -> None:
        self.do_close(reason)
        self.disconnected.fire()

    def _received(self, number: int, method: Any, args: tuple[Any, ...]) -> None:
        channel = self.channels.get(number)
        if channel is None:
            self.complain(
                "amqp_stray_frames",
                f"{method.klass.name}.{method.name} on a channel that is closed",
            )
        else:
            channel.take(method, args)

    def _make_channel(self, number: int, observer: ChannelObserver) -> Channel:
        channel: Channel = self.channelFactory(number, self.outgoing, self)
        channel.observer = observer
        self.channels[number] = channel
        return channel

    def _next_number(self) -> int:
        for _ in range(self.channel_max):
            self._last_number = self._last_number % self.channel_max + 1
            if self._last_number not in self.channels:
                return self._last_number
        raise Closed("no channel number is left")

    async def _open(self) -> None:
        await self.started.wait()
        await self._control.connection_open(virtual_host=self.login.vhost)

    async def _close(self, reason: Any, within_seconds: float) -> None:
        if within_seconds and not self.closed:
            farewell: Deferred[Any] = self._control.connection_close(
                reply_code=200, reply_text="bye"
            )
            with suppress(Closed, TooLate):
                await farewell.addTimeout(within_seconds, self.clock)
        self.do_close(reason)
        self.transport.abortConnection()


class _Closing(Channel):
    """
    The number of a channel that we have closed: all that comes for it is dropped until the broker's
    close-ok.
    """

    def take(self, method: Any, args: tuple[Any, ...]) -> None:
        name = f"{method.klass.name}.{method.name}"
        if name == "channel.close":
            self.send("channel.close-ok")
        elif name == "channel.close-ok":
            self.client.forget(self)
