"""A ringer on a clock of the test, with a lookout that the test tells what to say."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from feedd.core.counters import Counters
from feedd.core.runs import Runs
from feedd.log.ringer import Ringer
from tests.memory import MemoryBroker
from tests.unit.tail import FakeLog, FakeStore

RING_SECONDS = 1 / 64
"""A sum of these is exact."""


class FakeLookout:
    """
    A lookout over the rows of a store.

    :ivar others: whether another process is the one.
    :ivar error: what `enter` and `look` raise, when set.
    :ivar held: when a list, looks wait for their Deferred in it.
    :ivar rung: the ids of rows whose writer rings for them.
    :ivar calls: what was called, in order; a look with what it asked for.
    """

    def __init__(self, store: FakeStore) -> None:
        self.others = False
        self.error: Exception | None = None
        self.held: list[Deferred[None]] | None = None
        self.rung: set[int] = set()
        self.calls: list[Any] = []
        self._store = store

    def start(self) -> None:
        self.calls.append("start")

    async def stop(self) -> None:
        self.calls.append("stop")

    async def enter(self) -> bool:
        self.calls.append("enter")
        if self.error is not None:
            raise self.error
        return not self.others

    async def look(self, after: int, holes: Runs, limit: int) -> list[tuple[int, bool]]:
        self.calls.append((after, holes.spans))
        if self.held is not None:
            waiting: Deferred[None] = Deferred()
            self.held.append(waiting)
            await waiting
        if self.error is not None:
            raise self.error
        ids = sorted(id for id in self._store.rows if id > after or id in holes)[:limit]
        return [(id, id in self.rung) for id in ids]

    async def leave(self) -> None:
        self.calls.append("leave")

    @property
    def looks(self) -> list[Any]:
        """What the looks asked for."""
        return [call for call in self.calls if isinstance(call, tuple)]


class RingerCase(SynchronousTestCase):
    """A ringer that looks every `RING_SECONDS`."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = FakeStore()
        self.lookout = FakeLookout(self.store)
        self.log = FakeLog()
        self.broker = MemoryBroker()
        self.counters = Counters()
        self.ringer = Ringer(
            self.clock,
            self.lookout,
            self.store,  # type: ignore[arg-type]
            self.log,
            self.broker,
            RING_SECONDS,
            self.counters,
        )

    def start(self) -> None:
        """Start the ringer, and stop it after the test; nothing may be left on the clock then."""
        self.ringer.startService()
        self.addCleanup(self.stop)

    def stop(self) -> None:
        if self.ringer.running:
            self.ringer.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def turn(self, seconds: float = RING_SECONDS) -> None:
        """Let so much time pass, in steps of a look."""
        for _ in range(round(seconds / RING_SECONDS)):
            self.clock.advance(RING_SECONDS)

    @property
    def rung(self) -> list[int]:
        """The ids of the events that were published."""
        return [event.id for event in self.broker.published]
