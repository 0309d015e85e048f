"""The watchdog beside a reactor that runs."""

import time

from twisted.internet.task import deferLater
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from feedd.core.counters import Counters
from feedd.reactor.watchdog import Watchdog


def dawdle() -> None:
    """What a reactor should never do."""
    time.sleep(0.5)


class WatchdogTests(TestCase):
    """`Watchdog`."""

    async def test_a_turn_that_takes_long(self) -> None:
        """Is found, and the function where it stays is named, while it is there."""
        from twisted.internet import reactor

        counters = Counters()
        watchdog = Watchdog(reactor, counters)
        watchdog.startService()
        self.addCleanup(watchdog.stopService)
        await deferLater(reactor, 0.3, lambda: None)
        before = counters["reactor_stalls"]
        with capturedLogs() as logs:
            await deferLater(reactor, 0, dawdle)
            await deferLater(reactor, 0.2, lambda: None)
        self.assertTrue(any("in dawdle" in log.get("stack", "") for log in logs), logs)
        self.assertGreater(counters["reactor_stalls"], before)
