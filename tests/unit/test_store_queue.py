"""The queries that were accepted: their number, their time, their end."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from feedd.core.counters import Counters
from feedd.feed.ports import Unavailable
from feedd.store.running.queue import Job, Queue


class QueueTests(SynchronousTestCase):
    """`Queue`."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.counters = Counters()
        self.queue = self.make(cancellable=False)

    def make(self, cancellable: bool) -> Queue:
        return Queue(self.clock, self.counters, 3, cancellable, 2)

    def accept(self, **named: Any) -> Job[Any]:
        return self.queue.accept(lambda txn: None, 5.0, **named)

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_answered(self) -> None:
        """A caller is answered, and no time limit is left."""
        job = self.accept()
        self.queue.end(job, 7)
        self.assertEqual(self.successResultOf(job.answer), 7)

    def test_so_many(self) -> None:
        """
        More are refused and counted, until one has ended; a query of feedd's own is not refused,
        and takes nobody's place.
        """
        jobs = [self.accept(own=True), *(self.accept() for _ in range(3)), self.accept(own=True)]
        self.assertRaises(Unavailable, self.accept)
        self.queue.end(jobs.pop(), None)
        self.assertRaises(Unavailable, self.accept)
        self.queue.end(jobs.pop(), None)
        jobs.append(self.accept())
        self.assertEqual(self.counters["store_full"], 2)
        for job in jobs:
            self.queue.end(job, None)

    def test_so_many_of_one_user(self) -> None:
        """
        A user who has too many under way is refused and counted, until one has ended; nobody else
        is.
        """
        jobs = [self.accept(user="ann"), self.accept(user="ann")]
        refused = self.assertRaises(Unavailable, self.accept, user="ann")
        self.assertGreater(refused.retry_after_seconds, 0)
        jobs.append(self.accept(user="bob"))
        self.assertEqual((self.counters["store_refused_user"], self.counters["store_full"]), (1, 0))
        self.queue.end(jobs.pop(0), None)
        jobs.append(self.accept(user="ann"))
        for job in jobs:
            self.queue.end(job, None)

    def test_too_late(self) -> None:
        """
        A caller who has waited long enough is refused, and the query is not to be done; its end
        changes nothing.
        """
        job = self.accept()
        job.check_wanted()
        self.clock.advance(5.0)
        self.failureResultOf(job.answer, Unavailable)
        self.assertRaises(Unavailable, job.check_wanted)
        self.queue.end(job, 7)
        self.assertEqual(self.counters["store_slow"], 1)

    def test_who_has_gone(self) -> None:
        """When a caller has gone, a query that reads is dropped; one that writes is done."""
        for cancellable in (False, True):
            self.queue = self.make(cancellable)
            job = self.accept()
            job.answer.addErrback(lambda failure: None)
            job.answer.cancel()
            self.assertEqual(job.dropped, cancellable)
            self.clock.advance(5.0)
            self.queue.end(job, 7)
        self.assertEqual(self.counters["store_slow"], 0)

    def test_finish(self) -> None:
        """Nothing is accepted any more, and what was accepted is waited for."""
        job = self.accept()
        finishing = Deferred.fromCoroutine(self.queue.finish(20.0))
        self.assertRaises(Unavailable, self.accept)
        self.assertNoResult(finishing)
        self.queue.end(job, 7)
        self.successResultOf(finishing)

    def test_finish_nothing(self) -> None:
        """With nothing under way it returns at once."""
        self.successResultOf(Deferred.fromCoroutine(self.queue.finish(20.0)))

    def test_finish_in_time(self) -> None:
        """A query that does not come to its end is dropped; it may end later."""
        job = self.accept(own=True)
        finishing = Deferred.fromCoroutine(self.queue.finish(3.0))
        self.clock.advance(3.0)
        self.successResultOf(finishing)
        self.assertTrue(job.dropped)
        self.queue.end(job, 7)
