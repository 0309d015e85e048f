"""A bulkhead whose calls end at once, and whose places rest."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from feedd.reactor.bulkhead import LATE_SECONDS, LATE_TIMES, Bulkhead


class LateTests(SynchronousTestCase):
    """Turns of the reactor that come late."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.bulkhead = Bulkhead(self.clock, 1, 10_000.0, 1.0)
        self.called = 0
        for _ in range(2):
            Deferred.fromCoroutine(self.bulkhead.run(self.call, 1))

    async def call(self) -> None:
        self.called += 1

    def test_in_time(self) -> None:
        """A place whose turn comes in time is taken when it has rested."""
        self.clock.advance(0.9)
        self.assertEqual(self.called, 1)
        self.clock.advance(0.1)
        self.assertEqual(self.called, 2)

    def test_late(self) -> None:
        """One whose turn comes late rests longer, as the process is busy."""
        self.clock.advance(1.1)
        self.clock.advance(0.1 * LATE_TIMES - 0.01)
        self.assertEqual(self.called, 1)
        self.clock.advance(0.02)
        self.assertEqual(self.called, 2)

    def test_clock_set(self) -> None:
        """A clock that was set forward, or back, makes no long rest."""
        self.clock.advance(3600)
        self.clock.advance(LATE_SECONDS * LATE_TIMES)
        self.assertEqual(self.called, 2)
