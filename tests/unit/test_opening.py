"""Opening the log: again and again, until it succeeds."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from feedd.feed.ports import Opening, Unavailable
from feedd.log.opening import UNUSABLE, Opener

FOUND = Opening("k1", 3, [])


class FakeStore:
    """A store that fails as the test says, and then opens."""

    def __init__(self, *failures: Exception) -> None:
        self._failures = list(failures)

    async def prepare(self) -> None:
        if self._failures:
            raise self._failures.pop(0)

    async def open(self, last: int, most_bytes: int) -> Opening:
        return FOUND


class OpenerTests(SynchronousTestCase):
    """`Opener`."""

    def start(self, *failures: Exception) -> None:
        """Start one on a store that fails like this."""
        self.clock, self.opened = Clock(), list[Opening]()
        self.opener = Opener(self.clock, FakeStore(*failures), 9, 999, self.opened.append)
        self.opener.startService()
        self.addCleanup(self.opener.stopService)

    def test_at_once(self) -> None:
        """A database that is there is opened."""
        self.start()
        self.assertEqual((self.opened, self.opener.trouble), ([FOUND], ""))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_away(self) -> None:
        """One that is away is tried again, and the reason told."""
        self.start(Unavailable("database", "gone"))
        self.assertEqual((self.opened, self.opener.trouble), ([], "gone"))
        self.clock.advance(Opener.RETRY_SECONDS)
        self.assertEqual((self.opened, self.opener.trouble), ([FOUND], ""))

    def test_whatever_fails(self) -> None:
        """So is one on which something unexpected fails; the log of the daemon tells it once."""
        self.start(ValueError("no such table"), ValueError("no such table"))
        self.assertEqual((self.opened, self.opener.trouble), ([], UNUSABLE))
        self.clock.advance(Opener.RETRY_SECONDS)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.clock.advance(Opener.RETRY_SECONDS)
        self.assertEqual((self.opened, self.opener.trouble), ([FOUND], ""))

    def test_of_no_use(self) -> None:
        """A log that cannot be used has not been opened, whatever the store says."""
        self.clock = Clock()
        self.opener = Opener(self.clock, FakeStore(), 9, 999, lambda opening: 1 // 0)
        self.opener.startService()
        self.addCleanup(self.opener.stopService)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.opener.trouble, "not opened yet")

    def test_stopped(self) -> None:
        """Stopped, it tries no longer."""
        self.start(Unavailable("database", "gone"))
        self.opener.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
