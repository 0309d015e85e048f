"""Hints: whoever rings is not believed; the row is."""

from feedd.core.event import MAX_ID
from feedd.feed.hints import MAX_HINTS
from feedd.feed.ports import Opening
from feedd.feed.rows import AT_ONCE
from tests.unit.core import CoreCase


class HintsTests(CoreCase):
    """`Hints`, over rows in memory."""

    def setUp(self) -> None:
        super().setUp()
        self.store.friendships |= {("alice", "bob")}
        self.start()
        subscription = self.now(self.reading.cold("alice", None)).subscription
        assert subscription is not None
        self.subscription = subscription

    def told(self) -> list[int]:
        """The ids that have become pending for alice since the last time."""
        return [event.id for event in self.reading.take(self.subscription)]

    def hint(self, *ids: int) -> None:
        for id in ids:
            self.feed.hints.add(id)

    def queries(self) -> int:
        return self.store.asked["events_by_id"]

    def test_row(self) -> None:
        """The row is told, once, as it stands."""
        (event,) = self.commit("bob")
        self.hint(event.id)
        self.assertEqual(self.told(), [event.id])
        self.hint(event.id)
        self.assertEqual((self.told(), self.queries()), ([], 1))
        self.assertNotIn("hints_empty", self.counters.snapshot())

    def test_a_stranger(self) -> None:
        """A row of somebody whom nobody here hears is told to nobody."""
        (event,) = self.commit("eve")
        self.hint(event.id)
        self.assertEqual(self.told(), [])

    def test_ids_without_rows(self) -> None:
        """They hide nothing, now or later: the event that gets such an id is told."""
        self.hint(*range(1, 41), 2**52, MAX_ID)
        self.assertEqual(self.counters["hints_empty"], 42)
        for event in self.commit("bob", 3):
            self.log.offer(event)
        self.assertEqual(self.told(), [1, 2, 3])
        self.assertEqual(self.log.highest, 3)

    def test_many_share_a_query(self) -> None:
        """Hints that come during a query share the next one; each query has a bounded size."""
        events = self.commit("bob", 2 * AT_ONCE)
        self.gate.shut = True
        self.hint(*(event.id for event in events), events[0].id)
        self.gate.step()
        self.gate.step()
        self.assertEqual((len(self.told()), self.queries()), (1, 2))
        self.gate.open()
        self.assertEqual(self.queries(), 3)

    def test_too_many(self) -> None:
        """Over the bound they are counted; the net brings their rows."""
        self.gate.shut = True
        self.hint(*range(1, MAX_HINTS + 4))
        self.assertEqual(self.counters["hints_dropped"], 2)
        self.gate.open()

    def test_database_away(self) -> None:
        """
        What is asked for and what waits is dropped, and each is counted; the next hint is tried
        again.
        """
        first, *events = self.commit("bob", 4)
        self.gate.shut = True
        self.hint(first.id)
        self.gate.step()
        self.gate.step()
        self.hint(*(event.id for event in events[:2]))
        self.hint(events[2].id)
        self.store.away = True
        self.gate.open()
        self.assertEqual((self.told(), self.counters["hints_failed"]), ([first.id], 3))
        self.store.away = False
        self.hint(events[0].id)
        self.assertEqual(self.told(), [events[0].id])

    def test_another_database(self) -> None:
        """Ids of another database mean nothing: neither before it is open, nor across."""
        (event,) = self.commit("bob")
        self.gate.shut = True
        self.hint(event.id, event.id + 1)
        self.feed.close()
        self.hint(event.id)
        self.feed.open(Opening("k2", 0, []))
        self.gate.open()
        self.assertEqual((self.log.highest, self.queries()), (0, 1))
