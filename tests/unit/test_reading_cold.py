"""Polls that memory cannot answer, and all that can happen while the database is asked."""

from collections.abc import Callable

from twisted.internet.defer import Deferred

from feedd.core.cursor import parse_cursor
from feedd.core.event import Event
from feedd.core.horizon import MANY_ABOVE, Standing
from feedd.core.sizes import ANSWER_BYTES
from feedd.feed.ports import Friendship, Unavailable
from feedd.feed.reading import MAX_MISSED, Reply
from tests.unit.core import ids
from tests.unit.test_reading import ReadingCase


class DatabaseCase(ReadingCase):
    """Memory holds 8 events."""

    recent_events = 8
    max_pending = 20

    def setUp(self) -> None:
        super().setUp()
        self.commit("bob", 20)
        self.tick()

    def cold(self, text: str) -> Reply:
        """The answer to al's poll."""
        return self.now(self.reading.cold("al", text))


class DatabaseTests(DatabaseCase):
    """Cursors older than memory."""

    def test_missed(self) -> None:
        """What memory does not hold any more comes from the database."""
        reply = self.cold("k1.2.4.5")
        self.assertEqual((ids(reply.events), reply.more), ([3, *range(6, 23)], False))
        self.assertEqual(parse_cursor(reply.cursor).settled, 22)

    def test_away(self) -> None:
        """With the database away such a poll is asked to come again, and nothing is left of it."""
        self.store.away = True
        with self.assertRaises(Unavailable):
            self.cold("k1.2")
        self.assertEqual(len(self.hub), 0)

    def test_pruned(self) -> None:
        """When events after the cursor were pruned the answer says gap, and starts now."""
        self.store.prune(10)
        reply = self.cold("k1.9")
        self.assertEqual(
            (reply.gap, reply.events, parse_cursor(reply.cursor).settled), (True, [], 22)
        )

    def test_pruned_up_to_the_cursor(self) -> None:
        """When only events that the viewer has were pruned, nothing is amiss."""
        self.store.prune(10)
        reply = self.cold("k1.10")
        self.assertEqual((reply.gap, len(reply.events)), (False, 12))

    def test_pruned_and_in_memory(self) -> None:
        """What memory still holds is told without asking anybody; nothing of it was lost."""
        self.store.prune(20)
        asked = self.store.asked["events_after"]
        reply = self.cold("k1.15")
        self.assertEqual((reply.gap, ids(reply.events)), (False, list(range(16, 23))))
        self.assertEqual(self.store.asked["events_after"], asked)

    def test_another_database(self) -> None:
        """A cursor of another database says gap, and starts now."""
        reply = self.cold("k0.22")
        self.assertEqual((reply.gap, reply.events, reply.cursor.split("~")[0]), (True, [], "k1.22"))

    def test_from_the_future(self) -> None:
        """A cursor beyond the end of the log is of a log that was lost."""
        self.assertTrue(self.cold("k1.99").gap)

    def test_a_future_that_is_true(self) -> None:
        """
        A cursor beyond what is known here, but not beyond the log, is answered from the database.
        """
        self.commit("bob", 3)
        reply = self.cold("k1.24")
        self.assertEqual((ids(reply.events), reply.gap), ([25], False))


class UnfriendTests(DatabaseCase):
    """An unfriend that has not come in here yet, and a list in the cache that does not know it."""

    def setUp(self) -> None:
        super().setUp()
        self.now(self.reading.friends_of("al"))
        self.now(self.store.change_friends([], [Friendship("al", "bob")]))
        self.commit("bob")

    def test_in_the_history(self) -> None:
        """When the database tells of it, nothing is answered of who was removed."""
        self.assertEqual(ids(self.cold("k1.2").events), [23])

    def test_in_a_long_history(self) -> None:
        """The same holds for a part of a long history."""
        self.commit("al", MAX_MISSED)
        self.assertEqual(ids(self.cold("k1.2.3").events)[:2], [23, 25])

    def test_in_the_cursor(self) -> None:
        """
        When the cursor tells of it, nothing is answered of who was removed, and nothing comes from
        them later.
        """
        reply = self.cold("k1.22.23")
        self.tick()
        assert reply.subscription is not None
        self.assertEqual((reply.events, bool(reply.subscription.pending)), ([], False))

    def test_settled_elsewhere(self) -> None:
        """The same where the cursor does not name it, as the process it came from has settled."""
        for text in ("k1.23", "k1.23-22"):
            self.assertEqual(self.cold(text).events, [])

    def test_in_a_hole_here(self) -> None:
        """And where this process has settled too, but for it."""
        self.log.settling.note_standing(Standing([], 0), 0.0, 0.0)
        for event in self.commit("bob", MANY_ABOVE):
            self.log.offer(event)
        self.assertEqual(self.log.horizon.holes.spans, [(23, 24)])
        self.assertEqual(self.cold("k1.23").events, [])

    def test_very_far_behind(self) -> None:
        """A process that lacks very much of what the viewer did has no answer yet."""
        self.commit("al", 4 * MAX_MISSED)
        with self.assertRaises(Unavailable):
            self.cold("k1.2024")
        self.tick()
        self.assertEqual(self.cold("k1.2024").events, [])

    def test_with_the_database_away(self) -> None:
        """When the database cannot say what the viewer has, another process has to answer."""
        self.store.away = True
        for text in ("k1.22.23", "k1.24"):
            with self.assertRaises(Unavailable):
                self.cold(text)
        self.assertEqual(self.cold("k1.22").events, [])


