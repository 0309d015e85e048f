"""Runs queries: a queue accepts each, and a thread gives it a transaction."""

from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from feedd.feed.ports import Unavailable
from feedd.reactor.threads import Threads
from feedd.store.running.queue import Job, Queue
from feedd.store.running.transaction import Refused
from feedd.store.running.transactions import Transactions, Work

T = TypeVar("T")

GRACE_SECONDS = 1.0


class Runner:
    """
    Runs functions in threads, each in a transaction of its own, see `Transactions`.

    :ivar threads: the threads.
    :ivar transactions: what they run, for work that several jobs share.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        threads: Threads,
        queue: Queue,
        transactions: Transactions,
        query_seconds: float,
        refused: Callable[[str], None] = lambda why: None,
    ) -> None:
        """
        :param reactor: an `IReactorFromThreads`.
        :param query_seconds: how long one statement may take.
        :param refused: told why the database takes no writes, at each that it refuses.
        """
        self.threads = threads
        self.transactions = transactions
        self._reactor = reactor
        self._queue = queue
        self._query_seconds = query_seconds
        self._refused = refused

    def run(
        self,
        work: Work[T],
        *,
        seconds: float | None = None,
        user: str | None = None,
        own: bool = False,
    ) -> Deferred[T]:
        """
        Return the result of ``work(transaction)``.

        :param seconds: how long the answer is waited for; a little more than one statement may take
            when None.
        :param user: see `Job`; `own` too.
        :raises Unavailable: (fails with) when the database is, or the queue is full, or the time is
            up.
        :raises Duplicate: (fails with) when a unique index refused a row.
        """
        try:
            job = self.accept(work, seconds, user, own)
        except Unavailable as error:
            return fail(error)
        self.begin(job)
        return job.answer

    def run_alone(self, function: Callable[[], T]) -> Deferred[T]:
        """
        Return the result of ``function()``, which has connections and time limits of its own; it
        fails as `run` does.

        It has a thread of its own, which may take as long as a change of schema does: a stop of
        feedd does not wait for it.
        """
        answer: Deferred[T] = Deferred()

        def work() -> None:
            try:
                result: T | Failure = self.transactions.explained(function)
            except BaseException:
                result = Failure()
            self._reactor.callFromThread(self._answer, result, answer)

        Thread(target=work, name="feedd-store-alone", daemon=True).start()
        return answer

    def accept(
        self,
        work: Work[T],
        seconds: float | None = None,
        user: str | None = None,
        own: bool = False,
    ) -> Job[T]:
        """Take on what `run` takes, as a job that is to `begin` or `end`. Raises `Unavailable`."""
        if seconds is None:
            seconds = self._query_seconds + GRACE_SECONDS
        return self._queue.accept(work, seconds, user, own)

    def begin(self, job: Job[T]) -> None:
        """
        Run a job in a transaction of its own, when a thread is free: feedd's own first, then those
        of each user in turn.
        """
        run = partial(self.transactions.run, job.work, job.check_wanted)
        self.threads.run(run, partial(self.end, job), job.user, job.own)

    def end(self, job: Job[T], result: T | Failure) -> None:
        """Answer the caller of a job."""
        self._complain(result)
        self._queue.end(job, result)

    async def finish(self) -> None:
        """
        Accept nothing any more, wait for what was accepted (no longer than the time limits allow),
        end the threads.
        """
        await self._queue.finish(3 * self._query_seconds + GRACE_SECONDS)
        self.transactions.close()

    def _answer(self, result: T | Failure, answer: Deferred[T]) -> None:
        self._complain(result)
        if not answer.called:
            answer.callback(result)

    def _complain(self, result: object) -> None:
        if isinstance(result, Failure) and result.check(*self.transactions.dialect.errors):
            self._log.failure("a statement that the database refuses", failure=result)
        elif isinstance(result, Failure) and isinstance(result.value, Refused):
            self._refused(result.value.why)
