"""
The other end of an AMQP connection, for tests without a socket.

Frames are made and read by pika, so that our packing is checked by somebody else's. `Peer` is moved
by hand; `FakeRabbit` answers like a small RabbitMQ.
"""

from collections.abc import Callable
from typing import Any

from pika import frame, spec
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from feedd.amqp.protocol.channel import Channel, ChannelObserver
from feedd.amqp.protocol.client import Client
from feedd.amqp.protocol.login import Login

LOGIN = Login("feedd", "s3cret", "/")
QUEUE = "amq.gen-1"
FRAME_MAX = 131_072


def method_frame(channel: int, method: Any) -> bytes:
    """The frame of a pika method."""
    return bytes(frame.Method(channel, method).marshal())


def content_frames(
    channel: int, body: bytes, properties: Any = None, piece: int = FRAME_MAX - 8
) -> bytes:
    """Header and body frames, the body cut into pieces."""
    header = frame.Header(channel, len(body), properties or spec.BasicProperties()).marshal()
    pieces = [
        frame.Body(channel, body[at : at + piece]).marshal() for at in range(0, len(body), piece)
    ]
    return bytes(b"".join([header, *pieces]))


def delivery(
    body: bytes,
    exchange: str = "alice_feedExchange",
    routing_key: str = "alice",
    properties: Any = None,
    channel: int = 1,
    piece: int = FRAME_MAX - 8,
) -> bytes:
    """A message as the broker sends it."""
    deliver = spec.Basic.Deliver("ctag1", 7, False, exchange, routing_key)
    return method_frame(channel, deliver) + content_frames(channel, body, properties, piece)


def read_frames(data: bytes) -> list[Any]:
    """What was sent, as pika frames, without the protocol header in front."""
    data = data.removeprefix(b"AMQP\0\0\x09\x01")
    frames = []
    at = 0
    while at < len(data):
        end = at + 8 + int.from_bytes(data[at + 3 : at + 7], "big")
        used, read = frame.decode_frame(data[at:end])
        assert read is not None and used == end - at, data[at:end]
        frames.append(read)
        at = end
    return frames


class Wire:
    """
    A transport that remembers what is written, and hangs up a turn of the clock after it was told
    to.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.data = b""
        self.writes = 0
        self.ended = ""
        self.disconnecting = False
        self.protocol: Any = None

    def write(self, data: bytes) -> None:
        if not self.ended:
            self.data += data
            self.writes += 1

    def take(self) -> bytes:
        """What was written since the last time."""
        data, self.data = self.data, b""
        return data

    def loseConnection(self) -> None:
        self._end("lost", Failure(ConnectionDone()))

    def abortConnection(self) -> None:
        self._end("aborted", Failure(ConnectionLost()))

    def hang_up(self) -> None:
        """The other side closes the connection."""
        self._end("hung up", Failure(ConnectionLost()))

    def _end(self, how: str, reason: Failure) -> None:
        self.disconnecting = True
        if self.ended:
            self.ended = how if how == "aborted" else self.ended
            return
        self.ended = how
        self.clock.callLater(0, self.protocol.connectionLost, reason)


class Peer:
    """
    A client and, at the other end, the test.

    :ivar delivered: every message the client delivered.
    :ivar complaints: every complaint, ``(counter, why)``.
    """

    def __init__(self, client: Any = None, **settings: Any) -> None:
        self.clock = Clock()
        self.delivered: list[tuple[bytes, bytes, bytes, bytes]] = []
        self.complaints: list[tuple[str, str]] = []
        self.client: Any = client or Client(
            LOGIN,
            self.clock,  # type: ignore[arg-type]
            lambda *message: self.delivered.append(message),
            self.complain,
            **{"heartbeat_seconds": 0, **settings},
        )
        self.wire = Wire(self.clock)
        self.wire.protocol = self.client
        self.client.makeConnection(self.wire)

    def complain(self, counter: str, why: str, amount: int = 1) -> None:
        self.complaints.append((counter, why))

    def sent(self) -> list[Any]:
        """The frames sent since the last call."""
        return read_frames(self.wire.take())

    def methods(self) -> list[Any]:
        """The methods sent since the last call."""
        return [read.method for read in self.sent() if isinstance(read, frame.Method)]

    def say(self, channel: int, *methods: Any) -> None:
        """The broker says this."""
        for method in methods:
            self.client.dataReceived(method_frame(channel, method))

    def start(self) -> None:
        """The broker's first word."""
        self.say(0, spec.Connection.Start(0, 9, {"product": "RabbitMQ"}, "PLAIN AMQPLAIN", "en_US"))

    def handshake(
        self, channel_max: int = 2047, frame_max: int = FRAME_MAX, heartbeat: int = 0
    ) -> "Deferred[None]":
        """Open the connection."""
        opening = Deferred.fromCoroutine(self.client.open())
        self.start()
        self.say(
            0, spec.Connection.Tune(channel_max, frame_max, heartbeat), spec.Connection.OpenOk()
        )
        self.sent()
        return opening

    def channel(self, observer: ChannelObserver | None = None) -> Channel:
        """Open a channel."""
        opening = Deferred.fromCoroutine(self.client.open_channel(observer or ChannelObserver()))
        (request,) = self.sent()
        self.say(request.channel_number, spec.Channel.OpenOk())
        opened: list[Channel] = []
        opening.addCallback(opened.append)
        return opened[0]


