"""The body of a deleted post is told to nobody who asks later, wherever it has been kept."""

import json

from twisted.trial.unittest import SynchronousTestCase

from feedd.core.counters import Counters
from feedd.core.event import Event, make_event, stored_event, without_body
from feedd.core.horizon import Horizon
from feedd.core.position import Position, Positions
from feedd.core.recent import RecentLog
from feedd.core.subscription import Subscription
from tests.unit.core import CoreCase, Heard, ids, post


def about(id: int, kind: str, number: int = 7, author: str = "bob") -> Event:
    """An event of post `number`."""
    return make_event(
        id,
        kind,
        author,
        number,
        b"{}" if kind == "delete" else b'{"text":"secret"}',
        1_700_000_000_000,
    )


def told(events: list[Event] | None) -> list[tuple[int, object]]:
    """Ids and bodies."""
    assert events is not None
    return [(event.id, json.loads(event.json)["body"]) for event in events]


SECRET = {"text": "secret"}


class BodyTests(SynchronousTestCase):
    """`without_body`."""

    def test_only_the_body_goes(self) -> None:
        """Id, kind, author, post and time stay."""
        event = stored_event(3, "edit", "bob", 7, b'{"text": "secret"}', 1_700_000_000_123)
        self.assertEqual(
            without_body(event), stored_event(3, "edit", "bob", 7, b"{}", 1_700_000_000_123)
        )


class RecentTests(SynchronousTestCase):
    """`RecentLog`, of 8 events."""

    def setUp(self) -> None:
        self.through: list[Event] = []
        self.log = RecentLog(self.through.append, 8, 0, Counters())

    def offer(self, *events: Event) -> None:
        for event in events:
            self.log.offer(event)

    def after(self, id: int = 0) -> list[tuple[int, object]]:
        """What memory answers."""
        return told(self.log.after(Position(id), {"bob", "eve"}))

    def test_in_memory(self) -> None:
        """
        What memory holds of a post is told without its body once it is deleted, each id still once.
        """
        self.offer(about(1, "post"), about(2, "edit"), about(3, "delete"))
        self.assertEqual(self.after(), [(1, {}), (2, {}), (3, {})])
        self.assertEqual(self.after(), [(1, {}), (2, {}), (3, {})])
        self.assertEqual([body for _, body in told(self.through)], [SECRET, SECRET, {}])

    def test_others_stay(self) -> None:
        """Another post, or a post of another author, keeps its body."""
        self.offer(about(1, "post", 8), about(2, "post", author="eve"), about(3, "delete"))
        self.assertEqual(self.after(), [(1, SECRET), (2, SECRET), (3, {})])

    def test_late(self) -> None:
        """A post that comes in after its deletion is let through without its body."""
        self.offer(about(3, "delete"), about(1, "post"))
        self.assertEqual(told(self.through), [(3, {}), (1, {})])

    def test_opening(self) -> None:
        """So is one that was read at the start."""
        self.log.fill("k1", 0, [about(1, "post"), about(2, "delete")])
        self.assertEqual(self.after(), [(1, {}), (2, {})])
        self.log.fill("k1", 0, [])
        self.assertEqual(self.log.shown(about(1, "post")), about(1, "post"))

    def test_restored(self) -> None:
        """
        What a site says of a post after its deletion is told, and deletions in any order count by
        id.
        """
        self.offer(about(4, "delete"), about(2, "delete"), about(5, "post"), about(3, "edit"))
        self.assertEqual(self.after(), [(2, {}), (3, {}), (4, {}), (5, SECRET)])

    def test_a_deletion_of_nothing(self) -> None:
        """A deletion that names no post deletes none."""
        nameless = make_event(1, "post", "bob", None, b'{"text":"secret"}', 0)
        self.offer(nameless, make_event(2, "delete", "bob", None, b"{}", 0))
        self.assertEqual(self.after(), [(1, SECRET), (2, {})])

    def test_bounded(self) -> None:
        """A deletion is forgotten with its event."""
        self.offer(
            about(1, "delete", 7),
            about(2, "delete", 7),
            *(about(id, "delete", id) for id in range(3, 1000)),
        )
        posts = [about(1, "post", id) for id in range(1, 1000)]
        self.assertLessEqual(sum(self.log.shown(post) != post for post in posts), 10)
        self.assertEqual(self.log.shown(about(1, "post")), about(1, "post"))


