"""A query from its caller to a thread and back."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from feedd.core.counters import Counters
from feedd.feed.ports import Unavailable
from feedd.store.running.queue import Queue
from feedd.store.running.runner import GRACE_SECONDS, Runner
from feedd.store.running.transactions import Transactions
from tests.unit.store import FakeDatabase, HandThreads, Lost, ReadOnly, Wrong, raising


class RunnerTests(SynchronousTestCase):
    """`Runner`, for two queries at once."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.database: Any = FakeDatabase()
        self.threads: Any = HandThreads()
        queue = Queue(self.clock, Counters(), 2, cancellable=False)
        transactions = Transactions(self.database, write=True, commit_seconds=60.0)
        self.refused: list[str] = []
        self.runner = Runner(
            self.clock, self.threads, queue, transactions, 4.0, self.refused.append
        )

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_result(self) -> None:
        """The result is what the work returned, in a transaction."""
        answer = self.runner.run(lambda txn: txn.execute("a"))
        self.assertNoResult(answer)
        self.threads.turn()
        self.successResultOf(answer)
        self.assertEqual(self.database.committed, [["a"]])

    def test_too_many(self) -> None:
        """Too many fail at once, except those of feedd's own."""
        answers = [self.runner.run(lambda txn: 1) for _ in range(3)]
        self.failureResultOf(answers.pop(), Unavailable)
        answers.append(self.runner.run(lambda txn: 1, own=True))
        self.threads.turn()
        self.assertEqual([self.successResultOf(answer) for answer in answers], [1, 1, 1])

    def test_too_late(self) -> None:
        """A caller waits a little longer than for one statement, or as long as it says."""
        soon = self.runner.run(lambda txn: txn.execute("a"), seconds=1.0)
        late = self.runner.run(lambda txn: txn.execute("b"))
        self.clock.advance(1.0)
        self.failureResultOf(soon, Unavailable)
        self.clock.advance(2.0 + GRACE_SECONDS)
        self.assertNoResult(late)
        self.clock.advance(1.0)
        self.failureResultOf(late, Unavailable)
        self.threads.turn()
        self.assertEqual(self.database.committed, [])

    def test_a_mistake_of_ours(self) -> None:
        """A mistake of ours is logged; a database that is away is not."""
        wrong, lost = (self.runner.run(raising(error)) for error in (Wrong(), Lost()))
        self.threads.turn()
        self.failureResultOf(wrong, Wrong)
        self.failureResultOf(lost, Unavailable)
        self.assertEqual(len(self.flushLoggedErrors(Wrong)), 1)

    def test_a_refused_write(self) -> None:
        """That the database takes no writes is told each time, with its words."""
        calls = [raising(ReadOnly()), raising(Lost()), raising(ReadOnly())]
        answers = [self.runner.run(call, own=True) for call in calls]
        self.threads.turn()
        for answer in answers:
            self.failureResultOf(answer, Unavailable)
        self.assertEqual(self.refused, ["readonly", "readonly"])

    def test_finish(self) -> None:
        """To finish waits for what was accepted, then closes the connections."""
        answer = self.runner.run(lambda txn: 7)
        finishing = Deferred.fromCoroutine(self.runner.finish())
        self.failureResultOf(self.runner.run(lambda txn: 8), Unavailable)
        self.assertFalse(self.database.closed)
        self.threads.turn()
        self.assertEqual((self.successResultOf(answer), self.database.closed), (7, True))
        self.successResultOf(finishing)
