"""How ids are looked for."""

from itertools import pairwise

from twisted.trial.unittest import SynchronousTestCase

from feedd.store.tables.keyset import GROWTH, WINDOW, falling, rising, split


class WindowTests(SynchronousTestCase):
    """The windows in which ids are looked for."""

    def check(self, spans: list[tuple[int, int]]) -> None:
        """They meet without gap or overlap, and grow."""
        for (_, upto), (above, _) in pairwise(spans):
            self.assertEqual(upto, above)
        self.assertTrue(all(above < upto for above, upto in spans))

    def test_rising(self) -> None:
        """Windows go from the first id above to the highest, and name each once."""
        self.assertEqual(list(rising(5, 5)), [])
        self.assertEqual(list(rising(7, 5)), [])
        self.assertEqual(list(rising(5, 6)), [(5, 6)])
        spans = list(rising(5, 10**9))
        self.check(spans)
        self.assertEqual(
            (spans[0], spans[1][1] - spans[1][0], spans[-1][1]),
            ((5, 5 + WINDOW), WINDOW * GROWTH, 10**9),
        )
        self.assertLess(len(spans), 10)

    def test_falling(self) -> None:
        """Windows go from the id below down to 1, and name each once."""
        self.assertEqual(list(falling(1)), [])
        self.assertEqual(list(falling(0)), [])
        self.assertEqual(list(falling(2)), [(0, 1)])
        spans = list(falling(10**9))
        self.check(spans[::-1])
        self.assertEqual((spans[0], spans[-1][0]), ((10**9 - 1 - WINDOW, 10**9 - 1), 0))
        self.assertLess(len(spans), 10)

    def test_pieces(self) -> None:
        """A list is cut into pieces, the last one shorter."""
        self.assertEqual(list(split([1, 2, 3, 4, 5], 2)), [[1, 2], [3, 4], [5]])
        self.assertEqual(list(split([], 2)), [])