class PendingTests(SynchronousTestCase):
    """`Subscription`."""

    def setUp(self) -> None:
        self.subscription = Subscription("al", "h1")

    def take(self) -> list[tuple[int, object]]:
        return told(self.subscription.take(Positions(), Horizon("k1", 0)))

    def push(self, *events: Event) -> None:
        for event in events:
            self.subscription.push(event, 10)

    def test_pending(self) -> None:
        """What is pending of a post loses its body when the post is deleted; the rest does not."""
        self.push(
            about(1, "post"), about(2, "edit"), about(3, "post", 8), about(4, "post", author="eve")
        )
        self.push(post(-5), about(9, "post"), about(6, "delete"))
        self.assertEqual(
            self.take(),
            [
                (-5, {"text": "hi"}),
                (1, {}),
                (2, {}),
                (3, SECRET),
                (4, SECRET),
                (6, {}),
                (9, SECRET),
            ],
        )

    def test_a_deletion_that_the_viewer_has(self) -> None:
        """The same for a deletion that another process has told them already."""
        self.push(about(1, "post"))
        self.subscription.start(Position(0, (6,)), ())
        self.push(about(6, "delete"))
        self.assertEqual(self.take(), [(1, {})])

    def test_a_deletion_of_nothing(self) -> None:
        """A deletion that names no post deletes none."""
        self.push(
            make_event(1, "post", "bob", None, b'{"text":"secret"}', 0),
            make_event(2, "delete", "bob", None, b"{}", 0),
        )
        self.assertEqual(self.take(), [(1, SECRET), (2, {})])


class ReadingTests(CoreCase):
    """The core over a store."""

    recent_events = 8

    def setUp(self) -> None:
        super().setUp()
        self.store.friendships.add(("al", "bob"))
        self.start()

    def secret(self) -> int:
        """Bob's post."""
        return self.now(self.posting.post("bob", b'{"text":"secret"}', None)).post

    def test_a_hot_poll(self) -> None:
        """A viewer who comes back after the deletion gets both events, and no body."""
        (_, cursor, subscription, *_) = self.now(self.reading.cold("al", None))
        self.now(self.posting.delete("bob", self.secret()))
        reply = self.reading.hot("al", cursor)
        assert reply is not None and reply.subscription is subscription
        self.assertEqual(told(reply.events), [(1, {}), (2, {})])

    def test_a_parked_poll(self) -> None:
        """A viewer who is there hears of the post as it was, and then of its deletion."""
        heard = Heard()
        (_, _, subscription, *_) = self.now(self.reading.cold("al", None))
        assert subscription is not None
        self.hub.park(subscription, heard)
        number = self.secret()
        self.flush()
        self.now(self.posting.delete("bob", number))
        self.assertEqual(heard.ids, [1])

    def test_from_memory_and_from_the_store(self) -> None:
        """A cold poll finds no body, be it in memory or in the database."""
        self.now(self.posting.delete("bob", self.secret()))
        for _ in range(2):
            self.assertEqual(
                told(self.now(self.reading.cold("al", "k1.0")).events)[:2], [(1, {}), (2, {})]
            )
            self.commit("eve", 20)
            self.tick()

    def test_deleted_while_it_is_read(self) -> None:
        """A deletion that comes in between the database's answer and ours is heeded."""
        number = self.secret()
        self.commit("eve", 20)
        self.tick()
        self.friends.lists["al"] = ("bob",)
        self.gate.shut = True
        reading = self.spawn(self.reading.cold("al", "k1.0"))
        self.gate.step()
        self.assertEqual(len(self.gate.waiting), 1)
        self.store.pace = open_pace
        self.now(self.posting.delete("bob", number))
        self.gate.open()
        events = self.successResultOf(reading).events
        self.assertEqual((ids(events), told(events)[0]), ([1, 22], (1, {})))

    def test_a_page_never_shows_it(self) -> None:
        """What init shows is what stands."""
        self.now(self.posting.delete("bob", self.secret()))
        self.assertEqual(self.now(self.reading.page("al", None, 10)).page.posts, [])


async def open_pace() -> None:
    """A database that answers at once."""
