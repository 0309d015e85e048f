"""How far a log is settled, and what two reads prove."""

from twisted.trial.unittest import SynchronousTestCase

from feedd.core.counters import Counters
from feedd.core.event import MAX_ID
from feedd.core.horizon import (
    HELD_SECONDS,
    MANY_ABOVE,
    MAX_HOLES,
    MAX_IDS,
    Horizon,
    Settling,
    Standing,
    advance,
)
from feedd.core.runs import NO_RUNS, runs_of

S = 5.0


class SettlingCase(SynchronousTestCase):
    """A log of which nothing is settled, with S = 5 seconds."""

    def setUp(self) -> None:
        self.settling = Settling(S, Counters())
        self.settling.begin("k1", 0)

    def let_through(self, *ids: int) -> None:
        """These ids have been let through."""
        for id in ids:
            self.settling.let_through(id)

    def stand(self, *ids: int, at: float = 0.0, upto: int = MAX_ID) -> None:
        """These rows stood in the table above what is whole, committed or not."""
        self.settling.note_standing(Standing(list(ids), upto), at, at)

    def assert_settled(self, settled: int, *holes: int) -> None:
        """Assert that the log is settled up to here, but for these holes."""
        self.assertEqual(self.settling.horizon, Horizon("k1", settled, runs_of(holes)))


class SettlingTests(SettlingCase):
    """`Settling` on a database that shows what stands."""

    def test_directly_above(self) -> None:
        """An id directly above the watermark moves it at once, and those above it."""
        self.let_through(1, 3, 4, 2)
        self.assert_settled(4)
        self.assertEqual(self.settling.ahead, 0)

    def test_missing(self) -> None:
        """Where an id is missing the watermark waits for a read."""
        self.let_through(1, 3)
        self.assert_settled(1)
        self.stand(3)
        self.assert_settled(3, 2)

    def test_open(self) -> None:
        """A row that stands is a hole until it is committed, however long that takes."""
        self.let_through(1, 3)
        self.stand(2, 3)
        for second in range(100):
            self.stand(2, at=second * S)
        self.assert_settled(3, 2)
        self.assertFalse(self.settling.knows(2))
        self.let_through(2)
        self.assert_settled(3)
        self.assertTrue(self.settling.knows(2))

    def test_rolled_back(self) -> None:
        """A row that stood and stands no more ends its hole at once."""
        self.let_through(1, 3)
        self.stand(2, 3)
        self.stand(at=0.1)
        self.assert_settled(3)

    def test_burnt(self) -> None:
        """An id whose row never stood is a hole for S."""
        self.let_through(1, 3)
        self.stand(3, at=1)
        self.stand(at=S + 0.9)
        self.assert_settled(3, 2)
        self.stand(at=S + 1)
        self.assert_settled(3)

    def test_placed_late(self) -> None:
        """A row that is written after it was missed is a hole like any other that stands."""
        self.let_through(1, 3)
        self.stand(3)
        self.stand(2, at=4)
        self.stand(2, at=100)
        self.assert_settled(3, 2)
        self.stand(at=101)
        self.assert_settled(3)

    def test_never_to_an_uncommitted_row(self) -> None:
        """The watermark goes no further than the highest id that has been let through."""
        self.let_through(1, 3)
        self.stand(2, 3, 4, 5)
        self.assert_settled(3, 2)

    def test_not_above_what_stood(self) -> None:
        """An id that came after the read of what stands proves nothing about lower ones."""
        self.let_through(1, 3, 7)
        self.stand(3)
        self.assert_settled(3, 2)
        self.assertEqual(self.settling.ahead, 1)

    def test_cut(self) -> None:
        """Where a limit cut the read, a hole above it stays."""
        self.let_through(1, 3, 5)
        self.stand(2, 3, 4, 5)
        self.stand(2, at=100, upto=2)
        self.assert_settled(5, 2, 4)

    def test_too_many_holes(self) -> None:
        """The watermark stops before the hole that would be one too many."""
        odd = range(1, 2 * MAX_HOLES + 20, 2)
        self.let_through(*odd)
        for _ in range(2):
            self.stand(*odd)
            self.assertEqual(self.settling.horizon.holes.count, MAX_HOLES)
            self.assertEqual(self.settling.horizon.settled, 2 * MAX_HOLES + 1)
        self.let_through(2)
        self.stand(*odd)
        self.assertEqual(self.settling.horizon.holes.count, MAX_HOLES)
        self.assertEqual(self.settling.horizon.settled, 2 * MAX_HOLES + 3)

    def test_whole(self) -> None:
        """The log is whole below its first hole."""
        self.let_through(1, 2, 4)
        self.stand(4)
        self.assertEqual(self.settling.horizon.whole, 2)
        self.let_through(3)
        self.assertEqual(self.settling.horizon.whole, 4)

    def test_held(self) -> None:
        """The watermark stops below a friend change for a while, so that cursors name it."""
        self.settling.let_through(1)
        self.settling.let_through(2, is_held=True)
        self.settling.let_through(3)
        self.assert_settled(1)
        self.stand(2, 3, at=0)
        self.stand(2, 3, at=HELD_SECONDS - 0.1)
        self.assert_settled(1)
        self.stand(2, 3, at=HELD_SECONDS)
        self.assert_settled(3)

    def test_too_many_to_be_named(self) -> None:
        """
        While nothing can be read, a hundred ids above the watermark make holes of what is missing;
        these are burnt S after the next read but one, or open when their rows stand then.
        """
        self.stand()
        self.let_through(1)
        self.settling.let_through(3, is_held=True)
        self.let_through(*range(6, 6 + MANY_ABOVE - 2))
        self.assert_settled(1)
        self.let_through(200)
        self.assert_settled(200, 2, 4, 5, *range(6 + MANY_ABOVE - 2, 200))
        for second in (90, 100, 100 + S - 0.1):
            self.stand(5, at=second)
            self.assert_settled(200, 2, 4, 5, *range(6 + MANY_ABOVE - 2, 200))
        self.stand(5, at=100 + S)
        self.assert_settled(200, 5)

    def test_no_holes_where_nothing_is_seen(self) -> None:
        """Where nobody sees what stands, time alone settles."""
        self.let_through(*range(2, 2 + MANY_ABOVE + 9))
        self.assert_settled(0)

    def test_closed(self) -> None:
        """Another database has another epoch; ids mean what they did until it is opened."""
        self.let_through(1)
        self.settling.close()
        self.assertEqual(self.settling.horizon, Horizon("", 1))


