"""The events after a cursor: the index by author finds what a look at every event finds."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from feedd.core.counters import Counters
from feedd.core.position import Position
from feedd.core.recent import RecentLog
from tests.unit.core import post

AUTHORS = ["al", "bob", "cid", "dan"]
STRANGERS = [f"stranger{number}" for number in range(100)]

IDS = st.integers(1, 60)
EVENTS = st.lists(
    st.tuples(IDS, st.sampled_from(AUTHORS)), max_size=60, unique_by=lambda pair: pair[0]
)
SETS = st.lists(st.sampled_from([*AUTHORS, "nobody"]), max_size=5)


class Compared(list[str]):
    """Authors that count how often the author of an event is compared with them."""

    comparisons = 0

    def __contains__(self, author: object) -> bool:
        self.comparisons += 1
        return super().__contains__(author)


class After(SynchronousTestCase):
    """`RecentLog.after`."""

    def log(
        self, filled: Sequence[tuple[int, str]], offered: Sequence[tuple[int, str]], size: int = 8
    ) -> RecentLog:
        log = RecentLog(lambda event: None, size, 5.0, Counters())
        log.fill("k1", 0, [post(id, author) for id, author in sorted(filled)])
        for id, author in offered:
            log.offer(post(id, author))
        return log

    @given(EVENTS, EVENTS, st.integers(0, 60), st.lists(IDS), SETS)
    def test_both_ways(
        self,
        filled: list[tuple[int, str]],
        offered: list[tuple[int, str]],
        settled: int,
        ids: list[int],
        authors: list[str],
    ) -> None:
        """
        Whatever came, in any order, and was evicted: few authors are looked up, many are scanned
        for, with one result.
        """
        log = self.log(filled, offered)
        looked_up, scanned = (
            log.after(Position(settled, tuple(ids)), authors),
            log.after(Position(settled, tuple(ids)), [*authors, *STRANGERS]),
        )
        self.assertEqual(looked_up, scanned)
        if looked_up is not None:
            heard = [event.id for event in looked_up]
            self.assertEqual(heard, sorted({*heard} - {*ids}))
            self.assertTrue(
                all(event.author in authors and event.id > settled for event in looked_up)
            )

    def test_every_event(self) -> None:
        """Nothing is left out, late events and those of before the start included."""
        log = self.log(
            [(1, "al"), (3, "bob"), (5, "al")], [(9, "al"), (4, "bob"), (7, "al"), (2, "cid")]
        )
        for authors in (["al", "bob"], ["al", "bob", *STRANGERS]):
            self.assertEqual(
                [event.id for event in log.after(Position(1, (7,)), authors) or []], [3, 4, 5, 9]
            )

    def test_few_are_looked_at(self) -> None:
        """
        A viewer who hears few of many does not look at all that was said: thousands ask this at the
        same moment.
        """
        log = self.log(
            [], [(number, f"author{number % 500}") for number in range(1, 5001)], size=5000
        )
        authors = Compared(["author7", "author8"])
        self.assertEqual(len(log.after(Position(0), authors) or []), 20)
        self.assertLess(authors.comparisons, 50)

    def test_recent_cursor(self) -> None:
        """
        With a recent cursor the authors are not gone through: a friend list may be longer than what
        is new.
        """
        log = self.log([], [(number, "al") for number in range(1, 5001)], size=5000)

        class Uncounted(list[str]):
            def __iter__(self) -> None:  # type: ignore[override]
                raise AssertionError("gone through")

        self.assertEqual(
            [event.id for event in log.after(Position(4998), Uncounted(["al", *STRANGERS])) or []],
            [4999, 5000],
        )

    def test_forgotten_with_the_rest(self) -> None:
        """Authors whose events are evicted or were of another database leave nothing behind."""
        log = self.log([], [(number, f"author{number}") for number in range(1, 1000)])
        self.assertLessEqual(log.authors, 9)
        log.fill("k1", 2000, [])
        self.assertEqual(log.authors, 0)
