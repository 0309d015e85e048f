"""A tail on a clock of the test, between a store and a log that remember what they are asked."""

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from feedd.core.counters import Counters
from feedd.core.event import Event, make_event
from feedd.core.horizon import Horizon, Standing
from feedd.core.runs import NO_RUNS, Runs
from feedd.feed.ports import Batch
from feedd.log.tail import Recent, Tail


def event(id: int) -> Event:
    """The row with this id."""
    return make_event(id, "post", "ann", 1, b"1", 5)


class FakeStore:
    """
    A log of rows, each of whose answers can be held back.

    :ivar rows: the visible ids; `unreadable` ones are among them.
    :ivar standing: the ids of all rows, committed or not; None when nobody can know.
    :ivar error: what every call raises, when set.
    :ivar epoch: which database it is.
    :ivar saving: what a save waits for, when set.
    :ivar save_error: what a save raises, when set.
    :ivar held: when a list, calls wait for their Deferred in it.
    """

    def __init__(self) -> None:
        self.rows: set[int] = set()
        self.unreadable: set[int] = set()
        self.standing: set[int] | None = None
        self.epoch = "k1"
        self.error: Exception | None = None
        self.held: list[Deferred[None]] | None = None
        self.saving: Deferred[None] | None = None
        self.save_error: Exception | None = None
        self.calls: list[tuple[str, Any]] = []
        self.reading: Any = lambda: None

    async def ids_standing(
        self, settled: int, limit: int, holes: Runs = NO_RUNS
    ) -> list[int] | None:
        if self.standing is None:
            return None
        ids = sorted(id for id in self.standing if id > settled or id in holes)[:limit]
        await self._answer("standing", (settled, holes.spans))
        return ids

    async def ids_after(self, settled: int, limit: int, holes: Runs = NO_RUNS) -> list[int]:
        ids = sorted(id for id in self.rows if id > settled or id in holes)[:limit]
        await self._answer("ids", settled)
        self.reading()
        return ids

    async def events_by_id(self, ids: Sequence[int], viewer: str | None = None) -> Batch:
        await self._answer("events", list(ids))
        found = [event(id) for id in ids if id in self.rows and id not in self.unreadable]
        return Batch(found, ())

    async def save_settled(self, epoch: str, settled: int) -> bool:
        await self._answer("save", (epoch, settled))
        if self.saving is not None:
            await self.saving
        if self.save_error is not None:
            raise self.save_error
        return epoch == self.epoch

    async def _answer(self, name: str, argument: Any) -> None:
        self.calls.append((name, argument))
        if self.held is not None:
            waiting: Deferred[None] = Deferred()
            self.held.append(waiting)
            await waiting
        if self.error is not None:
            raise self.error

    def calls_of(self, name: str) -> list[Any]:
        """Return the arguments of the calls of one kind."""
        return [argument for called, argument in self.calls if called == name]


class FakeLog:
    """A `Recent` that takes notes, in order; it is its own `Settling`."""

    def __init__(self) -> None:
        self.horizon = Horizon("k1")
        self.settling: Any = self
        self.seen: set[int] = set()
        self.notes: list[Any] = []

    def unknown(self, ids: Sequence[int]) -> list[int]:
        return [id for id in ids if id not in self.seen]

    def offer(self, event: Event) -> bool:
        if event.id in self.seen:
            return False
        self.seen.add(event.id)
        self.notes.append(event.id)
        return True

    def missing(self, ids: Sequence[int]) -> None:
        self.seen.update(ids)
        self.notes.append(("missing", list(ids)))

    def note_read(self, started: float, ended: float, upto: int) -> None:
        self.notes.append(("read", started, ended, upto))

    def note_standing(self, standing: Standing, began: float, ended: float) -> None:
        self.notes.append(("standing", standing, began, ended))


class FakeOwner:
    """
    An owner that takes notes.

    :ivar away: whether the broker is.
    :ivar ids: of the events that it was told of.
    :ivar others: how often it was told of another epoch.
    :ivar fails: the ids with which it fails.
    :ivar failures: the counters of what has failed.
    """

    def __init__(self) -> None:
        self.away = False
        self.ids: list[int] = []
        self.others = 0
        self.fails: set[int] = set()
        self.failures: list[str] = []

    def failed(self, counter: str, what: str) -> None:
        self.failures.append(counter)

    def degraded(self) -> bool:
        return self.away

    def found(self, event: Event) -> None:
        if event.id in self.fails:
            raise ZeroDivisionError
        self.ids.append(event.id)

    def other_epoch(self) -> None:
        self.others += 1


class TailCase(SynchronousTestCase):
    """A tail that ticks each second, on a clock of the test."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = FakeStore()
        self.log = FakeLog()
        self.counters = Counters()
        self.owner = FakeOwner()
        self.tail = self.make_tail(self.log)

    def make_tail(self, recent: Recent) -> Tail:
        """A tail that has not been started."""
        return Tail(
            self.clock,
            self.clock.seconds,
            self.store,  # type: ignore[arg-type]
            recent,
            1.0,
            self.owner,
            self.counters,
        )

    def start(self) -> None:
        """Start the tail, and stop it after the test; nothing may be left on the clock then."""
        self.tail.startService()
        self.addCleanup(self.stop)

    def stop(self) -> None:
        self.store.held = None
        self.tail.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def hold(self) -> list[Deferred[None]]:
        """From now on the store's answers wait."""
        self.store.held = []
        return self.store.held
