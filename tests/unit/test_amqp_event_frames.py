"""The packed publish against the field by field one."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from feedd.amqp.event_frames import pack_event, seal_in
from feedd.amqp.protocol.frames import Unpackable, pack_content, pack_method, pack_properties
from feedd.amqp.protocol.methods import BASIC, METHODS
from feedd.core.event import Event

names = st.text(st.sampled_from("aé_-😀"), max_size=40)


def field_by_field(
    channel: int, exchange: bytes, event: Event, frame_max: int, seal: bytes = b""
) -> bytes:
    """What `feedd.amqp.protocol.frames` makes of it."""
    properties = {
        "content-type": "application/json",
        **({"headers": {"feedd-seal": seal}} if seal else {}),
        "delivery-mode": 1,
        "message-id": str(event.id),
        "type": event.kind,
    }
    method = pack_method(
        channel, METHODS["basic.publish"], (0, exchange, event.author, False, False)
    )
    return method + pack_content(
        channel, BASIC, pack_properties(BASIC, properties), event.json, frame_max
    )


class RingTests(SynchronousTestCase):
    """`pack_event`."""

    @settings(derandomize=True, deadline=None, database=None)
    @given(
        st.integers(1, 65_535),
        names,
        names,
        names,
        st.integers(-(2**53), 2**53),
        st.binary(max_size=200),
        st.integers(9, 99),
        st.sampled_from([b"", b"0123456789abcdef" * 2]),
    )
    def test_same(
        self,
        channel: int,
        exchange: str,
        author: str,
        kind: str,
        id: int,
        body: bytes,
        frame_max: int,
        seal: bytes,
    ) -> None:
        """The same bytes, whatever the names, the id, the size of the body and the seal."""
        event = Event(id, kind, author, None, None, body)
        args = (channel, exchange.encode(), event, frame_max, seal)
        self.assertEqual(pack_event(*args), field_by_field(*args))

    def test_seal_in(self) -> None:
        """The seal is found where it was written, and nowhere else."""
        seal = b"0123456789abcdef" * 2
        properties: dict[str, Any] = {
            "content-type": "application/json",
            "headers": {"feedd-seal": seal},
            "delivery-mode": 1,
            "message-id": "7",
            "type": "post",
        }
        self.assertEqual(seal_in(pack_properties(BASIC, properties)), seal)
        properties["headers"] = {"feedd-seal": seal, "more": 1}
        self.assertEqual(seal_in(pack_properties(BASIC, properties)), b"")
        del properties["headers"]
        self.assertEqual(seal_in(pack_properties(BASIC, properties)), b"")

    def test_longest(self) -> None:
        """255 bytes are a short string, 256 none."""
        for exchange, author, kind in (("x", "a", "k"), ("é" * 127 + "x", "a" * 255, "k" * 255)):
            event = Event(1, kind, author, None, None, b"{}")
            args = (1, exchange.encode(), event, 131_072)
            self.assertEqual(pack_event(*args), field_by_field(*args))
        for exchange, author, kind in (
            ("é" * 128, "a", "k"),
            ("x", "é" * 128, "k"),
            ("x", "a", "é" * 128),
        ):
            with self.assertRaises(Unpackable):
                pack_event(1, exchange.encode(), Event(1, kind, author, None, None, b"{}"), 131_072)
