"""Friend lists that are loaded together."""

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from feedd.cache.loads import AT_ONCE, VIEWERS, make_loads
from feedd.core.counters import Counters
from feedd.feed.ports import Unavailable
from feedd.feed.settings import Cache


class Loads(SynchronousTestCase):
    """Batches of friend lists."""

    def test_bounds(self) -> None:
        """
        So many viewers are asked for at once; past `max_waiting` a list is unavailable, counted.
        """
        clock, counters, sizes = Clock(), Counters(), []

        async def load_all(viewers: Sequence[int]) -> list[tuple[str, ...]]:
            sizes.append(len(viewers))
            return await Deferred()

        loads = make_loads(load_all, clock, Cache(max_waiting=5 * VIEWERS), counters)
        for viewer in range(5 * VIEWERS):
            loads.ask(viewer)
        error = self.failureResultOf(loads.ask(-1), Unavailable).value
        self.assertEqual((error.part, counters["friends_refused"]), ("database", 1))
        clock.advance(0)
        self.assertEqual(sizes, [VIEWERS] * AT_ONCE)
