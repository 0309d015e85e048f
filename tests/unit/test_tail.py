"""The net: what it reads, offers and reports, and when."""

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from feedd.core.counters import Counters
from feedd.core.event import Event, make_event
from feedd.core.recent import RecentLog
from feedd.feed.ports import Unavailable
from feedd.log import tail as module
from feedd.log.tail import BATCH, Tail


def event(id: int) -> Event:
    """The row with this id."""
    return make_event(id, "post", "ann", 1, b"1", 5)


class FakeStore:
    """
    A log of rows, each of whose answers can be held back.

    :ivar rows: the visible ids; `unreadable` ones are among them.
    :ivar error: what every call raises, when set.
    :ivar epoch: which database it is.
    :ivar held: when a list, calls wait for their Deferred in it.
    """

    def __init__(self) -> None:
        self.rows: set[int] = set()
        self.unreadable: set[int] = set()
        self.epoch = "k1"
        self.error: Exception | None = None
        self.held: list[Deferred[None]] | None = None
        self.calls: list[tuple[str, Any]] = []
        self.reading: Any = lambda: None

    async def ids_after(self, settled: int, limit: int) -> list[int]:
        ids = sorted(id for id in self.rows if id > settled)[:limit]
        await self._answer("ids", settled)
        self.reading()
        return ids

    async def events_by_id(self, ids: Sequence[int]) -> list[Event]:
        await self._answer("events", list(ids))
        return [event(id) for id in ids if id in self.rows and id not in self.unreadable]

    async def save_settled(self, epoch: str, settled: int) -> bool:
        await self._answer("save", (epoch, settled))
        return epoch == self.epoch

    async def _answer(self, name: str, argument: Any) -> None:
        self.calls.append((name, argument))
        if self.held is not None:
            waiting: Deferred[None] = Deferred()
            self.held.append(waiting)
            await waiting
        if self.error is not None:
            raise self.error

    def asked(self, name: str) -> list[Any]:
        """The arguments of the calls of one kind."""
        return [argument for called, argument in self.calls if called == name]


class FakeLog:
    """Takes notes, in order."""

    def __init__(self) -> None:
        self.epoch = "k1"
        self.settled = 0
        self.seen: set[int] = set()
        self.notes: list[Any] = []

    def unknown(self, ids: Sequence[int]) -> list[int]:
        return [id for id in ids if id not in self.seen]

    def offer(self, event: Event) -> bool:
        self.seen.add(event.id)
        self.notes.append(event.id)
        return True

    def missing(self, ids: Sequence[int]) -> None:
        self.seen.update(ids)
        self.notes.append(("missing", list(ids)))

    def note_read(self, started: float, ended: float, upto: int) -> None:
        self.notes.append(("read", started, ended, upto))


class HangTests(SynchronousTestCase):
    """A tail with the log that it serves."""

    def test_an_open_transaction(self) -> None:
        """
        What an event was written in may hang with the database for longer than it may be open, and
        is not lost.
        """
        clock, store, offered = Clock(), FakeStore(), []
        log = RecentLog(lambda event: offered.append(event.id), 100, 5.0, Counters())
        tail = Tail(clock, clock.seconds, store, log, 1.0, lambda: False, Counters())  # type: ignore[arg-type]
        store.rows = {2}  # 1 was given out before it, and is not committed
        tail.startService()
        self.addCleanup(tail.stopService)
        store.error = Unavailable("database", "hangs")
        clock.pump([1.0] * 30)
        store.error = None
        clock.pump([1.0] * 3)
        store.rows = {1, 2}
        clock.advance(1.0)
        self.assertEqual((offered, log.settled), ([2, 1], 0))
        clock.pump([1.0] * 5)
        self.assertEqual(log.settled, 2)


