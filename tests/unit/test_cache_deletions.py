"""The keys that must be deleted, their order, and those who wait for it."""

from twisted.trial.unittest import SynchronousTestCase

from feedd.cache.deletions import Deletions


class DeletionsTests(SynchronousTestCase):
    """`Deletions` of four keys at most."""

    def setUp(self) -> None:
        self.deletions = Deletions(4)

    def test_oldest_first(self) -> None:
        """Requests are met in their order; a repeated one goes to the end."""
        self.deletions.add([b"a", b"b", b"c"])
        self.deletions.add([b"a"])
        self.assertEqual([key for key, _ in self.deletions.batch(2)], [b"b", b"c"])
        self.assertEqual([key for key, _ in self.deletions.batch(9)], [b"b", b"c", b"a"])

    def test_when_done(self) -> None:
        """A waiter goes on when all that was requested before is done, and not before."""
        self.deletions.add([b"a", b"b"])
        first = self.deletions.when_done()
        self.deletions.add([b"a"])
        second = self.deletions.when_done()
        self.deletions.done([(b"a", 2)])
        self.assertNoResult(first)
        self.deletions.done([(b"b", 1)])
        self.successResultOf(first)
        self.successResultOf(second)

    def test_superseded(self) -> None:
        """An earlier request that is done leaves a later one for the same key."""
        self.deletions.add([b"a"])
        batch = self.deletions.batch(9)
        self.deletions.add([b"a"])
        self.deletions.done(batch)
        self.assertIn(b"a", self.deletions)

    def test_bounded(self) -> None:
        """What there is no room for is counted; what is there already needs none."""
        self.assertEqual(self.deletions.add([b"a", b"b", b"c", b"d", b"e"]), 1)
        self.assertEqual(self.deletions.add([b"a", b"d"]), 0)
        self.assertEqual(self.deletions.add([b"f", b"b"]), 1)
        self.assertNotIn(b"f", self.deletions)

    def test_release(self) -> None:
        """Waiters are let go; the keys stay."""
        self.deletions.add([b"a"])
        waiting = self.deletions.when_done()
        self.deletions.release()
        self.successResultOf(waiting)
        self.assertEqual(len(self.deletions), 1)

    def test_cancelled(self) -> None:
        """A waiter that went away meanwhile holds up nobody."""
        self.deletions.add([b"a"])
        gone, stays = self.deletions.when_done(), self.deletions.when_done()
        gone.addErrback(lambda _: None).cancel()
        self.deletions.done([(b"a", 1)])
        self.successResultOf(stays)
