"""The benchmark of the hub."""

from twisted.trial.unittest import SynchronousTestCase

from bench import hub


class StopwatchTests(SynchronousTestCase):
    """`Stopwatch`."""

    def test_put_off(self) -> None:
        """What a call has put off is done, and each part of it counts as a call."""
        watch = hub.Stopwatch(self)
        self.left = 3
        self.assertEqual(watch.call(lambda: "done"), "done")
        self.assertEqual(self.left, 0)
        self.assertLessEqual(watch.longest, watch.total)

    @property
    def has_work(self) -> bool:
        """Whether something was put off."""
        return self.left > 0

    def go_on(self) -> None:
        """Do a part of it."""
        self.left -= 1


class TurnTests(SynchronousTestCase):
    """`turn`."""

    def test_small(self) -> None:
        """Everything is measured, by names that say at which size."""
        found = hub.turn(0.001)
        self.assertIn("expire 60 subscriptions of one user", found)
        self.assertIn("10 of 50 unfriend an author", found)
        self.assertEqual(len(found), 10)
        self.assertGreater(min(watch.total for watch in found.values()), 0)
