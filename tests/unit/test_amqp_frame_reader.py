"""
The reader gives what a slow and plain one gives, however the stream is cut, and survives what is
not AMQP.
"""

import random
from typing import Any

from pika import frame, spec
from twisted.trial.unittest import SynchronousTestCase

from feedd.amqp.protocol.frame_reader import MAX_BODY, FrameError, FrameReader
from tests.unit.amqp_peer import FRAME_MAX, content_frames, delivery, method_frame, read_frames

Message = tuple[bytes, bytes, bytes, bytes]


class Heard:
    """A reader and all that it said."""

    def __init__(self) -> None:
        self.delivered: list[Message] = []
        self.received: list[tuple[int, str, tuple[Any, ...]]] = []
        self.dropped: list[str] = []
        self.reader = FrameReader(
            self._delivered,
            self._received,
            lambda counter, why: self.dropped.append(counter),
            FRAME_MAX,
        )

    def _delivered(self, *message: Any) -> None:
        self.delivered.append(message)

    def _received(self, channel: int, method: Any, args: tuple[Any, ...]) -> None:
        self.received.append((channel, f"{method.klass.name}.{method.name}", args))


def plain(stream: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """What pika makes of the deliveries in `stream`, one frame at a time."""
    messages: list[tuple[bytes, bytes, bytes]] = []
    contents: dict[int, list[Any]] = {}
    for read in read_frames(stream):
        if isinstance(read, frame.Method) and isinstance(read.method, spec.Basic.Deliver):
            contents[read.channel_number] = [read.method, None, b""]
        elif isinstance(read, frame.Header):
            contents[read.channel_number][1] = read
        elif isinstance(read, frame.Body):
            contents[read.channel_number][2] += read.fragment
        for channel, (method, header, body) in list(contents.items()):
            if header is not None and len(body) == header.body_size:
                messages.append((method.exchange.encode(), method.routing_key.encode(), body))
                del contents[channel]
    return messages


def some_stream(chance: random.Random) -> bytes:
    """
    Messages of all sizes, on two channels, in one or several frames, with heartbeats and methods in
    between.
    """
    parts = []
    for _ in range(chance.randint(1, 8)):
        body = chance.randbytes(chance.choice((0, 1, 7, 60, 300)))
        properties = spec.BasicProperties(
            message_id="x" * chance.randint(0, 9), headers=chance.choice((None, {"a": 1}))
        )
        exchange, key = "e" * chance.choice((0, 1, 255)), "k" * chance.choice((0, 5, 255))
        parts.append(
            delivery(
                body,
                exchange,
                key,
                properties,
                chance.choice((1, 2)),
                chance.choice((1000, 50, 300)),
            )
        )
        if chance.random() < 0.3:
            parts.append(frame.Heartbeat().marshal())
        if chance.random() < 0.3:
            parts.append(method_frame(3, spec.Basic.Ack(chance.randint(0, 9), True)))
    return b"".join(parts)


class ReaderTests(SynchronousTestCase):
    """`FrameReader`."""

    def test_every_cut(self) -> None:
        """A stream cut at any byte gives the same as the whole one."""
        stream = (
            delivery("é😀".encode())
            + method_frame(3, spec.Basic.Ack(1, False))
            + delivery(b"x" * 20, piece=7)
        )
        for cut in range(len(stream) + 1):
            heard = Heard()
            heard.reader.feed(stream[:cut])
            heard.reader.feed(stream[cut:])
            self.assertEqual(
                [message[3] for message in heard.delivered], ["é😀".encode(), b"x" * 20]
            )
            self.assertEqual(heard.received, [(3, "basic.ack", (1, False))])
            self.assertEqual(heard.reader.deliveries, 2)

    def test_byte_by_byte(self) -> None:
        """It may come one byte at a time."""
        heard = Heard()
        for byte in delivery(b"one") + delivery(b"two"):
            heard.reader.feed(bytes((byte,)))
        self.assertEqual([message[3] for message in heard.delivered], [b"one", b"two"])

    def test_same_as_the_plain_way(self) -> None:
        """Three hundred random streams, cut at random."""
        chance = random.Random(5)
        for _ in range(300):
            stream, heard, at = some_stream(chance), Heard(), 0
            while at < len(stream):
                step = chance.choice((1, 10, 100, 1000))
                heard.reader.feed(stream[at : at + step])
                at += step
            self.assertEqual([(e, k, body) for e, k, _, body in heard.delivered], plain(stream))
            self.assertEqual(heard.dropped, [])

    def test_contents_of_two_channels_interleaved(self) -> None:
        """Frames of another channel may stand inside a message."""
        heard = Heard()
        one, two = delivery(b"one", channel=1), delivery(b"two", channel=2)
        at, also = one.index(b"\xce") + 1, two.index(b"\xce") + 1
        heard.reader.feed(one[:at] + two[:also] + one[at:] + two[also:])
        self.assertEqual([message[3] for message in heard.delivered], [b"one", b"two"])

    def test_properties_are_passed_on_as_bytes(self) -> None:
        """Flags and values, the same on the fast and on the slow path."""
        stream, heard = delivery(b"xy", properties=spec.BasicProperties(message_id="5")), Heard()
        heard.reader.feed(stream)
        heard.reader.feed(stream[:-1])
        heard.reader.feed(stream[-1:])
        self.assertEqual([message[2] for message in heard.delivered], [b"\x00\x80\x015"] * 2)

    def test_observer_that_raises(self) -> None:
        """An error of the callable is counted, and the next message arrives."""
        bodies: list[bytes] = []

        def deliver(exchange: bytes, key: bytes, header: bytes, body: bytes) -> None:
            bodies.append(body)
            raise IndexError(body)

        dropped: list[str] = []
        reader = FrameReader(
            deliver, lambda *args: None, lambda counter, why: dropped.append(counter), FRAME_MAX
        )
        reader.feed(delivery(b"one") + delivery(b"two") + delivery(b"three", piece=2))
        self.assertEqual(bodies, [b"one", b"two", b"three"])
        self.assertEqual(dropped, ["amqp_errors"] * 3)

    def test_body_over_the_limit(self) -> None:
        """Is counted and thrown away as it comes; the next message arrives."""
        heard = Heard()
        heard.reader.feed(delivery(b"x" * (MAX_BODY + 1)) + delivery(b"y"))
        self.assertEqual(
            (heard.dropped, [message[3] for message in heard.delivered]),
            (["amqp_too_large"], [b"y"]),
        )

    def test_largest_body(self) -> None:
        """A body of just the limit arrives."""
        heard = Heard()
        heard.reader.feed(delivery(b"x" * MAX_BODY))
        self.assertEqual(len(heard.delivered[0][3]), MAX_BODY)

    def test_unknown_method(self) -> None:
        """Is counted, and so are header and body behind it; the next message arrives."""
        heard = Heard()
        stray = b"\x01\0\x01\0\0\0\x04\0\x3c\0\xff\xce" + content_frames(1, b"lost")
        heard.reader.feed(stray + delivery(b"y"))
        self.assertEqual(
            heard.dropped, ["amqp_unknown_methods", "amqp_stray_frames", "amqp_stray_frames"]
        )
        self.assertEqual([message[3] for message in heard.delivered], [b"y"])

    def test_returned_message(self) -> None:
        """
        Another method with content is told when its content is through, and that is not delivered.
        """
        heard = Heard()
        heard.reader.feed(
            method_frame(1, spec.Basic.Return(312, "NO_ROUTE", "e", "k"))
            + content_frames(1, b"back")
        )
        self.assertEqual(heard.received, [(1, "basic.return", (312, b"NO_ROUTE", b"e", b"k"))])
        self.assertEqual(heard.delivered, [])

    def test_content_cut_short(self) -> None:
        """A channel that is closed inside a message leaves nothing behind."""
        heard = Heard()
        begun = method_frame(1, spec.Basic.Deliver("t", 1, False, "e", "k"))
        heard.reader.feed(
            begun + method_frame(1, spec.Channel.Close(500, "x", 0, 0)) + delivery(b"y")
        )
        self.assertEqual(heard.received[0][1], "channel.close")
        self.assertEqual([message[3] for message in heard.delivered], [b"y"])

    def test_nothing_is_left_of_a_closed_channel(self) -> None:
        """A header for a message whose channel was closed belongs to nobody."""
        heard = Heard()
        begun = method_frame(1, spec.Basic.Deliver("t", 1, False, "e", "k"))
        heard.reader.feed(
            begun + method_frame(1, spec.Channel.Close(500, "x", 0, 0)) + content_frames(1, b"y")
        )
        self.assertEqual((heard.delivered, heard.dropped), ([], ["amqp_stray_frames"] * 3))

    def test_message_inside_a_message(self) -> None:
        """
        A message that begins on the same channel ends the one before, which never gets another's
        content.
        """
        heard = Heard()
        begun = method_frame(1, spec.Basic.Deliver("t", 1, False, "stale", "k"))
        heard.reader.feed(begun + delivery(b"y"))
        heard.reader.feed(delivery(b"z"))
        self.assertEqual([message[0] for message in heard.delivered], [b"alice_feedExchange"] * 2)
        self.assertEqual(heard.dropped, ["amqp_stray_frames"])

    def test_header_of_another_channel(self) -> None:
        """Is not taken for this one's."""
        begun = method_frame(1, spec.Basic.Deliver("t", 1, False, "e", "k"))
        header = frame.Header(2, 3, spec.BasicProperties()).marshal()
        heard = Heard()
        self.assertRaises(
            FrameError, heard.reader.feed, begun + header + frame.Body(1, b"xyz").marshal()
        )
        self.assertEqual(heard.delivered, [])

    def test_not_amqp(self) -> None:
        """What cannot be read any further is said, with a reason."""
        good = delivery(b"xyz")
        for stream, why in (
            (b"AMQP\0\0\x09\x01", "protocol"),
            (b"HTTP/1.1 400 Bad Request\r\n", "frame type"),
            (good[:-1] + b"x", "without its end"),
            (b"\x01\0\x01\0\x10\0\0", "bytes"),
            (b"\x01\0\x01\xff\xff\xff\xff\0", "bytes"),
            (good[:-4] + content_frames(1, b"xyz"), "without its end"),
        ):
            with self.assertRaises(FrameError) as caught:
                Heard().reader.feed(stream + b"\0" * 40)
            self.assertIn(why, str(caught.exception))

    def test_contents_out_of_order(self) -> None:
        """
        A body before its header, two headers, or a body longer than announced: the stream is
        broken.
        """
        begun = method_frame(1, spec.Basic.Deliver("t", 1, False, "e", "k"))
        header = frame.Header(1, 2, spec.BasicProperties()).marshal()
        body = frame.Body(1, b"xyz").marshal()
        without_flags = b"\2\0\1\0\0\0\x0c\0\x3c\0\0" + (3).to_bytes(8, "big") + b"\xce"
        self.assertRaises(FrameError, Heard().reader.feed, begun + without_flags + body)
        for stream in (
            begun + body,
            begun + header + header,
            begun + header + body,
            begun + b"\2\0\1\0\0\0\2\0\0\xce",
        ):
            self.assertRaises(FrameError, Heard().reader.feed, stream)

    def test_damaged_delivery(self) -> None:
        """
        A byte changed anywhere, in turn to many values, never raises anything but `FrameError`.
        """
        stream = delivery(
            b"0123456789", properties=spec.BasicProperties(message_id="5")
        ) + delivery(b"y")
        for at in range(len(stream)):
            for value in (0, 1, 2, 3, 60, 127, 206, 255):
                heard = Heard()
                try:
                    heard.reader.feed(stream[:at] + bytes((value,)) + stream[at + 1 :])
                except FrameError:
                    continue
                self.assertLessEqual(len(heard.delivered), 2)

    def test_heartbeat(self) -> None:
        """Says nothing."""
        heard = Heard()
        heard.reader.feed(frame.Heartbeat().marshal())
        self.assertEqual((heard.received, heard.dropped), ([], []))
