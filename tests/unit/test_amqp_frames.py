"""The method table and the packing of frames, checked against pika's own table."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pika import spec
from twisted.trial.unittest import SynchronousTestCase

from feedd.amqp.protocol.frames import (
    Unpackable,
    Unreadable,
    pack_content,
    pack_method,
    pack_properties,
    unpack_method,
    unpack_properties,
)
from feedd.amqp.protocol.methods import BASIC, METHODS, SIGNATURES
from tests.unit.amqp_peer import method_frame, read_frames


def theirs(name: str) -> Any:
    """pika's method of this name."""
    klass, _, method = name.partition(".")
    camel = "".join(word.capitalize() for word in method.split("-"))
    return getattr(getattr(spec, klass.capitalize()), camel)


class TableTests(SynchronousTestCase):
    """`feedd.amqp.protocol.methods`."""

    def test_numbers_are_pikas(self) -> None:
        """Every method has the number that pika knows it by."""
        for name, method in METHODS.items():
            self.assertEqual(theirs(name).INDEX, method.klass.id << 16 | method.id, name)

    def test_what_is_synchronous(self) -> None:
        """A method that we call and wait for has an answer in the table."""
        for name in (
            "channel.open",
            "exchange.declare",
            "queue.bind",
            "queue.unbind",
            "basic.consume",
            "confirm.select",
        ):
            self.assertEqual(
                [answer.name for answer in METHODS[name].responses], [f"{METHODS[name].name}-ok"]
            )
        self.assertEqual(METHODS["basic.publish"].responses, [])

    def test_nowait_has_the_name_that_is_looked_for(self) -> None:
        """Else a call without an answer would wait for one for ever."""
        for name in (
            "exchange.declare",
            "queue.bind",
            "queue.declare",
            "basic.consume",
            "basic.cancel",
            "confirm.select",
        ):
            self.assertIn("nowait", dict(SIGNATURES[name]))


class MethodTests(SynchronousTestCase):
    """`pack_method` and `unpack_method`."""

    def test_pika_reads_what_we_write(self) -> None:
        """Every field arrives, each bit in its place."""
        for passive, durable, auto_delete, internal, nowait in (
            (1, 0, 1, 0, 1),
            (0, 1, 0, 1, 0),
            (0, 0, 0, 0, 1),
        ):
            bits = (bool(passive), bool(durable), bool(auto_delete), bool(internal), bool(nowait))
            packed = pack_method(
                3, METHODS["exchange.declare"], (0, "é_feedExchange", b"fanout", *bits, {"a": 1})
            )
            (read,) = read_frames(packed)
            method = read.method
            self.assertEqual(read.channel_number, 3)
            self.assertEqual(
                (method.exchange, method.type, method.arguments),
                ("é_feedExchange", "fanout", {"a": 1}),
            )
            self.assertEqual(
                (
                    method.passive,
                    method.durable,
                    method.auto_delete,
                    method.internal,
                    method.nowait,
                ),
                bits,
            )

    def test_we_read_what_pika_writes(self) -> None:
        """Strings arrive as bytes; bits between other fields do not shift them."""
        for method, args in (
            (spec.Basic.Deliver("tag", 2**40, True, "é", "k"), (b"tag", 2**40, True, "é".encode(),
            b"k")),
            (spec.Basic.Nack(5, True, False), (5, True, False)),
            (spec.Queue.DeclareOk("q", 3, 4), (b"q", 3, 4)),
            (spec.Connection.Tune(1, 2, 3), (1, 2, 3)),
            (spec.Basic.Consume(0, "q", "t", True, False, True, False, {"x": True}),
             (0, b"q", b"t", True, False, True, False, {"x": True})),
        ):  # fmt: skip
            unpacked = unpack_method(method_frame(1, method)[7:-1])
            self.assertEqual(unpacked[1], args)

    def test_what_has_no_form(self) -> None:
        """An argument of the wrong type, size or number is an error of the caller."""
        bind = METHODS["queue.bind"]
        for args in (
            (0, "q" * 256, "", "", False, {}),
            (0, None, "", "", False, {}),
            (70_000, "", "", "", False, {}),
            (0,),
        ):
            self.assertRaises(Unpackable, pack_method, 1, bind, args)

    def test_short_string_is_short_in_bytes(self) -> None:
        """128 characters of two bytes are too long; 127 of them are not."""
        bind = METHODS["queue.bind"]
        self.assertRaises(Unpackable, pack_method, 1, bind, (0, "é" * 128, "", "", False, {}))
        pack_method(1, bind, (0, "é" * 127, "", "", False, {}))

    def test_cut_anywhere(self) -> None:
        """A method frame that is too short is unreadable, and nothing else happens."""
        whole = method_frame(1, spec.Basic.Deliver("tag", 1, False, "exchange", "key"))[7:-1]
        for end in range(len(whole)):
            self.assertRaises(Unreadable, unpack_method, whole[:end])

    def test_unknown_method(self) -> None:
        """A method that is not in the table is unreadable."""
        self.assertRaises(Unreadable, unpack_method, b"\0\x3c\0\xff")


class ContentTests(SynchronousTestCase):
    """`pack_content` and properties."""

    def test_pieces(self) -> None:
        """A body is cut so that no frame is over the limit, and an empty one has no body frame."""
        for size, pieces in ((0, 0), (1, 1), (4088, 1), (4089, 2), (9000, 3)):
            packed = pack_content(1, BASIC, pack_properties(BASIC, {}), b"x" * size, 4096)
            header, *bodies = read_frames(packed)
            self.assertEqual((header.body_size, len(bodies)), (size, pieces))
            self.assertEqual(b"".join(body.fragment for body in bodies), b"x" * size)
            self.assertTrue(all(len(body.fragment) <= 4088 for body in bodies))

    def test_properties_are_what_pika_reads(self) -> None:
        """All fourteen of them."""
        properties = {
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": {"a": [1, "😀"]},
            "delivery-mode": 1,
            "priority": 2,
            "correlation-id": "c",
            "reply-to": "r",
            "expiration": "5",
            "message-id": "é",
            "timestamp": 2**40,
            "type": "post",
            "user-id": "u",
            "app-id": "feedd",
            "cluster-id": "x",
        }
        (header,) = read_frames(
            pack_content(1, BASIC, pack_properties(BASIC, properties), b"", 4096)
        )
        named = {name.replace("-", "_"): value for name, value in properties.items()}
        self.assertEqual(header.properties, spec.BasicProperties(**named))

    def test_unknown_property(self) -> None:
        """A misspelt property is an error, not a message without it."""
        self.assertRaises(Unpackable, pack_properties, BASIC, {"delivery_mode": 1})

    def test_round_trip(self) -> None:
        """Only the properties that are there are read."""
        header = pack_properties(BASIC, {"message-id": b"5", "timestamp": 7})
        self.assertEqual(unpack_properties(BASIC, header), {"message-id": b"5", "timestamp": 7})

    def test_further_flags_are_passed_over(self) -> None:
        """A second word of flags does not shift the values."""
        self.assertEqual(unpack_properties(BASIC, b"\x00\x81\x00\x00\x015"), {"message-id": b"5"})

    @given(st.binary(max_size=60))
    def test_any_header(self, garbage: bytes) -> None:
        """No header makes it raise."""
        self.assertIsInstance(unpack_properties(BASIC, garbage), dict)