class TailCase(SynchronousTestCase):
    """A tail that ticks each second, on a clock of the test."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = FakeStore()
        self.log = FakeLog()
        self.counters = Counters()
        self.fast = False
        self.others = 0
        self.tail = Tail(
            self.clock,
            self.clock.seconds,
            self.store,  # type: ignore[arg-type]
            self.log,
            1.0,
            lambda: self.fast,
            self.counters,
            other_epoch=self.other,
        )

    def start(self) -> None:
        """Start the tail, and stop it after the test; nothing may be left on the clock then."""
        self.tail.startService()
        self.addCleanup(self.stop)

    def stop(self) -> None:
        self.store.held = None
        self.tail.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def other(self) -> None:
        self.others += 1

    def hold(self) -> list[Deferred[None]]:
        """From now on the store's answers wait."""
        self.store.held = []
        return self.store.held


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
        self.assertEqual(self.store.asked("events"), [[3, 5, 9]])
        self.assertTrue(self.tail.healthy)

    def test_it_reads_above_what_is_settled(self) -> None:
        """And fetches no row that the log knows."""
        self.store.rows = {3, 5}
        self.start()
        self.log.settled = 4
        self.clock.advance(1)
        self.assertEqual(self.store.asked("ids"), [0, 4])
        self.assertEqual(self.store.asked("events"), [[3, 5]])

    def test_an_empty_log(self) -> None:
        """Has been read up to 0; one without news, up to what is settled."""
        self.start()
        self.log.settled = 7
        self.clock.advance(1)
        self.assertEqual(self.log.notes, [("read", 0.0, 0.0, 0), ("read", 1.0, 1.0, 7)])

    def test_rows_without_an_event(self) -> None:
        """Are reported as missing, so that nobody asks for them again."""
        self.store.rows = {1, 2, 3}
        self.store.unreadable = {1, 3}
        self.start()
        self.clock.advance(1)
        self.assertEqual(self.log.notes[:3], [2, ("missing", [1, 3]), ("read", 0.0, 0.0, 3)])
        self.assertEqual(self.store.asked("events"), [[1, 2, 3]])

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
        self.assertEqual(self.store.asked("ids"), [0, BATCH, 2 * BATCH])
        reads = [note for note in self.log.notes if isinstance(note, tuple)]
        self.assertEqual(
            [(started, upto) for _, started, _, upto in reads],
            [(0.0, BATCH), (0.0, 2 * BATCH), (0.0, 2 * BATCH + 10)],
        )
        self.assertEqual(
            sorted({ended for _, _, ended, _ in reads}), [ended for _, _, ended, _ in reads]
        )
        self.assertEqual(self.log.seen, self.store.rows)
        self.assertLessEqual(max(len(ids) for ids in self.store.asked("events")), module.CHUNK)

    def test_nothing_is_said_of_rows_that_were_not_offered(self) -> None:
        """When a part fails, the reads up to there count, and no further one."""
        self.store.rows = set(range(1, BATCH + 11))

        def break_down() -> None:
            if len(self.store.asked("ids")) == 2:
                self.store.error = Unavailable("database", "gone")

        self.store.reading = break_down
        self.start()
        self.assertEqual(
            [note for note in self.log.notes if isinstance(note, tuple)],
            [("read", 0.0, 0.0, BATCH)],
        )
        self.assertFalse(self.tail.healthy)

    def test_the_pace(self) -> None:
        """A tick a second; four while the broker is away."""
        self.start()
        self.clock.pump([0.5, 0.49])
        self.assertEqual(len(self.store.asked("ids")), 1)
        self.fast = True
        self.clock.advance(0.01)
        self.assertEqual(len(self.store.asked("ids")), 2)
        self.clock.pump([0.25] * 4)
        self.assertEqual(len(self.store.asked("ids")), 6)

    def test_ticks_do_not_overlap(self) -> None:
        """
        While one waits for the database no other begins; the next one comes a second after its end.
        """
        held = self.hold()
        self.start()
        self.clock.pump([1.0] * 5)
        self.assertEqual(len(held), 1)
        self.store.held = None
        held.pop(0).callback(None)
        self.clock.advance(0.99)
        self.assertEqual(len(self.store.asked("ids")), 1)
        self.clock.advance(0.01)
        self.assertEqual(len(self.store.asked("ids")), 2)

    def test_a_poke(self) -> None:
        """Is a tick at once, and the next one comes a second later."""
        self.start()
        self.clock.advance(0.6)
        self.tail.poke()
        self.assertEqual(len(self.store.asked("ids")), 2)
        self.clock.advance(0.6)
        self.assertEqual(len(self.store.asked("ids")), 2)
        self.clock.advance(0.4)
        self.assertEqual(len(self.store.asked("ids")), 3)

    def test_pokes_while_a_tick_runs(self) -> None:
        """
        Are one more tick after it, since what they are about may have come too late for this one.
        """
        held = self.hold()
        self.start()
        for _ in range(5):
            self.tail.poke()
        self.assertEqual(len(held), 1)
        self.store.held = None
        held.pop(0).callback(None)
        self.assertEqual(len(self.store.asked("ids")), 2)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_a_poke_before_or_after(self) -> None:
        """Is nothing."""
        self.tail.poke()
        self.start()
        self.tail.stopService()
        self.tail.poke()
        self.assertEqual(len(self.store.asked("ids")), 1)

    def test_an_outage(self) -> None:
        """
        Is known with its reason, counted each time, logged once, and over with the first tick that
        goes well.
        """
        self.assertFalse(self.tail.healthy)
        self.store.error = Unavailable("database", "gone away")
        self.start()
        self.clock.pump([1.0, 1.0])
        self.assertEqual(self.tail.trouble, "database: gone away")
        self.assertEqual(self.counters["tail_failed"], 3)
        self.store.error = None
        self.clock.advance(1)
        self.assertEqual((self.tail.trouble, self.tail.healthy), ("", True))

    def test_a_mistake_of_ours_does_not_end_it(self) -> None:
        """It is logged once, with its traceback, and the next tick tries again."""
        self.store.error = ZeroDivisionError()
        self.start()
        self.clock.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertFalse(self.tail.healthy)
        self.store.error = None
        self.clock.advance(1)
        self.assertTrue(self.tail.healthy)

    def test_stopping_waits_for_the_tick(self) -> None:
        """It ends well, what is settled is saved, and nothing is begun any more."""
        self.store.rows = {1}
        held = self.hold()
        self.start()
        self.tail.poke()
        stopped = self.tail.stopService()
        self.assertNoResult(stopped)
        self.log.settled = 1
        held.pop(0).callback(None)
        held.pop(0).callback(None)
        self.assertNoResult(stopped)
        self.assertEqual(self.log.notes, [1, ("read", 0.0, 0.0, 1)])
        held.pop(0).callback(None)
        self.successResultOf(stopped)
        self.assertEqual(self.store.calls, [("ids", 0), ("events", [1]), ("save", ("k1", 1))])

    def test_stopping_while_the_database_is_away(self) -> None:
        """Is no failure: the next process reads a little more."""
        self.start()
        self.log.settled = 5
        self.store.error = Unavailable("database", "gone")
        self.successResultOf(self.tail.stopService())

    def test_stopping_on_a_long_way(self) -> None:
        """Does not wait for the end of the log."""
        self.store.rows = set(range(1, 3 * BATCH))
        held = self.hold()
        self.start()
        stopped = self.tail.stopService()
        self.store.held = None
        held.pop(0).callback(None)
        self.successResultOf(stopped)
        self.assertEqual(self.store.asked("ids"), [0])

    def test_it_can_be_started_again(self) -> None:
        """After a stop."""
        self.start()
        self.tail.stopService()
        self.tail.startService()
        self.clock.advance(1)
        self.assertEqual(len(self.store.asked("ids")), 3)


class FoundTests(SynchronousTestCase):
    """What only the net brought."""

    def test_found(self) -> None:
        """An event that nobody had offered before is told, one that the bell had brought is not."""
        clock, store, log, found = Clock(), FakeStore(), FakeLog(), list[int]()
        tail = Tail(
            clock,
            clock.seconds,
            store,  # type: ignore[arg-type]
            log,
            1.0,
            lambda: False,
            Counters(),
            found=lambda event: found.append(event.id),
        )
        store.rows = {1, 2}
        tail.startService()
        self.addCleanup(tail.stopService)
        clock.advance(1)
        self.assertEqual(found, [1, 2])
