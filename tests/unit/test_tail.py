"""The net: what it reads, offers and reports."""

from feedd.core.counters import Counters
from feedd.core.event import MAX_ID
from feedd.core.horizon import Horizon, Standing
from feedd.core.recent import RecentLog
from feedd.core.runs import runs_of
from feedd.feed.ports import Unavailable
from feedd.feed.rows import AT_ONCE
from feedd.log.tail import BATCH
from tests.unit.tail import TailCase


class HangTests(TailCase):
    """A tail with the log that it serves."""

    def test_an_open_transaction(self) -> None:
        """
        A transaction may hang with the database for longer than it may be open, and its event is
        not lost.
        """
        clock, store, offered = self.clock, self.store, list[int]()
        log = RecentLog(lambda event: offered.append(event.id), 100, 5.0, Counters())
        tail = self.make_tail(log)
        store.rows = {2}  # 1 was given out before it, and is not committed
        tail.startService()
        self.addCleanup(tail.stopService)
        store.error = Unavailable("database", "hangs")
        clock.pump([1.0] * 30)
        store.error = None
        clock.pump([1.0] * 3)
        store.rows = {1, 2}
        clock.advance(1.0)
        self.assertEqual((offered, log.horizon.settled), ([2, 1], 2))


class TailTests(TailCase):
    """What a tick reads and offers, and what it does when it cannot."""

    def test_rows_are_offered_in_order(self) -> None:
        """
        A tick fetches what the log has not seen and offers it, lowest first; then it says how far
        it has read.
        """
        self.store.rows = {3, 5, 4, 9}
        self.log.seen = {4}
        self.start()
        self.assertEqual(self.log.notes, [3, 5, 9, ("read", 0.0, 0.0, 9)])
        self.assertEqual(self.store.calls_of("events"), [[3, 5, 9]])
        self.assertEqual(self.tail.trouble, "")

    def test_it_reads_above_what_is_settled(self) -> None:
        """A tick reads above what is settled, and fetches no row that the log knows."""
        self.store.rows = {3, 5}
        self.start()
        self.log.horizon = Horizon("k1", 4)
        self.clock.advance(1)
        self.assertEqual(self.store.calls_of("ids"), [0, 4])
        self.assertEqual(self.store.calls_of("events"), [[3, 5]])

    def test_two_reads(self) -> None:
        """
        A tick reads what stands, and then what is committed, above what is settled and in its
        holes; then it says what stood, and when that was read.
        """
        self.store.standing, self.store.rows = {2, 5, 6}, {2, 6}
        self.log.horizon = Horizon("k1", 4, runs_of([2, 3]))
        self.log.seen = {6}
        self.start()
        names = [name for name, _ in self.store.calls]
        self.assertEqual(names, ["standing", "ids", "events"])
        self.assertEqual(self.store.calls_of("standing"), [(4, [(2, 3)])])
        self.assertEqual(self.log.notes, [2, ("standing", Standing([2, 5, 6], MAX_ID), 0.0, 0.0)])

    def test_nothing_new_stands(self) -> None:
        """What stands has all been let through: what is committed is not read."""
        self.store.standing, self.store.rows = {5, 6}, {5, 6}
        self.log.horizon, self.log.seen = Horizon("k1", 4), {5, 6}
        self.start()
        self.assertEqual([name for name, _ in self.store.calls], ["standing"])
        self.assertEqual(self.log.notes, [("standing", Standing([5, 6], MAX_ID), 0.0, 0.0)])

    def test_nothing_new_in_a_cut_read(self) -> None:
        """Where a read was cut there may be news behind it, even if it holds none."""
        self.store.standing = self.store.rows = set(range(1, BATCH + 2))
        self.log.seen = set(range(1, BATCH + 1))
        self.start()
        self.assertEqual(self.log.notes[0], BATCH + 1)

    def test_what_stands_is_cut(self) -> None:
        """Of more rows than a read holds, it says up to where they were looked at."""
        self.store.standing = set(range(1, BATCH + 5))
        self.start()
        (note,) = self.log.notes
        self.assertEqual((len(note[1].ids), note[1].upto), (BATCH, BATCH))

    def test_an_empty_log(self) -> None:
        """An empty log has been read up to 0; one without news, up to what is settled."""
        self.start()
        self.log.horizon = Horizon("k1", 7)
        self.clock.advance(1)
        self.assertEqual(self.log.notes, [("read", 0.0, 0.0, 0), ("read", 1.0, 1.0, 7)])

    def test_rows_without_an_event(self) -> None:
        """Rows without an event are reported as missing, so that they are not asked for again."""
        self.store.rows = {1, 2, 3}
        self.store.unreadable = {1, 3}
        self.start()
        self.clock.advance(1)
        self.assertEqual(self.log.notes[:3], [2, ("missing", [1, 3]), ("read", 0.0, 0.0, 3)])
        self.assertEqual(self.store.calls_of("events"), [[1, 2, 3]])

    def test_when_it_was_read(self) -> None:
        """
        A read began before its question and ended with its answer, however long the rows took
        afterwards.
        """
        self.store.rows = {1}
        held = self.hold()
        self.start()
        self.clock.advance(0.5)
        held.pop(0).callback(None)
        self.clock.advance(3)
        self.assertEqual(self.log.notes, [])
        held.pop(0).callback(None)
        self.assertEqual(self.log.notes, [1, ("read", 0.0, 0.5, 1)])

    def test_a_database_that_hangs(self) -> None:
        """
        The time until its answer counts as one tick at most, whether it answers in the end or fails
        before.
        """
        held = self.hold()
        self.start()
        self.clock.advance(30)
        self.store.held = None
        held.pop(0).callback(None)
        self.clock.advance(1)
        self.store.error = Unavailable("database", "hangs")
        self.clock.pump([5.0] * 6)
        self.store.error = None
        self.clock.pump([1.0, 1.0])
        reads = [(0.0, 1.0), (2.0, 2.0), (3.0, 3.0), (4.0, 4.0)]
        self.assertEqual(self.log.notes, [("read", started, ended, 0) for started, ended in reads])

    def test_a_long_way(self) -> None:
        """
        A read that the limit cuts goes on at once; each part says how far it came, and counts from
        the first one's start.
        """
        self.store.rows = set(range(1, 2 * BATCH + 11))
        self.store.reading = lambda: self.clock.advance(0.01)
        self.start()
        self.assertEqual(self.store.calls_of("ids"), [0, BATCH, 2 * BATCH])
        reads = [note for note in self.log.notes if isinstance(note, tuple)]
        self.assertEqual(
            [(started, upto) for _, started, _, upto in reads],
            [(0.0, BATCH), (0.0, 2 * BATCH), (0.0, 2 * BATCH + 10)],
        )
        self.assertEqual(
            sorted({ended for _, _, ended, _ in reads}), [ended for _, _, ended, _ in reads]
        )
        self.assertEqual(self.log.seen, self.store.rows)
        self.assertLessEqual(max(len(ids) for ids in self.store.calls_of("events")), AT_ONCE)

    def test_nothing_is_said_of_rows_that_were_not_offered(self) -> None:
        """When a part fails, the reads up to there count, and no further one."""
        self.store.rows = set(range(1, BATCH + 11))

        def break_down() -> None:
            if len(self.store.calls_of("ids")) == 2:
                self.store.error = Unavailable("database", "gone")

        self.store.reading = break_down
        self.start()
        self.assertEqual(
            [note for note in self.log.notes if isinstance(note, tuple)],
            [("read", 0.0, 0.0, BATCH)],
        )
        self.assertTrue(self.tail.trouble)

    def test_an_outage(self) -> None:
        """
        An outage is known with its reason, counted each time, logged once, and over with the first
        tick that goes well.
        """
        self.assertTrue(self.tail.trouble)
        self.store.error = Unavailable("database", "gone away")
        self.start()
        self.clock.pump([1.0, 1.0])
        self.assertEqual(self.tail.trouble, "database: gone away")
        self.assertEqual(self.counters["tail_failed"], 3)
        self.store.error = None
        self.clock.advance(1)
        self.assertEqual(self.tail.trouble, "")

    def test_a_mistake_of_ours_does_not_end_it(self) -> None:
        """A mistake of ours is logged once, with its traceback, and the next tick tries again."""
        self.store.error = ZeroDivisionError()
        self.start()
        self.clock.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(self.tail.trouble)
        self.store.error = None
        self.clock.advance(1)
        self.assertEqual(self.tail.trouble, "")

    def test_found(self) -> None:
        """
        The owner is told, once, of an event that nobody had offered before, not of one that the
        bell brought meanwhile.
        """
        self.store.rows = {1, 2}
        held = self.hold()
        self.start()
        held.pop(0).callback(None)
        self.log.seen.add(1)
        self.store.held = None
        held.pop(0).callback(None)
        self.clock.advance(1)
        self.assertEqual((self.store.calls_of("events"), self.owner.ids), ([[1, 2]], [2]))