class FakeRabbit:
    """
    An endpoint whose connections are answered like RabbitMQ answers; `run` lets all that is on its
    way arrive.

    :ivar exchanges: name to durable.
    :ivar bindings: the exchanges bound to the queue of the last connection.
    :ivar published: ``(exchange, routing key, properties, body)`` of every message.
    :ivar heard: the names of all methods that arrived, in order; `calls` the methods themselves.
    :ivar refuse: while True nobody listens.
    :ivar silent: the names of methods that are not answered.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.exchanges: dict[str, bool] = {}
        self.forbidden: set[str] = set()
        self.bindings: set[str] = set()
        self.published: list[tuple[str, str, Any, bytes]] = []
        self.heard: list[str] = []
        self.calls: list[Any] = []
        self.refuse = False
        self.silent: set[str] = set()
        self.confirms = True
        self.wires: list[Wire] = []
        self._on_its_way: list[tuple[Wire, bytes]] = []
        self._contents: dict[int, list[Any]] = {}
        self._closing: set[int] = set()
        self._tags: dict[int, int] = {}

    def connect(self, factory: Any) -> "Deferred[Any]":
        if self.refuse:
            return fail(ConnectionRefusedError())
        wire = Wire(self.clock)
        wire.protocol = factory.buildProtocol(None)
        self.wires.append(wire)
        self._contents, self._closing, self._tags, self.bindings = {}, set(), {}, set()
        wire.protocol.makeConnection(wire)
        self.say(0, spec.Connection.Start(0, 9, {}, "PLAIN", "en_US"))
        return succeed(wire.protocol)

    def say(self, channel: int, *methods: Any) -> None:
        """Tell the newest connection something; it arrives with `run`."""
        data = b"".join(method_frame(channel, method) for method in methods)
        self._on_its_way.append((self.wires[-1], data))

    def deliver(self, *args: Any, **kwargs: Any) -> None:
        """Send the newest connection a message now."""
        self.wires[-1].protocol.dataReceived(delivery(*args, **kwargs))

    def close_channel(self, number: int, code: int, text: str) -> None:
        """Close a channel as after an error."""
        self._closing.add(number)
        self._contents.pop(number, None)
        self.say(number, spec.Channel.Close(code, text, 0, 0))

    def run(self) -> None:
        """Let everything arrive until nothing is on its way."""
        for _ in range(2000):
            wire = self.wires[-1] if self.wires else None
            data = wire.take() if wire else b""
            for read in read_frames(data):
                self._take(read)
            arrived = self.arrive()
            if not (data or arrived or self._is_due()):
                return
            self.clock.advance(0)
        raise AssertionError("it never ends")

    def arrive(self) -> bool:
        """Let what RabbitMQ has said arrive at the client; whether there was anything."""
        arriving, self._on_its_way = self._on_its_way, []
        for wire, answer in arriving:
            if not wire.ended:
                wire.protocol.dataReceived(answer)
        return bool(arriving)

    def pass_time(self, seconds: float, step: float = 0.5) -> None:
        """Let `seconds` pass, in steps, with everything arriving in between."""
        for _ in range(int(seconds / step)):
            self.clock.advance(step)
            self.run()

    def _is_due(self) -> bool:
        """Whether something is to happen at this moment."""
        now = self.clock.seconds()
        return any(call.getTime() <= now for call in self.clock.getDelayedCalls())

    def _take(self, read: Any) -> None:
        number = read.channel_number
        if isinstance(read, frame.Method):
            self.heard.append(read.method.NAME)
            self.calls.append(read.method)
            if number in self._closing:
                if read.method.NAME == "Channel.CloseOk":
                    self._closing.discard(number)
            elif read.method.NAME not in self.silent:
                self._answer(number, read.method)
        elif isinstance(read, frame.Header) and number in self._contents:
            self._contents[number] += [read, b""]
        elif isinstance(read, frame.Body) and number in self._contents:
            self._contents[number][2] += read.fragment
            self._publish(number, *self._contents[number])

    def _publish(self, number: int, publish: Any, header: Any, body: bytes) -> None:
        if len(body) < header.body_size:
            return
        if publish.exchange and publish.exchange not in self.exchanges:
            self._missing(number, publish.exchange)
            return
        del self._contents[number]
        self.published.append((publish.exchange, publish.routing_key, header.properties, body))
        if number in self._tags and self.confirms:
            self._tags[number] += 1
            self.say(number, spec.Basic.Ack(self._tags[number], False))
        if publish.exchange in self.bindings or publish.routing_key == QUEUE:
            data = delivery(body, publish.exchange, publish.routing_key, header.properties)
            self._on_its_way.append((self.wires[-1], data))

    def _answer(self, number: int, method: Any) -> None:
        answers: dict[str, Callable[[], Any]] = {
            "Connection.StartOk": lambda: spec.Connection.Tune(2047, FRAME_MAX, 0),
            "Connection.Open": spec.Connection.OpenOk,
            "Connection.Close": spec.Connection.CloseOk,
            "Channel.Open": spec.Channel.OpenOk,
            "Channel.Close": spec.Channel.CloseOk,
            "Confirm.Select": spec.Confirm.SelectOk,
            "Queue.Declare": lambda: spec.Queue.DeclareOk(QUEUE, 0, 0),
            "Queue.Unbind": spec.Queue.UnbindOk,
            "Basic.Consume": lambda: spec.Basic.ConsumeOk("ctag1"),
        }
        if method.NAME == "Basic.Publish":
            self._contents[number] = [method]
        elif method.NAME == "Exchange.Declare":
            self._declare(number, method)
        elif method.NAME == "Queue.Bind":
            self._bind(number, method)
        elif method.NAME == "Queue.Unbind" and method.exchange not in self.exchanges:
            self._missing(number, method.exchange)
        elif method.NAME in answers:
            if method.NAME == "Confirm.Select":
                self._tags[number] = 0
            if method.NAME == "Queue.Unbind":
                self.bindings.discard(method.exchange)
            self.say(number, answers[method.NAME]())

    def _missing(self, number: int, exchange: str) -> None:
        self.close_channel(number, 404, f"NOT_FOUND - no exchange '{exchange}' in vhost '/'")

    def _declare(self, number: int, method: Any) -> None:
        name = method.exchange
        if method.passive and name not in self.exchanges:
            self._missing(number, name)
        elif not method.passive and name in self.forbidden:
            self.close_channel(number, 403, f"ACCESS_REFUSED - exchange '{name}'")
        elif (
            not method.passive and self.exchanges.setdefault(name, method.durable) != method.durable
        ):
            self.close_channel(
                number,
                406,
                f"PRECONDITION_FAILED - inequivalent arg 'durable' for exchange '{name}'",
            )
        elif not method.nowait:
            self.say(number, spec.Exchange.DeclareOk())

    def _bind(self, number: int, method: Any) -> None:
        if method.exchange not in self.exchanges:
            self._missing(number, method.exchange)
            return
        self.bindings.add(method.exchange)
        if not method.nowait:
            self.say(number, spec.Queue.BindOk())
