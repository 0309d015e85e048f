"""What becomes of a message: an event, a foreign message, or a count."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from feedd.amqp.authors import FollowedAuthors
from feedd.amqp.exchanges import Exchanges
from feedd.amqp.inbox import Inbox
from feedd.amqp.protocol.frames import pack_properties
from feedd.amqp.protocol.methods import BASIC
from feedd.core.counters import Counters
from feedd.core.event import Event, foreign_message, make_event
from feedd.reactor.complaints import Complaints

ALICE = b"alice_feedExchange"
POST = make_event(5, "post", "alice", 7, '{"text":"😀 \u2028"}'.encode(), 1000)
PAYLOAD = b'{"message": "This is the message payload"}'


class InboxTestCase(SynchronousTestCase):
    """An inbox for alice, at 5000 ms."""

    template = "{user}_feedExchange"

    def setUp(self) -> None:
        self.events: list[Event] = []
        self.counters = Counters()
        authors = FollowedAuthors(Exchanges(self.template, 4), 60)
        authors.follow("alice")
        complain = Complaints(self.counters, lambda: 0.0)
        self.inbox = Inbox(authors, self.events.append, complain, self.counters, lambda: 5000)

    def take(
        self, body: bytes, exchange: bytes = ALICE, key: bytes = b"alice", **properties: Any
    ) -> None:
        named = {name.replace("_", "-"): value for name, value in properties.items()}
        self.inbox(exchange, key, pack_properties(BASIC, named), body)

    def assertCounted(self, **counts: int) -> None:
        self.assertEqual(self.counters.snapshot(), counts)
        self.assertEqual(self.events, [])


class UserInboxTests(InboxTestCase):
    """An exchange for each author."""

    def test_event(self) -> None:
        """An event arrives as it was published."""
        self.take(POST.json)
        self.assertEqual(self.events, [POST])

    def test_foreign(self) -> None:
        """
        Other JSON is a message of the exchange's author, dated by its timestamp, known by its
        message-id.
        """
        self.take(PAYLOAD, message_id="m1", timestamp=1_700_000_000)
        self.assertEqual(self.events, [foreign_message(PAYLOAD, "alice", b"m1", 1_700_000_000_000)])
        self.assertEqual(self.events[0].kind, "message")

    def test_foreign_without_properties(self) -> None:
        """Without a timestamp it is dated now."""
        self.take(PAYLOAD)
        self.assertEqual(self.events, [foreign_message(PAYLOAD, "alice", b"", 5000)])

    def test_timestamp_in_milliseconds(self) -> None:
        """A producer's milliseconds are recognised; nonsense is now."""
        self.take(PAYLOAD, timestamp=1_700_000_000_123)
        self.take(PAYLOAD, timestamp=2**63)
        self.take(PAYLOAD, timestamp=0)
        ats = [1_700_000_000_123, 5000, 5000]
        self.assertEqual(self.events, [foreign_message(PAYLOAD, "alice", b"", at) for at in ats])

    def test_header_that_cannot_be_read(self) -> None:
        """Costs its properties only."""
        self.inbox(ALICE, b"", b"\xff\xff\xff\xff garbage", PAYLOAD)
        self.assertEqual(len(self.events), 1)

    def test_unreadable(self) -> None:
        """No JSON, no UTF-8, or another author's event: counted and dropped."""
        bob = make_event(6, "post", "bob", 1, b"{}", 1).json
        for body in (b"{", b'"\xff"', b"", b"[" * 100_000, bob):
            self.take(body)
        self.assertCounted(amqp_unreadable=5)

    def test_nobody_waits(self) -> None:
        """A message for an author nobody here follows is dropped unread."""
        self.take(b"not even JSON", b"bob_feedExchange")
        self.assertCounted(amqp_unfollowed=1)

    def test_probe(self) -> None:
        """The probe's message is nothing."""
        self.take(b"probe", b"", b"amq.gen-1")
        self.assertCounted()


class ShardInboxTests(InboxTestCase):
    """Exchanges that are shards."""

    template = "feed.{shard}"

    def test_event(self) -> None:
        """The routing key says whose it is."""
        self.take(POST.json, b"feed.1")
        self.assertEqual(self.events, [POST])

    def test_foreign(self) -> None:
        """Also for other JSON."""
        self.take(PAYLOAD, b"feed.1", message_id="m")
        self.assertEqual(self.events, [foreign_message(PAYLOAD, "alice", b"m", 5000)])

    def test_nobody_waits(self) -> None:
        """Others on the shard are dropped unread."""
        self.take(b"not even JSON", b"feed.1", b"bob")
        self.assertCounted(amqp_unfollowed=1)

    def test_no_author(self) -> None:
        """A routing key that can be no user is unreadable."""
        for key in (b"", b"a b", b"\xff"):
            self.take(PAYLOAD, b"feed.1", key)
        self.assertCounted(amqp_unreadable=3)
