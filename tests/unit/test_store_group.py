"""Group commit, its threads worked by hand."""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from feedd.feed.ports import Unavailable
from feedd.store.running.group_commit import MAX_BYTES, MOST, SLOW_SECONDS, Group
from feedd.store.running.queue import Job


class Lost(Exception):
    """The driver's: the way to the database is."""


class Wrong(Exception):
    """The driver's: a statement is."""


class Race(Exception):
    """The driver's: somebody else won."""


class HandPool:
    """
    As much of a `feedd.store.running.pool.Pool` as a group needs; a transaction is the list of what
    was written in it.

    :ivar work: what waits for a thread.
    :ivar begun: the jobs that were begun by themselves.
    :ivar committed: what was written, a list for each transaction.
    :ivar commit: called by each COMMIT of several.
    """

    errors = (Lost, Wrong, Race)

    def __init__(self) -> None:
        self.threads = self.dialect = self
        self.work: list[tuple[Callable[[], Any], Callable[[Any], object]]] = []
        self.begun: list[Job[Any]] = []
        self.committed: list[list[str]] = []
        self.commit: Callable[[], object] = lambda: None
        self.full = False

    def accept(self, work: Any) -> Job[Any]:
        if self.full:
            raise Unavailable("database", "full")
        return Job(work, True)

    def begin(self, job: Job[Any]) -> None:
        self.begun.append(job)
        self.run(lambda: self.transact(job), lambda result: self.end(job, result))

    def end(self, job: Job[Any], result: Any) -> None:
        if not job.answer.called:
            job.answer.callback(result)

    def run(self, work: Any, done: Any) -> None:
        self.work.append((work, done))

    def transact(self, job: Job[Any]) -> Any:
        job.check_wanted()
        return self._within(job.work)

    def attempt(self, jobs: Sequence[Job[Any]], work: Any) -> Any:
        for job in jobs:
            job.check_wanted()
        result = self._within(work)
        try:
            self.commit()
        except BaseException:
            self.committed.pop()
            raise
        return result

    def _within(self, work: Any) -> Any:
        txn: list[str] = []
        result = work(txn)
        self.committed.append(txn)
        return result

    def explained(self, function: Callable[[], Any]) -> Any:
        try:
            return function()
        except Lost:
            raise Unavailable("database", "lost") from None

    def is_away(self, error: Exception) -> bool:
        return isinstance(error, Lost)

    def may_repeat(self, error: Exception) -> bool:
        return isinstance(error, Race)

    def turn(self) -> int:
        """Work off what waits now; returns how much it was."""
        work, self.work = self.work, []
        for function, done in work:
            try:
                result = function()
            except Exception:
                result = Failure()
            done(result)
        return len(work)


