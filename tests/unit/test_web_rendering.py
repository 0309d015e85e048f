"""The bytes of polls' answers, in all their forms."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from feedd.core.delivery import Delivery
from feedd.core.event import Event, make_event
from feedd.feed.reading import Reply
from feedd.web.rendering import Renderer
from feedd.web.responses import Spelling, document
from tests.unit.core import post

BODIES = (b'{"text":"hi"}', b'{"a":"<\xe2\x80\xa8"}', b'{\n"b":1\r\n}')

events = st.lists(
    st.builds(
        lambda id, body: make_event(id, "post", "bob", id, body, 0),
        st.integers(1, 99),
        st.sampled_from(BODIES),
    ),
    max_size=3,
)


def renderer(is_degraded: bool = False) -> Renderer:
    """A renderer at second 0."""
    return Renderer(Spelling(Clock().seconds), lambda: is_degraded)


class DeliveryTests(SynchronousTestCase):
    """The forms of a delivery."""

    @settings(deadline=None, derandomize=True, database=None)
    @given(events, st.booleans(), st.sampled_from([None, b"f", b"$a.b"]))
    def test_same(self, told: list[Event], is_degraded: bool, callback: bytes | None) -> None:
        """A response is that with the document, which is that of a poll that did not wait."""
        made = renderer(is_degraded)
        rendering = made.rendering(Delivery(told, "k1.7.9", []))
        for handle in ("h1", "h2", "0a1b2c3f"):
            json = made.document(Reply(told, f"k1.7.9~{handle}", None))
            self.assertEqual(rendering.document(handle), json)
            response = rendering.response(handle, callback)
            self.assertEqual(response, made.spelling.whole(document(json, callback)))

    @settings(deadline=None, derandomize=True, database=None)
    @given(events)
    def test_record(self, told: list[Event]) -> None:
        """An event of a stream is two lines: its id is the cursor, its data the document."""
        rendering = renderer().rendering(Delivery(told, "k1.7", []))
        first, second, *rest = rendering.record("h1").split(b"\n")
        self.assertEqual((first, rest), (b"id: k1.7~h1", [b"", b""]))
        self.assertEqual(second, b"data: " + rendering.document("h1"))


class ReplyTests(SynchronousTestCase):
    """The answer to a poll that does not wait."""

    def found(self, reply: Reply, is_degraded: bool = False) -> Any:
        """The document, read."""
        return msgspec.json.decode(renderer(is_degraded).document(reply))

    def test_events(self) -> None:
        """It has the events and the cursor."""
        found = self.found(Reply([post(1), post(2)], "k1.2~h1", None))
        self.assertEqual([event["id"] for event in found.pop("events")], [1, 2])
        self.assertEqual(found, {"cursor": "k1.2~h1"})

    def test_what_else(self) -> None:
        """And what else there is to say."""
        reply = Reply([], "k1.0", None)
        empty = {"events": [], "cursor": "k1.0"}
        self.assertEqual(self.found(reply._replace(more=True)), empty | {"more": True})
        self.assertEqual(self.found(reply._replace(gap=True)), empty | {"gap": True})
        self.assertEqual(self.found(reply, True), empty | {"state": "degraded"})
