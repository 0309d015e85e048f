"""When the log is pruned; `tests.contracts.store_retention` has what is deleted."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from feedd.core.counters import Counters
from feedd.feed.ports import Unavailable
from feedd.log.pruner import BATCH, Pruner

FIRST, EVERY, PAUSE = Pruner.FIRST_SECONDS, Pruner.EVERY_SECONDS, Pruner.PAUSE_SECONDS


class Store:
    """
    Notes what it is asked.

    :ivar left: how many old events there are; an exception is raised, a Deferred is awaited.
    """

    def __init__(self, clock: Clock) -> None:
        self.left: int | Exception | Deferred[int] = 0
        self.asked: list[float] = []
        self._clock = clock

    async def prune(self, owner: str, keep_seconds: float, limit: int) -> int:
        assert (owner, keep_seconds, limit) == ("me", 60.0, BATCH)
        self.asked.append(self._clock.seconds())
        if isinstance(self.left, Exception):
            raise self.left
        if isinstance(self.left, Deferred):
            return await self.left
        count = min(self.left, limit)
        self.left -= count
        return count


class PrunerTests(SynchronousTestCase):
    """`Pruner`."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = Store(self.clock)
        self.counters = Counters()
        self.pruner = Pruner(self.clock, self.store, "me", 60.0, self.counters)
        self.pruner.startService()

    def test_again_and_again(self) -> None:
        """It prunes soon after the start, and then at long intervals."""
        self.clock.pump([FIRST, EVERY, EVERY])
        self.assertEqual(self.store.asked, [FIRST, FIRST + EVERY, FIRST + 2 * EVERY])
        self.assertEqual(self.counters["events_pruned"], 0)

    def test_batch_after_batch(self) -> None:
        """While there is more, batches follow each other with pauses."""
        self.store.left = 2 * BATCH + 7
        self.clock.pump([FIRST, PAUSE, PAUSE, PAUSE])
        self.assertEqual(self.store.asked, [FIRST, FIRST + PAUSE, FIRST + 2 * PAUSE])
        self.assertEqual(self.counters["events_pruned"], 2 * BATCH + 7)

    def test_away(self) -> None:
        """A database that is away is tried again at the next time."""
        self.store.left = Unavailable("database", "away")
        self.clock.pump([FIRST, PAUSE, 60.0])
        self.assertEqual((self.store.asked, self.counters["prune_failed"]), ([FIRST], 1))
        self.store.left = 3
        self.clock.advance(EVERY)
        self.assertEqual(self.counters["events_pruned"], 3)

    def test_a_mistake_of_ours(self) -> None:
        """A mistake of ours is logged, and does not end it."""
        self.store.left = ZeroDivisionError()
        self.clock.pump([FIRST, EVERY])
        self.assertEqual((len(self.store.asked), self.counters["prune_failed"]), (2, 2))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_stopped(self) -> None:
        """When stopped it leaves nothing behind, be it in a pause or in a batch."""
        self.pruner.stopService()
        self.pruner.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.pruner.startService()
        self.store.left = Deferred()
        self.clock.advance(FIRST)
        self.pruner.stopService()
        self.clock.advance(EVERY)
        self.assertEqual((len(self.store.asked), self.clock.getDelayedCalls()), (1, []))