class AdvanceTests(SynchronousTestCase):
    """`advance`: a viewer's position after another process's cursor."""

    def after(
        self, stands: Horizon, ids: tuple[int, ...], here: Horizon, *events: int
    ) -> tuple[int, set[int], tuple[int, ...]]:
        """Where the viewer stands then: the watermark, the holes up to 50, and the ids above."""
        (_, settled, holes), above = advance(stands, ids, here, events)
        return settled, {id for id in range(1, 51) if id in holes}, above

    def test_here_further_on(self) -> None:
        """The holes of this process that the viewer lacks are theirs, but for what they get now."""
        found = self.after(Horizon("k1", 4), (7,), Horizon("k1", 9, runs_of([3, 6, 7, 8])), 8, 11)
        self.assertEqual(found, (9, {6}, (11,)))

    def test_there_further_on(self) -> None:
        """What this process has not come to stays as the viewer has it."""
        found = self.after(Horizon("k1", 9, runs_of([3, 7])), (11,), Horizon("k1", 5), 10)
        self.assertEqual(found, (9, {7}, (10, 11)))

    def test_both(self) -> None:
        """A hole of the viewer's ends where this process knows that nothing can appear."""
        here = Horizon("k1", 8, runs_of([5]))
        self.assertEqual(self.after(Horizon("k1", 6, runs_of([2, 5])), (), here), (8, {5}, ()))

    def test_too_many_ids(self) -> None:
        """Of more than 200 ids the oldest are named by the gaps between them."""
        ids = tuple(id for id in range(2, MAX_IDS + 6) if id != 4)
        settled, holes, above = self.after(Horizon("k1", 0), ids, Horizon("k1", 0))
        self.assertEqual((settled, holes, above), (5, {1, 4}, ids[-MAX_IDS:]))

    def test_too_many_gaps(self) -> None:
        """Where the gaps are too many as well, the oldest ids are left out."""
        ids = tuple(range(2, 2000, 2))
        (_, settled, holes), above = advance(Horizon("k1", 0), ids, Horizon("k1", 0), ())
        self.assertEqual((settled, holes, above), (0, NO_RUNS, ids[-MAX_IDS:]))

    def test_below(self) -> None:
        """A horizon can be cut at an id."""
        horizon = Horizon("k1", 9, runs_of([3, 7]))
        self.assertEqual(horizon.below(5), Horizon("k1", 5, runs_of([3])))
        self.assertEqual(horizon.below(9), horizon)