class GroupTests(SynchronousTestCase):
    """`Group`. The items are words, and the result of one is the word in capitals."""

    def setUp(self) -> None:
        self.pool: Any = HandPool()
        self.clock = Clock()
        self.refused: dict[str, Exception] = {}
        self.group: Group[str, str] = Group(self.pool, self.write, len, 3, self.clock)

    def write(self, txn: Any, words: Sequence[str]) -> list[str]:
        txn.extend(words)
        for word in words:
            if word in self.refused:
                raise self.refused[word]
        return [word.upper() for word in words]

    def add(self, words: str) -> list[Deferred[str]]:
        return [self.group.add(word) for word in words.split()]

    def answers(self, *answers: Deferred[str]) -> list[str]:
        """The results, and what was raised by its name."""
        found: list[str] = []
        for answer in answers:
            answer.addErrback(lambda failure: failure.type.__name__)
            found.append(self.successResultOf(answer))
        return found

    def test_at_once(self) -> None:
        """Who finds nothing under way waits for nobody."""
        (answer,) = self.add("a")
        self.assertEqual((self.pool.turn(), self.successResultOf(answer)), (1, "A"))

    def test_those_who_wait_go_together(self) -> None:
        """
        What comes while a transaction is under way goes into the next, and each gets its own
        result, in their order.
        """
        told: list[str] = []
        for answer in self.add("a b c d"):
            answer.addCallback(told.append)
        self.assertEqual((self.pool.turn(), told), (1, ["A"]))
        self.add("e")
        self.assertEqual((self.pool.turn(), told), (1, ["A", "B", "C", "D"]))
        self.pool.turn()
        self.assertEqual(
            (self.pool.turn(), self.pool.committed), (0, [["a"], ["b", "c", "d"], ["e"]])
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_so_many_at_a_time(self) -> None:
        """No more than fit, in number and in bytes; one that is larger than that goes alone."""
        long = "x" * (MAX_BYTES // 2)
        self.add(f"a {'b ' * (MOST + 1)} {long} {long} {long}{long}{long} c")
        while self.pool.turn():
            pass
        sizes = [len(words) for words in self.pool.committed]
        self.assertEqual(sizes, [1, MOST, 2, 1, 1, 1])

    def test_one_that_hangs(self) -> None:
        """
        Is waited for by the others for a moment only, whoever comes after them; there are so many
        at once, and no more.
        """
        self.add("a b")
        for under_way in (1, 2, 3, 3):
            self.assertEqual(len(self.pool.work), under_way)
            self.clock.advance(SLOW_SECONDS / 2)
            self.add("c")
            self.assertEqual(len(self.pool.work), under_way)
            self.clock.advance(SLOW_SECONDS)
        while self.pool.turn():
            pass
        self.assertEqual(self.pool.committed, [["a"], ["b", "c"], ["c"], ["c", "c"]])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_of_two_ends(self) -> None:
        """The other one still counts."""
        self.add("a b")
        self.clock.advance(SLOW_SECONDS)
        (_, done) = self.pool.work.pop(0)
        done(["A"])
        self.add("c")
        self.assertEqual(len(self.pool.work), 1)
        self.clock.advance(SLOW_SECONDS)
        self.assertEqual(len(self.pool.work), 2)

    def test_too_many(self) -> None:
        """What the pool does not accept is refused, and not written."""
        self.pool.full = True
        self.assertEqual((self.answers(*self.add("a")), self.pool.turn()), (["Unavailable"], 0))

    def check_apart(self, expected: list[str]) -> None:
        """Of a and b, which went together, each has been tried by itself."""
        answers = self.add("- a b")
        while self.pool.turn():
            pass
        self.assertEqual(self.answers(*answers), ["-".upper(), *expected])
        self.assertEqual(len(self.pool.begun), 2)

    def test_one_that_is_refused(self) -> None:
        """Has it for itself: neither its neighbour nor what comes later fails."""
        for error in (Wrong(), Race(), ValueError()):
            self.pool.begun.clear()
            self.refused = {"b": error}
            self.check_apart(["A", type(error).__name__])
            self.assertEqual(self.pool.committed, [["-"], ["a"]])
            self.pool.committed.clear()

    def test_one_for_whom_nobody_waits(self) -> None:
        """Is not written; its neighbours are."""
        answers = self.add("- a b")
        self.group._waiting[1][0].dropped = True
        while self.pool.turn():
            pass
        self.assertEqual(self.answers(*answers), ["-", "A", "Unavailable"])
        self.assertEqual(self.pool.committed, [["-"], ["a"]])

    def test_a_race_at_the_commit(self) -> None:
        """Is one that was rolled back for certain."""
        self.pool.commit = self.raising(Race())
        self.check_apart(["A", "B"])

    def raising(self, error: Exception) -> Callable[[], object]:
        def commit() -> None:
            raise error

        return commit

    def test_a_commit_that_failed(self) -> None:
        """Nobody is tried again, whatever the error: it may have happened."""
        for error, expected in (
            (Lost(), "Unavailable"),
            (Wrong(), "Wrong"),
            (OSError(), "OSError"),
        ):
            self.pool.commit = self.raising(error)
            answers = self.add("- a b")
            while self.pool.turn():
                pass
            self.assertEqual(
                (self.answers(*answers), self.pool.begun), (["-", expected, expected], [])
            )

    def test_the_database_is_away(self) -> None:
        """All of a transaction are told so, and nobody is tried again; the next is tried."""
        self.refused = {"a": Lost()}
        answers = self.add("- a b")
        self.pool.turn()
        answers += self.add("c")
        while self.pool.turn():
            pass
        self.assertEqual(self.answers(*answers), ["-", "Unavailable", "Unavailable", "C"])
        self.assertEqual(self.pool.begun, [])
