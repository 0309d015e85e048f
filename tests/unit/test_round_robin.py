"""Work in pieces: whose turn it is, and how long a turn is."""

from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from feedd.reactor.round_robin import REST_SECONDS, SLICE_SECONDS, RoundRobin


class Pieces:
    """A worker with so many pieces, each of which takes some time."""

    def __init__(self, case: "RoundRobinTests", name: str, number: int, seconds: float) -> None:
        self._case = case
        self._name = name
        self._number = number
        self._seconds = seconds
        self.failed = False

    def go_on(self) -> None:
        self._case.now += self._seconds
        self._case.done += self._name
        self._number -= 1
        if self._number < 0:
            raise ZeroDivisionError
        if self._number:
            self._case.turns.add(self)

    def fail(self) -> None:
        self.failed = True


class RoundRobinTests(SynchronousTestCase):
    """
    A `RoundRobin` whose time passes with the work.

    :ivar done: the names of the workers whose pieces were done.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.now = 0.0
        self.done = ""
        now: Callable[[], float] = lambda: self.now  # noqa: E731
        self.turns = RoundRobin(self.clock, now)
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def add(self, name: str, number: int, seconds: float = 0.0) -> Pieces:
        worker = Pieces(self, name, number, seconds)
        self.turns.add(worker)
        return worker

    def turn(self, seconds: float = 0.0) -> str:
        """The pieces done in the next turn, which comes in `seconds`."""
        self.done = ""
        self.now += seconds
        self.clock.advance(seconds)
        return self.done

    def test_order(self) -> None:
        """Each does one piece, then the others have theirs; nothing is done before the turn."""
        for name in "abc":
            self.add(name, 3 if name == "a" else 2)
        self.assertEqual((self.done, len(self.turns)), ("", 3))
        self.assertEqual((self.turn(), len(self.turns)), ("abcabca", 0))

    def test_slice(self) -> None:
        """When the time of a turn is over the rest waits, and the process has a rest."""
        self.add("a", 3, SLICE_SECONDS * 0.4)
        self.add("b", 2, SLICE_SECONDS * 0.4)
        self.assertEqual(self.turn(), "aba")
        self.assertEqual(self.turn(REST_SECONDS * 0.4), "")
        self.assertEqual(self.turn(REST_SECONDS * 0.7), "ba")

    def test_long_piece(self) -> None:
        """A piece that takes longer is the only one of its turn."""
        self.add("a", 2, 1.0)
        self.assertEqual([self.turn(), self.turn(REST_SECONDS)], ["a", "a"])

    def test_rest_of_who_comes_later(self) -> None:
        """The rest is one of all: who comes within it waits for its end."""
        self.add("a", 1, SLICE_SECONDS)
        self.turn()
        self.add("b", 1)
        self.assertEqual([self.turn(), self.turn(REST_SECONDS)], ["", "b"])
        self.add("c", 1)
        self.assertEqual(self.turn(), "c")

    def test_twice(self) -> None:
        """One that waits keeps its place, and does one piece."""
        worker = self.add("a", 1)
        self.add("b", 1)
        self.turns.add(worker)
        self.assertEqual(self.turn(), "ab")

    def test_discard(self) -> None:
        """One that is forgotten does nothing, whether it waited or not."""
        worker = self.add("a", 1)
        self.add("b", 1)
        for _ in range(2):
            self.turns.discard(worker)
        self.assertEqual(self.turn(), "b")

    def test_failure(self) -> None:
        """One that fails is told so, logged, and takes nobody along."""
        worker = self.add("a", 0)
        self.add("b", 1)
        self.assertEqual((self.turn(), worker.failed), ("ab", True))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
