"""Counters."""

from twisted.trial.unittest import SynchronousTestCase

from feedd.core.counters import Counters


class CountersTests(SynchronousTestCase):
    """`Counters`."""

    def test_add(self) -> None:
        """A name counts up by one, or by an amount."""
        counters = Counters()
        counters.add("a")
        counters.add("a", 4)
        self.assertEqual(counters["a"], 5)

    def test_never_counted(self) -> None:
        """What never happened is 0, and is not listed for having been asked for."""
        counters = Counters()
        self.assertEqual((counters["a"], counters.snapshot()), (0, {}))

    def test_snapshot(self) -> None:
        """A snapshot is sorted by name and does not go on counting."""
        counters = Counters()
        counters.add("b")
        counters.add("a")
        snapshot = counters.snapshot()
        counters.add("a")
        self.assertEqual(list(snapshot.items()), [("a", 1), ("b", 1)])
