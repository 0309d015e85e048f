"""A store on a database that takes no writes."""

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from feedd.core.counters import Counters
from feedd.feed.ports import Unavailable
from feedd.reactor.complaints import Complaints
from feedd.store.running.refusals import LOOK_SECONDS, QUIET_SECONDS, Refusals


class RefusalTests(SynchronousTestCase):
    """`Refusals`."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.counters = Counters()
        complain = Complaints(self.counters, self.clock.seconds)
        self.refusals = Refusals(self.clock, complain, self.look)
        self.why = "it is read-only (1290)"
        self.looks = 0

    def look(self) -> Deferred[None]:
        """Try to write; while there is a reason not to, it is refused as any other write."""
        self.looks += 1
        if self.why:
            self.refusals.note(self.why)
            return fail(Unavailable("database", self.why))
        return succeed(None)

    def test_until_it_is_taken(self) -> None:
        """
        The reason stands while a write is refused each second, and for a little longer; then
        nothing is tried any more.
        """
        self.assertEqual(self.refusals.trouble, "")
        self.refusals.note(self.why)
        self.refusals.note(self.why)
        self.assertEqual((self.refusals.trouble, self.looks), (self.why, 0))
        self.clock.pump([LOOK_SECONDS] * 20)
        self.assertEqual((self.refusals.trouble, self.looks), (self.why, 20))
        self.assertEqual(self.counters["store_writes_refused"], 22)
        self.why = ""
        self.clock.advance(LOOK_SECONDS)
        self.assertNotEqual(self.refusals.trouble, "")
        self.clock.pump([LOOK_SECONDS] * int(QUIET_SECONDS / LOOK_SECONDS))
        self.assertEqual((self.refusals.trouble, self.clock.getDelayedCalls()), ("", []))

    def test_again(self) -> None:
        """A refusal after that is another one."""
        for _ in range(2):
            self.why = ""
            self.refusals.note("full")
            self.clock.pump([LOOK_SECONDS] * 6)
            self.assertEqual(self.refusals.trouble, "")

    def test_stopped(self) -> None:
        """A store that has stopped tries no more."""
        self.refusals.note(self.why)
        self.refusals.stop()
        self.refusals.note(self.why)
        self.refusals.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_look_that_is_a_mistake(self) -> None:
        """An unexpected failure is logged, and the look tried again."""
        self.refusals = Refusals(
            self.clock, Complaints(self.counters, self.clock.seconds), lambda: fail(ValueError())
        )
        self.refusals.note("full")
        self.clock.pump([LOOK_SECONDS] * 2)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)
        self.refusals.stop()
