"""Sets of ids as runs, beside Python's sets."""

from collections.abc import Set

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from feedd.core.runs import NO_RUNS, Runs, above, gaps, runs_of, runs_of_spans, upto

IDS = st.frozensets(st.integers(1, 40))
PROFILE = settings(max_examples=200, derandomize=True, deadline=None, database=None)


def members(runs: Runs) -> set[int]:
    """The ids up to 50 in `runs`."""
    return {id for id in range(1, 51) if id in runs}


class RunsTests(SynchronousTestCase):
    """`Runs` is a set."""

    @PROFILE
    @given(IDS, IDS)
    def test_sets(self, one: Set[int], other: Set[int]) -> None:
        """Each operation does what it does to sets, and equal sets are equal runs."""
        these, those = runs_of(one), runs_of(other)
        self.assertEqual(members(these), one)
        self.assertEqual(these.both(those), runs_of(one & other))
        self.assertEqual(these.either(those), runs_of(one | other))
        self.assertEqual(these.but(those), runs_of(one - other))
        self.assertEqual(bool(these), bool(one))
        self.assertEqual(runs_of_spans(these.spans), these)
        self.assertEqual(these.count, len(these.spans))
        if one:
            self.assertEqual(these.first, min(one))

    @PROFILE
    @given(IDS, st.integers(0, 41))
    def test_sides(self, ids: Set[int], id: int) -> None:
        """A set is what is above an id, and what is not."""
        runs = runs_of(ids)
        self.assertEqual(members(runs.both(upto(id))), {each for each in ids if each <= id})
        self.assertEqual(members(runs.both(above(id))), {each for each in ids if each > id})

    @PROFILE
    @given(IDS, st.integers(0, 5))
    def test_gaps(self, ids: Set[int], after: int) -> None:
        """Gaps are what is missing below the highest id."""
        higher = sorted(id for id in ids if id > after)
        missing = set(range(after + 1, max(higher, default=0))) - ids
        self.assertEqual(members(gaps(after, higher)), missing)

    def test_cut(self) -> None:
        """Only the first runs are kept."""
        self.assertEqual(runs_of([1, 2, 5, 9]).cut(2), runs_of([1, 2, 5]))
        self.assertEqual(runs_of([1]).cut(0), NO_RUNS)
