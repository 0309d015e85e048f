"""
Threads with a connection each, and the transactions that they run.

A query waits in a queue of limited length and for a limited time; a frozen database answers nobody,
and costs nobody more than that. This module knows transactions. It does not know what is asked in
them, nor any driver.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from threading import Thread
from typing import Any, TypeVar

from twisted.enterprise import adbapi
from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from feedd.core.counters import Counters
from feedd.feed.ports import Unavailable
from feedd.reactor.threads import Threads
from feedd.store.database.dialect import Connection, Dialect
from feedd.store.running.queue import PART, Job, Jobs
from feedd.store.running.transaction import Again, Transaction

T = TypeVar("T")

TRIES = 3
IDLE_SECONDS = 1.0
GRACE_SECONDS = 1.0


class Duplicate(Exception):
    """
    A unique index refused a row: somebody stored it before us. The transaction was rolled back.
    """


class Pool(adbapi.ConnectionPool):
    """
    Runs functions in threads, each in one transaction: rolled back when it raises, else committed.

    A function is not run again once it has begun, except as a whole after it lost a race (a
    deadlock, a lock that it did not get, `Again`) and was rolled back: 3 times at most. When the
    connection is lost during COMMIT nobody knows whether it happened; the answer is `Unavailable`
    then, and an Idempotency-Key makes it safe to repeat.

    :ivar threads: for who runs several jobs in one transaction, see `attempt`.
    """

    transactionFactory = Transaction
    log = Logger()

    def __init__(
        self,
        reactor: Any,
        dialect: Dialect,
        counters: Counters,
        *,
        write: bool,
        threads: int,
        max_waiting: int,
        query_seconds: float,
        commit_seconds: float,
    ) -> None:
        """
        :param reactor: an `IReactorCore`, `IReactorTime` and `IReactorFromThreads`; the threads
            start when it runs.
        :param commit_seconds: how soon after its first event got an id a transaction must be ready
            to COMMIT.
        """
        self._name = f"feedd-store-{'write' if write else 'read'}"
        self.threads = Threads(
            reactor, self._name, threads
        )  # adbapi calls `start` at once when the reactor runs
        super().__init__(dialect.driver, cp_reactor=reactor, cp_min=1, cp_max=threads)
        self.dialect = dialect
        self._write = write
        self._query_seconds = query_seconds
        self._commit_seconds = commit_seconds
        self._jobs = Jobs(reactor, counters, threads + max_waiting, meant=write)
        self._used: dict[int, float] = {}

    def run(
        self,
        work: Callable[[Transaction], T],
        *,
        seconds: float | None = None,
        bounded: bool = True,
    ) -> Deferred[T]:
        """
        The result of ``work(transaction)``, run in a thread, in a transaction.

        :param seconds: how long the answer is waited for; a little more than one statement may take
            when None.
        :param bounded: False is for a caller with a query or two under way at most; it is never
            refused for the queue's length.
        :raises Unavailable: (fails with) when the database is, or the queue is full, or the time is
            up.
        :raises Duplicate: (fails with) when a unique index refused a row.
        """
        try:
            job = self.accept(work, seconds, bounded)
        except Unavailable as error:
            return fail(error)
        self.begin(job)
        return job.answer

    def call(self, function: Callable[[], T]) -> Deferred[T]:
        """
        The result of ``function()``, which has connections and time limits of its own; errors are
        the same as of `run`.

        It runs in a thread for itself, which may take as long as a change of schema does: nobody
        waits for it when feedd stops.
        """
        answer: Deferred[T] = Deferred()

        def work() -> None:
            try:
                result: T | Failure = self.explained(function)
            except BaseException:
                result = Failure()
            self._reactor.callFromThread(self._answer, result, answer)

        Thread(target=work, name=f"{self._name}-alone", daemon=True).start()
        return answer

    def runInteraction(self, interaction: Callable[..., T], *args: Any, **kw: Any) -> Deferred[T]:
        """`run`, for twistar's models."""
        return self.run(lambda transaction: interaction(transaction, *args, **kw))

    async def finish(self) -> None:
        """
        Accept nothing any more, wait for what was accepted (no longer than the time limits allow),
        end the threads.
        """
        await self._jobs.finish(3 * self._query_seconds + GRACE_SECONDS)
        self.close()

    def start(self) -> None:
        """Begin our threads, instead of those of adbapi."""
        if not self.running:
            self.threads.start()
            self.shutdownID = self._reactor.addSystemEventTrigger(
                "during", "shutdown", self.finalClose
            )
            self.running = True

    def finalClose(self) -> None:
        """End them, and close their connections."""
        self.threads.stop()
        super().finalClose()

    # The reactor's side

    def accept(
        self, work: Callable[[Transaction], T], seconds: float | None = None, bounded: bool = True
    ) -> Job[T]:
        """What `run` takes, as a job that is to `begin`, or else to `end`. Raises `Unavailable`."""
        return self._jobs.accept(
            work, self._query_seconds + GRACE_SECONDS if seconds is None else seconds, bounded
        )

    def begin(self, job: Job[T]) -> None:
        """Run a job in a transaction of its own, when a thread is free."""
        self.threads.run(partial(self.transact, job), partial(self.end, job))

    def end(self, job: Job[T], result: T | Failure) -> None:
        """Tell who waits for it."""
        self._note(result)
        self._jobs.end(job, result)

    def _answer(self, result: T | Failure, answer: Deferred[T]) -> None:
        self._note(result)
        if not answer.called:
            answer.callback(result)

    def _note(self, result: object) -> None:
        if isinstance(result, Failure) and result.check(*self.dialect.errors):
            self.log.failure("a statement that the database refuses", failure=result)

    # The thread's side

    def transact(self, job: Job[T]) -> T:
        """The result of a job, run in a transaction of its own."""
        return self.explained(partial(self._persist, job))

    def explained(self, function: Callable[[], T]) -> T:
        """
        What `function` returns; an error of the driver becomes `Unavailable` or `Duplicate`, unless
        it is our mistake.
        """
        try:
            return function()
        except self.dialect.errors as error:
            trouble = self.dialect.trouble(error)
            if trouble is not None:
                raise Unavailable(PART, trouble) from error
            if self.dialect.is_duplicate(error):
                raise Duplicate from error
            raise

    def _persist(self, job: Job[T]) -> T:
        for _ in range(TRIES - 1):
            try:
                return self.attempt([job], job.work)
            except Again:
                continue
            except self.dialect.errors as error:
                if not self.dialect.may_repeat(error):
                    raise
        try:
            return self.attempt([job], job.work)
        except Again:
            raise Unavailable(PART, "others change the same rows") from None

    def attempt(self, jobs: Sequence[Job[Any]], work: Callable[[Transaction], T]) -> T:
        """
        The result of `work`, run once in one transaction, on behalf of `jobs`.

        :raises Unavailable: when one of them is not waited for any more, or it took too long: it
            has been rolled back.
        :raises Exception: whatever `work` or the driver raises.
        """
        check_wanted = partial(_check_wanted, jobs)
        check_wanted()
        connection = self.connectionFactory(self)
        try:
            self.dialect.begin(connection, self._write)
            transaction: Transaction = self.transactionFactory(self, connection)
            transaction.check_wanted = check_wanted
            result = work(transaction)
            transaction.close()
            check_wanted()
            transaction.check_age(self._commit_seconds)
            connection.commit()
        except BaseException:
            self._undo(connection)
            raise
        return result

    def _undo(self, connection: Any) -> None:
        try:
            connection.rollback()
        except Exception:
            self.disconnect(self.connections.get(self.threadID()))

    def connect(self) -> Connection:
        """
        This thread's connection; one that has been idle is tried first, and replaced when it is
        dead.
        """
        thread = self.threadID()
        connection = self.connections.get(thread)
        if connection is not None and time.monotonic() - self._used[thread] > IDLE_SECONDS:
            connection = self._living(connection)
        if connection is None:
            connection = self.connections[thread] = self.dialect.connect()
        self._used[thread] = time.monotonic()
        return connection

    def _living(self, connection: Connection) -> Connection | None:
        try:
            self.dialect.ping(connection)
        except self.dialect.errors:
            self.disconnect(connection)
            return None
        return connection


def _check_wanted(jobs: Sequence[Job[Any]]) -> None:
    for job in jobs:
        job.check_wanted()
