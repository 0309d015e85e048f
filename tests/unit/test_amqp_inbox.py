"""A message becomes an event, a hint, a foreign message, or a count."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from feedd.amqp.authors import FollowedAuthors
from feedd.amqp.exchanges import Exchanges
from feedd.amqp.inbox import Inbox, Receiver
from feedd.amqp.protocol.frames import pack_properties
from feedd.amqp.protocol.methods import BASIC
from feedd.amqp.seal import HEADER, Seal
from feedd.core.counters import Counters
from feedd.core.event import MAX_DEPTH, MAX_ID, Event, foreign_message, make_event
from feedd.reactor.complaints import Complaints

ALICE = b"alice_feedExchange"
POST = make_event(5, "post", "alice", 7, '{"text":"😀 \u2028"}'.encode(), 1000)
BOB = make_event(6, "post", "bob", 1, b"{}", 1)
PAYLOAD = b'{"message": "This is the message payload"}'


class InboxTestCase(SynchronousTestCase):
    """An inbox for alice, at 5000 ms."""

    template = "{user}_feedExchange"

    def setUp(self) -> None:
        self.events: list[Event] = []
        self.hints: list[int] = []
        self.counters = Counters()
        authors = FollowedAuthors(Exchanges(self.template, 4), 60)
        authors.follow("alice")
        complain = Complaints(self.counters, lambda: 0.0)
        self.seal = Seal()
        self.seal.begin("k1", b"a key")
        receiver = Receiver(self.events.append, self.hints.append)
        self.inbox = Inbox(
            authors, self.seal, receiver, complain, self.counters, lambda: 5000, "here"
        )

    def take(
        self, body: bytes, exchange: bytes = ALICE, key: bytes = b"alice", **properties: Any
    ) -> None:
        named = {name.replace("_", "-"): value for name, value in properties.items()}
        self.inbox(exchange, key, pack_properties(BASIC, named), body)

    def take_sealed(self, body: bytes, seal: Seal | None = None, **more: Any) -> None:
        """A message with a seal, and perhaps `more` headers."""
        headers = {HEADER: (seal or self.seal).of(body), **more}
        self.take(body, headers=headers, content_type="application/json", delivery_mode=1)

    def assertCounted(self, **counts: int) -> None:
        self.assertEqual(self.counters.snapshot(), counts)
        self.assertEqual((self.events, self.hints), ([], []))


class SealedTests(InboxTestCase):
    """Messages of feedd's own."""

    def test_event(self) -> None:
        """An event arrives as it was published."""
        self.take_sealed(POST.json)
        self.assertEqual((self.events, self.hints), ([POST], []))

    def test_more_headers(self) -> None:
        """A broker may add headers of its own."""
        self.take_sealed(POST.json, received_by="node 1")
        self.assertEqual(self.events, [POST])

    def test_of_another_database(self) -> None:
        """
        Another key, another epoch, another body or nonsense: neither an event nor a hint, for it
        speaks of other rows.
        """
        for epoch, key in (("k2", b"a key"), ("k1", b"another key")):
            other = Seal()
            other.begin(epoch, key)
            self.take_sealed(POST.json, other)
        self.take(POST.json, headers={HEADER: self.seal.of(POST.json + b" ")})
        for nonsense in (b"x", "é" * 16, 7, None, [b"x"]):
            self.take(POST.json, headers={HEADER: nonsense})
        self.assertCounted(amqp_other_seal=8)

    def test_an_empty_seal(self) -> None:
        """It is none."""
        self.take(POST.json, headers={HEADER: b""})
        self.assertEqual((self.events, self.hints), ([], [5]))

    def test_before_the_key_is_known(self) -> None:
        """Nothing that is sealed is believed; the net brings it."""
        seal, message = Seal(), POST.json
        seal.begin("k1", b"a key")
        self.seal.begin("", b"")
        self.take_sealed(message, seal)
        self.assertCounted(amqp_other_seal=1)

    def test_no_event(self) -> None:
        """A sealed message has to be an event of its exchange's author."""
        for body in (PAYLOAD, b"{", BOB.json):
            self.take_sealed(body)
        self.assertCounted(amqp_unreadable=3)


