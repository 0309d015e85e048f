"""
Field tables: everything RabbitMQ sends is read, nothing that strangers send is fatal, what we send
is what others read.
"""

import struct
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pika import data
from twisted.trial.unittest import SynchronousTestCase

from feedd.amqp.protocol.fields import MAX_DEPTH, decode_table, encode_table


def pair(name: bytes, value: bytes) -> bytes:
    """A name and an encoded value."""
    return bytes((len(name),)) + name + value


def sized(letter: bytes, body: bytes) -> bytes:
    """A value with its length in front."""
    return letter + struct.pack(">I", len(body)) + body


class DecodeTests(SynchronousTestCase):
    """`decode_table`."""

    def assertReads(self, encoded: bytes, value: object) -> None:
        table = decode_table(pair(b"k", encoded) + pair(b"after", b"t\1"))
        self.assertEqual(table, {"k": value, "after": True})

    def test_numbers(self) -> None:
        """Every number has its width and sign."""
        for encoded, value in (
            (b"b\xff", -1),
            (b"B\xff", 255),
            (b"s\xff\xfe", -2),
            (b"U\xff\xfe", -2),
            (b"u\xff\xfe", 65534),
            (b"I\xff\xff\xff\xff", -1),
            (b"i\xff\xff\xff\xff", 2**32 - 1),
            (b"l" + b"\xff" * 8, -1),
            (b"L\x7f" + b"\xff" * 7, 2**63 - 1),
            (b"f" + struct.pack(">f", 0.5), 0.5),
            (b"d" + struct.pack(">d", 0.1), 0.1),
            (b"T" + struct.pack(">Q", 2**63), 2**63),
            (b"D\x02\x00\x00\x00\x7b", Decimal("1.23")),
            (b"D\x02\xff\xff\xff\x85", Decimal("-1.23")),
        ):
            self.assertReads(encoded, value)

    def test_words(self) -> None:
        """Strings stay bytes, whatever is in them; a void is None."""
        self.assertReads(sized(b"S", "é😀".encode()), "é😀".encode())
        self.assertReads(sized(b"S", b"\xff\xfe"), b"\xff\xfe")
        self.assertReads(sized(b"x", b"\0\1"), b"\0\1")
        self.assertReads(b"V", None)
        self.assertReads(b"n", None)
        self.assertReads(b"t\0", False)

    def test_death_record(self) -> None:
        """The x-death header of a dead-lettered message: an array of tables."""
        death = pair(b"count", b"l" + struct.pack(">q", 3)) + pair(
            b"routing-keys", sized(b"A", sized(b"S", b"k"))
        )
        self.assertReads(sized(b"A", sized(b"F", death)), [{"count": 3, "routing-keys": [b"k"]}])

    def test_unknown_type_ends_the_table(self) -> None:
        """What stands before a type that nobody knows is kept."""
        self.assertEqual(
            decode_table(pair(b"a", b"t\1") + pair(b"b", b"?xxxx") + pair(b"c", b"t\1")),
            {"a": True},
        )

    def test_unknown_type_inside_a_value(self) -> None:
        """Nested, it costs only the value that it is in."""
        self.assertReads(sized(b"A", b"t\1?"), [True])
        self.assertReads(sized(b"F", pair(b"in", b"?")), {})

    def test_cut_anywhere(self) -> None:
        """A table that is cut off is read as far as it goes."""
        whole = (
            pair(b"a", b"I\0\0\0\1")
            + pair(b"b", sized(b"S", b"xyz"))
            + pair(b"c", sized(b"F", pair(b"d", b"D\0\0\0\0\1")))
        )
        for end in range(len(whole)):
            self.assertLessEqual(set(decode_table(whole[:end])), {"a", "b", "c"})
        self.assertEqual(decode_table(whole[:10]), {"a": 1})

    def test_length_beyond_the_end(self) -> None:
        """A length that lies is not believed."""
        self.assertEqual(decode_table(pair(b"a", b"S\xff\xff\xff\xffxx")), {})

    def test_nesting_is_bounded(self) -> None:
        """Ten thousand tables in each other exhaust nothing."""
        value = b"t\1"
        for _ in range(10_000):
            value = sized(b"A", value)
        nested: Any = decode_table(pair(b"k", value))["k"]
        depth = 1
        while nested:
            nested, depth = nested[0], depth + 1
        self.assertEqual(depth, MAX_DEPTH)

    def test_name_that_is_not_text(self) -> None:
        """A name is text whatever its bytes are."""
        self.assertEqual(decode_table(pair(b"\xff", b"t\1")), {"�": True})

    @given(st.binary(max_size=200))
    def test_anything(self, garbage: bytes) -> None:
        """No bytes make it raise."""
        self.assertIsInstance(decode_table(garbage), dict)


leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.binary(max_size=20)
    | st.floats(allow_nan=False)
    | st.decimals(-(10**6), 10**6, places=3)
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
)


class EncodeTests(SynchronousTestCase):
    """`encode_table`."""

    @given(st.dictionaries(st.text(max_size=20), values, max_size=4))
    def test_round_trip(self, table: dict[str, Any]) -> None:
        """What is encoded is decoded to the same, and its length is in front."""
        encoded = encode_table(table)
        self.assertEqual(struct.unpack(">I", encoded[:4])[0], len(encoded) - 4)
        self.assertEqual(decode_table(encoded[4:]), table)

    def test_others_read_it(self) -> None:
        """pika reads what we write; lengths are in bytes."""
        table = {
            "é": "😀",
            "n": None,
            "i": -5,
            "l": 2**40,
            "b": True,
            "t": {"x": [1, "y"]},
            "T": datetime(2026, 1, 1, tzinfo=UTC),
        }
        self.assertEqual(data.decode_table(encode_table(table), 0)[0], table)

    def test_what_has_no_form(self) -> None:
        """A value or name that AMQP cannot carry is an error of the caller."""
        for table in (
            {"k": 2**63},
            {"k": object()},
            {"k": Decimal("NaN")},
            {"k": Decimal(2**31)},
            {"k" * 256: 1},
        ):
            self.assertRaises(ValueError, encode_table, table)

    def test_time_before_1970(self) -> None:
        """A time that a timestamp cannot hold is an error of the caller."""
        self.assertRaises(ValueError, encode_table, {"k": datetime(1960, 1, 1, tzinfo=UTC)})
