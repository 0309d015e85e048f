"""Bounds in bytes."""

from twisted.trial.unittest import SynchronousTestCase

from feedd.core.sizes import fitting


class FittingTests(SynchronousTestCase):
    """`fitting`."""

    def test_some(self) -> None:
        """As many as make the bound; one at least, if there is one."""
        for sizes, count in (([], 0), ([9], 1), ([3, 2, 1], 2), ([5, 1], 1), ([1] * 9, 5)):
            self.assertEqual(fitting(sizes, 5), count, sizes)

    def test_looks_no_further(self) -> None:
        """Sizes behind the bound are not even asked for."""
        sizes = iter([3, 3, 3, 3])
        self.assertEqual((fitting(sizes, 5), list(sizes)), (1, [3, 3]))