class UserInboxTests(InboxTestCase):
    """An exchange for each author."""

    def test_hint(self) -> None:
        """A message that only looks like an event is a hint, whatever else it says."""
        self.take(POST.json)
        self.take(b'{"author":"alice","kind":"friend","id":9007199254740991}')
        self.take(b'{"id": 9, "kind": "post", "author": "alice", "post": %b}' % (b"4" * 400))
        self.assertEqual((self.events, self.hints), ([], [5, MAX_ID, 9]))
        self.assertEqual(self.counters.snapshot(), {"amqp_hints": 3})

    def test_a_deep_hint(self) -> None:
        """The event's body may be as deep as a row's; a foreign message as a whole may be so."""
        deep = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
        self.take(make_event(5, "post", "alice", 7, deep, 1000).json)
        self.take(deep)
        self.assertEqual((len(self.events), self.hints), (1, [5]))
        self.take(b'{"message":%b}' % deep)
        self.assertEqual(self.counters.snapshot(), {"amqp_hints": 1, "amqp_unreadable": 1})

    def test_another_kind(self) -> None:
        """A word of the site's own is no kind of event: the document is a foreign message."""
        body = b'{"id":5,"kind":"poke","author":"alice"}'
        self.take(body, message_id="m")
        self.assertEqual(self.events, [foreign_message(body, "alice", b"m", 5000)])

    def test_no_such_row(self) -> None:
        """An id that no row has, or another author's event, is not even looked up."""
        for id in (0, -5, MAX_ID + 1, 10**30):
            self.take(b'{"id": %d, "kind": "message", "author": "alice"}' % id)
        self.take(BOB.json)
        self.assertCounted(amqp_unreadable=5)

    def test_foreign(self) -> None:
        """
        Other JSON is a message of the exchange's author, dated by its timestamp, known by its
        message-id.
        """
        self.take(PAYLOAD, message_id="m1", timestamp=1_700_000_000)
        self.assertEqual(self.events, [foreign_message(PAYLOAD, "alice", b"m1", 1_700_000_000_000)])
        self.assertEqual(self.events[0].kind, "message")

    def test_foreign_without_properties(self) -> None:
        """Without a timestamp it is dated now; without a message-id it is like no other."""
        for _ in range(20):
            self.take(PAYLOAD)
        self.assertEqual(len({event.id for event in self.events}), 20)
        for event in self.events:
            self.assertTrue(event.json.endswith(b'"at":5000}'))

    def test_timestamp_in_milliseconds(self) -> None:
        """A producer's milliseconds are recognised; nonsense is now."""
        for timestamp in (1_700_000_000_123, 2**63, 0):
            self.take(PAYLOAD, timestamp=timestamp, message_id="m")
        ats = [1_700_000_000_123, 5000, 5000]
        self.assertEqual(self.events, [foreign_message(PAYLOAD, "alice", b"m", at) for at in ats])

    def test_header_that_cannot_be_read(self) -> None:
        """Costs its properties only."""
        self.inbox(ALICE, b"", b"\xff\xff\xff\xff garbage", PAYLOAD)
        self.assertEqual(len(self.events), 1)

    def test_unreadable(self) -> None:
        """No JSON, no UTF-8, or nested without end: counted and dropped."""
        for body in (b"{", b'"\xff"', b"", b"[" * 100_000, b"[" * 101 + b"]" * 101):
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
        self.take(POST.json, b"feed.3", headers={HEADER: self.seal.of(POST.json)})
        self.assertEqual(self.events, [POST])

    def test_on_a_foreign_shard(self) -> None:
        """An author's messages come on the author's shard only."""
        self.take(POST.json, b"feed.0", headers={HEADER: self.seal.of(POST.json)})
        self.take(PAYLOAD, b"feed.0")
        self.assertCounted(amqp_foreign_exchange=2)

    def test_foreign(self) -> None:
        """Also for other JSON."""
        self.take(PAYLOAD, b"feed.3", message_id="m")
        self.assertEqual(self.events, [foreign_message(PAYLOAD, "alice", b"m", 5000)])

    def test_nobody_waits(self) -> None:
        """Others on the shard are dropped unread."""
        self.take(b"not even JSON", b"feed.3", b"bob")
        self.assertCounted(amqp_unfollowed=1)

    def test_no_author(self) -> None:
        """A routing key that can be no user is unreadable."""
        for key in (b"", b"a b", b"\xff"):
            self.take(PAYLOAD, b"feed.3", key)
        self.assertCounted(amqp_unreadable=3)