class LongTests(DatabaseCase):
    """More was missed than goes into one answer."""

    def drain(self, text: str) -> list[Event]:
        """All events of a chain of polls that have more."""
        events: list[Event] = []
        more = True
        while more:
            reply = self.cold(text)
            self.assertTrue(reply.events or not reply.more)
            events += reply.events
            text, more = reply.cursor, reply.more
        return events

    def test_more(self) -> None:
        """
        A long history comes in parts of 500, each with the cursor of its end and no subscription.
        """
        self.commit("bob", MAX_MISSED)
        self.tick()
        reply = self.cold("k1.2")
        self.assertEqual(
            (len(reply.events), reply.more, reply.subscription, reply.cursor),
            (500, True, None, "k1.502"),
        )
        self.assertEqual(len(self.hub), 0)

    def test_all_of_it(self) -> None:
        """The parts together are everything, once."""
        self.commit("bob", 2 * MAX_MISSED)
        self.tick()
        self.assertEqual(ids(self.drain("k1.2.4.6")), [3, 5, *range(7, 23 + 2 * MAX_MISSED)])

    def test_bytes(self) -> None:
        """A part ends at a mebibyte too, from memory as from the database; both tell all, once."""
        for first in (self.log.highest, 2):
            self.commit_long("bob", 12)
            self.tick()
            text = f"k1.{first}"
            reply = self.cold(text)
            size = sum(len(event.json) for event in reply.events)
            self.assertTrue(reply.more)
            self.assertTrue(ANSWER_BYTES * 0.8 < size <= ANSWER_BYTES, size)
            self.assertEqual(ids(self.drain(text)), list(range(first + 1, self.log.highest + 1)))
        self.assertEqual(self.store.asked["events_after"], 5)

    def test_what_the_viewer_has_is_not_in_the_way(self) -> None:
        """Nor do events that the cursor names take the place of those that it lacks."""
        first = self.log.highest
        self.commit_long("bob", 30)
        self.tick()
        had = ".".join(map(str, range(3, first + 26)))
        reply = self.cold(f"k1.2.{had}")
        self.assertEqual(ids(reply.events)[:1], [first + 26])

    def commit_long(self, author: str, count: int) -> None:
        """Posts of a tenth of an answer."""
        transaction = self.store.begin()
        for _ in range(count):
            self.store.insert_post(transaction, author, b'"%b"' % (b"x" * (ANSWER_BYTES // 10)))
        transaction.commit()

    def test_nothing_is_settled_that_it_does_not_hold(self) -> None:
        """What becomes visible and settles after a part was read is in the next part."""
        late = self.store.begin()
        self.store.insert_post(late, "bob", b"{}")
        self.commit("bob", MAX_MISSED + 50)
        reply = self.asked_before("k1.2", late.commit, self.tick)
        self.assertEqual(self.log.horizon.settled, 23 + MAX_MISSED + 50)
        self.assertIn(23, ids(self.drain(reply.cursor)))

    def asked_before(self, text: str, *meanwhile: Callable[[], object]) -> Reply:
        """
        The answer to a poll whose question the database has seen when `meanwhile` happens, and
        answers after it.
        """
        self.now(self.reading.friends_of("al"))
        self.gate.shut = True
        reply: Deferred[Reply] = self.spawn(self.reading.cold("al", text))
        self.gate.step()
        self.gate.shut = False
        for step in meanwhile:
            step()
        self.gate.open()
        return self.successResultOf(reply)


class MeanwhileTests(DatabaseCase):
    """What happens while the database is asked."""

    def setUp(self) -> None:
        super().setUp()
        self.now(self.reading.friends_of("al"))
        self.gate.shut = True
        self.reply: Deferred[Reply] = self.spawn(self.reading.cold("al", "k1.12"))
        self.gate.step()
        self.gate.shut = False

    def answered(self) -> Reply:
        """The answer, now that the database answers."""
        self.gate.open()
        return self.successResultOf(self.reply)

    def test_held(self) -> None:
        """What is said meanwhile is held, and merged with what was read."""
        self.say()
        self.assertEqual(ids(self.answered().events), [*range(13, 23), 23])

    def test_settled(self) -> None:
        """What was said and has settled meanwhile is in the answer too."""
        self.say()
        self.tick()
        reply = self.answered()
        self.assertEqual((reply.events[-1].id, parse_cursor(reply.cursor).settled), (23, 23))

    def test_too_much(self) -> None:
        """When more is said meanwhile than may be held, it is read again."""
        for _ in range(self.max_pending + 1):
            self.say()
        self.assertEqual(ids(self.answered().events), list(range(13, 24 + self.max_pending)))

    def test_always_too_much(self) -> None:
        """
        When that happens again and again the poll is asked to come later, and nothing is left of
        it.
        """
        for _ in range(3):
            self.gate.shut = False
            for _ in range(self.max_pending + 1):
                self.say()
            self.gate.shut = True
            waiting, self.gate.waiting = self.gate.waiting, []
            waiting.pop(0).callback(None)
            if self.gate.waiting:
                self.gate.step()
        self.failureResultOf(self.reply, Unavailable)
        self.assertEqual(len(self.hub), 0)

    def test_unfriended(self) -> None:
        """What was read from somebody who is unfriended meanwhile is not answered."""
        self.now(self.posting.change_friends([], [Friendship("al", "bob")]))
        self.assertEqual(ids(self.answered().events), [23])

    def test_gone(self) -> None:
        """When the poll is given up nothing is left of it."""
        self.reply.cancel()
        self.failureResultOf(self.reply)
        self.assertEqual((len(self.hub), self.broker.followed), (0, set()))

    def test_closed(self) -> None:
        """
        When its subscription ends meanwhile nothing was held, so the poll is asked to come again.
        """
        self.hub.close_viewer("al")
        self.say()
        self.tick()
        self.gate.open()
        self.failureResultOf(self.reply, Unavailable)
