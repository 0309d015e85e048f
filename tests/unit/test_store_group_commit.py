"""Group commit, its threads worked by hand."""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from feedd.core.counters import Counters
from feedd.store.running.group_commit import MAX_BYTES, MOST, SLOW_SECONDS, GroupCommit
from feedd.store.running.queue import Queue
from feedd.store.running.runner import Runner
from feedd.store.running.transaction import Transaction
from feedd.store.running.transactions import Transactions
from tests.unit.store import FakeDatabase, HandThreads, Lost, Race, Wrong


class GroupCommitTests(SynchronousTestCase):
    """`GroupCommit`. The items are words, and the result of one is the word in capitals."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.refused: dict[str, Exception] = {}
        self.group = self.make_group(1_000)

    def make_group(self, most_jobs: int) -> GroupCommit[str, str]:
        """A group on a new database; a caller may leave its queue."""
        self.database: Any = FakeDatabase()
        self.threads: Any = HandThreads()
        queue = Queue(self.clock, Counters(), most_jobs, cancellable=True)
        transactions = Transactions(self.database, write=True, commit_seconds=60.0)
        runner = Runner(self.clock, self.threads, queue, transactions, query_seconds=60.0)
        return GroupCommit(runner, self.write, len, 3, self.clock)

    def write(self, txn: Transaction, words: Sequence[str]) -> list[str]:
        for word in words:
            txn.execute(word)
        for word in words:
            if word in self.refused:
                raise self.refused[word]
        return [word.upper() for word in words]

    def add(self, words: str, user: str = "ann") -> list[Deferred[str]]:
        return [self.group.add(word, user) for word in words.split()]

    def work_off(self) -> None:
        """Work until nothing is left, not even on the clock."""
        while self.threads.turn():
            pass
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def answers(self, *answers: Deferred[str]) -> list[str]:
        """The results, and what was raised by its name."""
        found: list[str] = []
        for answer in answers:
            answer.addErrback(lambda failure: failure.type.__name__)
            found.append(self.successResultOf(answer))
        return found

    def test_at_once(self) -> None:
        """An item that finds nothing under way waits for no other."""
        (answer,) = self.add("a")
        self.assertEqual((self.threads.turn(), self.successResultOf(answer)), (1, "A"))

    def test_those_who_wait_go_together(self) -> None:
        """
        Items that come while a transaction is under way go into the next, and each gets its own
        result, in their order.
        """
        told: list[str] = []
        for answer in self.add("a b c d"):
            answer.addCallback(told.append)
        self.assertEqual((self.threads.turn(), told), (1, ["A"]))
        self.add("e")
        self.assertEqual((self.threads.turn(), told), (1, ["A", "B", "C", "D"]))
        self.threads.turn()
        self.assertEqual(
            (self.threads.turn(), self.database.committed), (0, [["a"], ["b", "c", "d"], ["e"]])
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_so_many_at_a_time(self) -> None:
        """No more than fit, in number and in bytes; one that is larger than that goes alone."""
        long = "x" * (MAX_BYTES // 2)
        self.add(f"a {'b ' * (MOST + 1)} {long} {long} {long}{long}{long} c")
        self.work_off()
        sizes = [len(words) for words in self.database.committed]
        self.assertEqual(sizes, [1, MOST, 2, 1, 1, 1])

    def test_users_take_turns(self) -> None:
        """The many items of one user keep no other user's waiting for the next transaction."""
        self.add("- " + "a " * (2 * MOST))
        self.add("b c", "bob")
        self.work_off()
        sizes = [len(words) for words in self.database.committed]
        self.assertEqual(
            (self.database.committed[1][:4], sizes), (["a", "b", "a", "c"], [1, MOST, MOST, 2])
        )

    def test_one_that_hangs(self) -> None:
        """
        Others wait for a transaction that hangs for a moment only, whatever comes after them; there
        are so many at once, and no more.
        """
        self.add("a b")
        for under_way in (1, 2, 3, 3):
            self.assertEqual(len(self.threads.work), under_way)
            self.clock.advance(SLOW_SECONDS / 2)
            self.add("c")
            self.assertEqual(len(self.threads.work), under_way)
            self.clock.advance(SLOW_SECONDS)
        self.work_off()
        self.assertEqual(self.database.committed, [["a"], ["b", "c"], ["c"], ["c", "c"]])

    def test_one_of_two_ends(self) -> None:
        """When one of two slow ones ends, the other one still counts."""
        self.add("a b")
        self.clock.advance(SLOW_SECONDS)
        (_, done) = self.threads.work.pop(0)
        done(["A"])
        self.add("c")
        self.assertEqual(len(self.threads.work), 1)
        self.clock.advance(SLOW_SECONDS)
        self.assertEqual(len(self.threads.work), 2)

    def test_too_many(self) -> None:
        """An item that the queue does not accept is refused, and not written."""
        self.group = self.make_group(0)
        self.assertEqual((self.answers(*self.add("a")), self.threads.turn()), (["Unavailable"], 0))

    def check_apart(self, expected: list[str], attempts: str = "- ab a b") -> None:
        """Of a and b, which went together, each has been tried by itself."""
        answers = self.add("- a b")
        self.work_off()
        self.assertEqual(self.answers(*answers), ["-".upper(), *expected])
        tried = " ".join("".join(words) for words in self.database.attempts)
        self.assertEqual(tried, attempts)

    def test_one_that_is_refused(self) -> None:
        """A refusal belongs to one item: neither its neighbour nor what comes later fails."""
        for error, attempts in (
            (Wrong(), "- ab a b"),
            (Race(), "- ab a b b b"),
            (ValueError(), "- ab a b"),
        ):
            self.group = self.make_group(1_000)
            self.refused = {"b": error}
            self.check_apart(["A", type(error).__name__], attempts)
            self.assertEqual(self.database.committed, [["-"], ["a"]])
        self.assertEqual(len(self.flushLoggedErrors(Wrong, Race)), 2)

    def test_one_for_whom_nobody_waits(self) -> None:
        """An item that nobody waits for is not written; its neighbours are."""
        answers = self.add("- a b")
        answers[2].addErrback(lambda failure: failure.type.__name__)
        answers[2].cancel()
        self.work_off()
        self.assertEqual(self.answers(*answers), ["-", "A", "CancelledError"])
        self.assertEqual(self.database.committed, [["-"], ["a"]])

    def failing_together(self, error: Exception) -> Callable[[list[str]], None]:
        """A COMMIT that raises `error` when several were written."""

        def commit(words: list[str]) -> None:
            if len(words) > 1:
                raise error

        return commit

    def test_a_race_at_the_commit(self) -> None:
        """
        A race that is lost at the COMMIT was rolled back for certain: each is tried by itself.
        """
        self.database.on_commit = self.failing_together(Race())
        self.check_apart(["A", "B"])

    def test_a_commit_that_failed(self) -> None:
        """
        After a COMMIT that failed none is tried again, whatever the error: it may have happened.
        """
        for error, expected in (
            (Lost(), "Unavailable"),
            (Wrong(), "Wrong"),
            (OSError(), "OSError"),
        ):
            self.group = self.make_group(1_000)
            self.database.on_commit = self.failing_together(error)
            self.check_apart([expected, expected], "- ab")
        self.assertEqual(len(self.flushLoggedErrors(Wrong)), 2)

    def test_the_database_is_away(self) -> None:
        """
        All of a transaction are told that the database is away, and none is tried again; the next
        is tried.
        """
        self.refused = {"a": Lost()}
        answers = self.add("- a b")
        self.threads.turn()
        answers += self.add("c")
        self.work_off()
        self.assertEqual(self.answers(*answers), ["-", "Unavailable", "Unavailable", "C"])
        self.assertEqual(self.database.attempts, [["-"], ["a", "b"], ["c"]])
