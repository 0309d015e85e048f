"""How far the ringer has looked."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from feedd.core.horizon import Horizon
from feedd.core.runs import NO_RUNS, Runs, runs_of
from feedd.log.looked import EVERY, MOST, NEAR, Looked


def spans(missing: Runs) -> list[tuple[int, int]]:
    """The runs of a question."""
    return missing.spans


class LookedTests(SynchronousTestCase):
    """`Looked`."""

    def setUp(self) -> None:
        self.horizon = Horizon("k1", 4, runs_of([2, 3]))
        self.looked = Looked(self.horizon)

    def look(self, *ids: int, is_cut: bool = False) -> tuple[int, Runs]:
        """One look, to which these ids are the answer; returns what it asked."""
        after, asked = self.looked.question()
        self.looked.take(ids, asked, self.horizon, is_cut)
        return after, asked

    def test_begin(self) -> None:
        """It begins above what is settled, and in its holes."""
        self.assertEqual(self.look(), (4, runs_of([2, 3])))

    def test_rows_are_asked_for_once(self) -> None:
        """What has come is not asked for again; what is missing below it is."""
        self.look(3, 5, 8)
        self.assertEqual(self.look(6), (8, runs_of([2, 6, 7])))
        self.assertEqual(self.look(), (8, runs_of([2, 7])))

    def test_nothing_is_given_up_too_early(self) -> None:
        """
        An id that could not appear any more when the look began, and has not come, is forgotten;
        one that the net has brought meanwhile is asked for once more.
        """
        self.look(8)
        self.horizon = Horizon("k1", 7, runs_of([6]))
        for _ in range(EVERY):
            self.assertIn(5, self.looked.question()[1])
            self.looked.take((), NO_RUNS, self.horizon, False)
        for _ in range(EVERY):
            self.look()
        self.assertEqual(self.looked.question(), (8, runs_of([6])))

    def test_an_answer_that_was_cut(self) -> None:
        """Behind it there may be more, also in the holes."""
        self.horizon = Horizon("k1", 9)
        for _ in range(EVERY):
            self.look(3, is_cut=True)
        self.assertEqual(self.looked.question(), (4, runs_of([2])))

    def test_many_are_missing(self) -> None:
        """A look asks for the newest runs, every fifth one for all."""
        self.look(*range(10, 10 + 4 * NEAR, 2))
        counts = [self.look()[1].count for _ in range(2 * EVERY)]
        whole = counts[EVERY - 2]
        self.assertGreater(whole, NEAR)
        self.assertEqual(counts.count(NEAR), 2 * EVERY - 2)
        self.assertEqual(counts[2 * EVERY - 2], whole)
        self.assertEqual(self.look()[1].bounds[-1], 10 + 4 * NEAR - 2)

    def test_too_many_are_missing(self) -> None:
        """The oldest runs are left to the net, and counted."""
        self.look(*range(10, 10 + 2 * MOST + 6, 2))
        self.assertEqual(self.looked.left_out, 4)
        for _ in range(EVERY - 2):
            self.look()
        self.assertEqual(self.look()[1].spans[0], (15, 15))

    @given(st.lists(st.lists(st.integers(1, 60), max_size=8), max_size=12))
    def test_every_row_comes_once(self, commits: list[list[int]]) -> None:
        """Whatever the order in which rows are committed, each is in one answer."""
        looked = Looked(Horizon("k1"))
        committed: set[int] = set()
        seen: list[int] = []
        for some in commits:
            committed.update(some)
            after, asked = looked.question()
            ids = sorted(id for id in committed if id > after or id in asked)
            looked.take(ids, asked, Horizon("k1"), False)
            seen += ids
        self.assertEqual(sorted(seen), sorted(committed))
