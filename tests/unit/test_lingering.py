"""When subscriptions are looked at."""

from twisted.trial.unittest import SynchronousTestCase

from feedd.core.lingering import Lingering
from feedd.core.subscription import Subscription


class LingeringTests(SynchronousTestCase):
    """`Lingering`."""

    def setUp(self) -> None:
        self.lingering = Lingering()

    def add(self, count: int, since: float) -> list[Subscription]:
        """Some that were idle then."""
        added = [Subscription("al", f"h{number}", since) for number in range(count)]
        for subscription in added:
            self.lingering.add(subscription, since, count)
        return added

    def looks(self, now: float) -> list[Subscription | None]:
        """Each look, and whose time it found to be over."""
        return list(self.lingering.over(now, 60))

    def test_over(self) -> None:
        """The time of those is over that have been idle for so long."""
        first, second = self.add(2, 0.25), self.add(1, 1.5)
        self.assertEqual(self.looks(60), [])
        self.assertEqual(self.looks(60.25), first[::-1])
        self.assertEqual(self.looks(62), second)

    def test_in_use(self) -> None:
        """One that is in use is looked at once in the linger time."""
        (subscription,) = self.add(1, 0)
        subscription.listener = "waits"
        looks = [second for second in range(200) if self.looks(second)]
        self.assertEqual(looks, [60, 120, 180])

    def test_put_off(self) -> None:
        """One that was in use meanwhile is over the linger time after that."""
        (subscription,) = self.add(1, 0)
        subscription.idle_since = 42.5
        self.assertEqual(self.looks(60), [None])
        self.assertEqual(self.looks(102), [])
        self.assertEqual(self.looks(102.5), [subscription])

    def test_ended(self) -> None:
        """One that has ended is let go of."""
        (subscription,) = self.add(1, 0)
        subscription.end()
        self.assertEqual((self.looks(60), self.looks(500)), ([None], []))

    def test_many_end(self) -> None:
        """However many come and go within the linger time, few are kept."""
        (stays,) = self.add(1, 0)
        for _ in range(10_000):
            for subscription in self.add(1, 0):
                subscription.end()
        looks = self.looks(60)
        self.assertLess(len(looks), 1_100)
        self.assertIn(stays, looks)
