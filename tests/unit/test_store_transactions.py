"""What a transaction does when it fails, and when it is tried again."""

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from feedd.feed.ports import NotFound, Unavailable
from feedd.store.running.transaction import Again, Refused, Transaction
from feedd.store.running.transactions import TRIES, Duplicate, Transactions
from tests.unit.store import FakeDatabase, Lost, Race, ReadOnly, Taken, Wrong, raising


def wanted() -> None:
    """Somebody waits for the result."""


class TransactionsTests(SynchronousTestCase):
    """`Transactions`."""

    def setUp(self) -> None:
        self.database: Any = FakeDatabase()
        self.transactions = self.make(60.0)

    def make(self, commit_seconds: float) -> Transactions:
        return Transactions(self.database, write=True, commit_seconds=commit_seconds)

    def writing(self, *errors: Exception) -> Callable[[Transaction], int]:
        """Work that writes a word and raises each of `errors` in its turn, before it succeeds."""
        left = list(errors)

        def work(txn: Transaction) -> int:
            txn.execute("a")
            if left:
                raise left.pop(0)
            return 7

        return work

    def test_committed(self) -> None:
        """Work is done once and committed, and the result is what it returned."""
        self.assertEqual(self.transactions.run(self.writing(), wanted), 7)
        self.assertEqual((self.database.attempts, self.database.committed), ([["a"]], [["a"]]))

    def test_a_lost_race(self) -> None:
        """After a lost race the work is done again, as a whole."""
        self.assertEqual(self.transactions.run(self.writing(Again(), Race()), wanted), 7)
        self.assertEqual((len(self.database.attempts), self.database.committed), (3, [["a"]]))

    def test_a_race_that_is_always_lost(self) -> None:
        """
        A race that is always lost is given up after three tries: unavailable, or what the driver
        says.
        """
        for error, expected in ((Again(), Unavailable), (Race(), Race)):
            self.database.attempts.clear()
            work = self.writing(*[error] * TRIES)
            self.assertRaises(expected, self.transactions.run, work, wanted)
            self.assertEqual(len(self.database.attempts), TRIES)

    def test_what_is_not_run_again(self) -> None:
        """After any other error nothing is done again, and nothing is committed."""
        for error, expected in (
            (Lost(), Unavailable),
            (Taken(), Duplicate),
            (Wrong(), Wrong),
            (NotFound(), NotFound),
        ):
            self.database.attempts.clear()
            self.assertRaises(expected, self.transactions.run, self.writing(error), wanted)
            self.assertEqual((len(self.database.attempts), self.database.committed), (1, []))
        self.assertEqual(self.database.dropped, 0)

    def test_a_rollback_that_fails(self) -> None:
        """A connection whose rollback fails is not used again."""
        self.database.on_rollback = raising(Lost())
        self.assertRaises(NotFound, self.transactions.run, self.writing(NotFound()), wanted)
        self.assertEqual(self.database.dropped, 1)

    def test_a_server_that_takes_no_writes(self) -> None:
        """It is said to have refused, and no connection to it is used again."""
        work = self.writing(ReadOnly())
        refused = self.assertRaises(Refused, self.transactions.run, work, wanted)
        self.assertEqual((refused.why, self.database.renewed), ("readonly", 1))
        self.assertRaises(Unavailable, self.transactions.run, self.writing(Lost()), wanted)
        self.assertEqual(self.database.renewed, 1)

    def test_nobody_waits(self) -> None:
        """Work that nobody waits for is not begun, not gone on with, and not committed."""
        for waits in range(3):
            checks = iter([wanted] * waits + [raising(Unavailable("database", "gone"))])
            work = self.writing()
            self.assertRaises(
                Unavailable, self.transactions.run, work, lambda checks=checks: next(checks)()
            )
        self.assertEqual((self.database.attempts, self.database.committed), ([[], ["a"]], []))

    def test_too_late(self) -> None:
        """A transaction whose event has had an id for too long is not committed; another one is."""

        def numbered(txn: Transaction) -> None:
            txn.numbering()
            txn.execute("a")

        late = self.make(-1.0)
        self.assertRaises(Unavailable, late.run, numbered, wanted)
        self.assertEqual((late.run(self.writing(), wanted), len(self.database.committed)), (7, 1))
