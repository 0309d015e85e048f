"""Items of many keys, taken in turns."""

from twisted.trial.unittest import SynchronousTestCase

from feedd.reactor.lines import Lines


class LinesTests(SynchronousTestCase):
    """`Lines`."""

    def setUp(self) -> None:
        self.waiting: Lines[str] = Lines()

    def put(self, words: str) -> None:
        """Put each word under its first letter."""
        for word in words.split():
            self.waiting.put(word, word[0])

    def take(self, count: int) -> str:
        """Take so many; the next was always known."""
        taken = []
        for _ in range(count):
            taken.append(self.waiting.peek())
            self.assertEqual(self.waiting.take(), taken[-1])
        return " ".join(taken)

    def test_turns(self) -> None:
        """After an item of one key comes one of the next, each key's in their order."""
        self.put("a1 a2 a3 b1 b2 c1")
        self.assertEqual(len(self.waiting), 6)
        self.assertEqual(self.take(6), "a1 b1 c1 a2 b2 a3")
        self.assertEqual(len(self.waiting), 0)

    def test_who_comes_later(self) -> None:
        """A key that comes later waits for one item of each other key at most."""
        self.put("a1 a2 a3 b1 b2 b3")
        self.assertEqual(self.take(3), "a1 b1 a2")
        self.put("c1 a4")
        self.assertEqual(self.take(5), "b2 a3 c1 b3 a4")

    def test_first(self) -> None:
        """Items that were put first come before all lines, in their order."""
        self.put("a1 b1")
        for word in ("x", "y"):
            self.waiting.put_first(word)
        self.assertEqual(self.take(4), "x y a1 b1")

    def test_nothing(self) -> None:
        """Nothing can be taken where nothing waits."""
        self.assertRaises(LookupError, self.waiting.take)
