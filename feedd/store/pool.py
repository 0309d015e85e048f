"""
Threads with a connection each, and the bounds around them.

A query waits in a queue of limited length and for a limited time; a frozen database answers nobody, and costs nobody more than
that. This module knows transactions. It does not know what is asked in them, nor any driver.
"""

import time
from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any, TypeVar

from twisted.enterprise import adbapi
from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from feedd.counters import Counters
from feedd.ports import Unavailable
from feedd.store.dialect import Connection, Dialect
from feedd.store.threads import Threads
from feedd.store.transaction import Again, Transaction

T = TypeVar("T")

TRIES = 3
IDLE_SECONDS = 1.0
GRACE_SECONDS = 1.0

PART = "database"


class Duplicate(Exception):
    """A unique index refused a row: somebody stored it before us. The transaction was rolled back."""


class _Job:
    """One query on its way. `dropped`: nobody waits for it any more; then it is not begun, or not committed."""

    dropped = False


class Pool(adbapi.ConnectionPool):
    """
    Runs functions in threads, each in one transaction: rolled back when it raises, else committed.

    A function is not run again once it has begun, except as a whole after it lost a race (a deadlock, a lock that it did
    not get, `Again`) and was rolled back: 3 times at most. When the connection is lost during COMMIT nobody knows whether it
    happened; the answer is `Unavailable` then, and an Idempotency-Key makes it safe to repeat.
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
        :param reactor: an `IReactorCore`, `IReactorTime` and `IReactorFromThreads`; the threads start when it runs.
        :param commit_seconds: how soon after its first event got an id a transaction must be ready to COMMIT.
        """
        self._name = f"feedd-store-{'write' if write else 'read'}"
        self._threads = Threads(reactor, self._name, threads)  # adbapi calls `start` at once when the reactor runs
        super().__init__(dialect.driver, cp_reactor=reactor, cp_min=1, cp_max=threads)
        self.dialect = dialect
        self._counters = counters
        self._write = write
        self._bound = threads + max_waiting
        self._query_seconds = query_seconds
        self._commit_seconds = commit_seconds
        self._jobs: set[_Job] = set()
        self._closing = False
        self._quiet: Deferred[None] | None = None
        self._used: dict[int, float] = {}

    def run(self, work: Callable[[Transaction], T], *, seconds: float | None = None, bounded: bool = True) -> Deferred[T]:
        """
        The result of ``work(transaction)``, run in a thread, in a transaction.

        :param seconds: how long the answer is waited for; a little more than one statement may take when None.
        :param bounded: False is for a caller with a query or two under way at most; it is never refused for the queue's length.
        :raises Unavailable: (fails with) when the database is, or the queue is full, or the time is up.
        :raises Duplicate: (fails with) when a unique index refused a row.
        """
        return self._submit(work, seconds, bounded)

    def call(self, function: Callable[[], T]) -> Deferred[T]:
        """
        The result of ``function()``, which has connections and time limits of its own; errors are the same as of `run`.

        It runs in a thread for itself, which may take as long as a change of schema does: nobody waits for it when feedd stops.
        """
        answer: Deferred[T] = Deferred()

        def work() -> None:
            try:
                result: T | Failure = self._explained(function)
            except BaseException:
                result = Failure()
            self._reactor.callFromThread(self._answer, result, answer)

        Thread(target=work, name=f"{self._name}-alone", daemon=True).start()
        return answer

    def runInteraction(self, interaction: Callable[..., T], *args: Any, **kw: Any) -> Deferred[T]:
        """`run`, for twistar's models."""
        return self.run(lambda transaction: interaction(transaction, *args, **kw))

    async def finish(self) -> None:
        """Accept nothing any more, wait for what was accepted (no longer than the time limits allow), end the threads."""
        self._closing = True
        if self._jobs:
            self._quiet = Deferred()
            limit = self._reactor.callLater(3 * self._query_seconds + GRACE_SECONDS, self._quiet.callback, None)
            await self._quiet
            if limit.active():
                limit.cancel()
        for job in self._jobs:
            job.dropped = True
        self.close()

    def start(self) -> None:
        """Begin our threads, instead of those of adbapi."""
        if not self.running:
            self._threads.start()
            self.shutdownID = self._reactor.addSystemEventTrigger("during", "shutdown", self.finalClose)
            self.running = True

    def finalClose(self) -> None:
        """End them, and close their connections."""
        self._threads.stop()
        super().finalClose()

    # The reactor's side

    def _submit(self, work: Callable[[Transaction], T], seconds: float | None, bounded: bool) -> Deferred[T]:
        if self._closing:
            return fail(Unavailable(PART, "feedd is stopping"))
        if bounded and len(self._jobs) >= self._bound:
            self._counters.add("store_full")
            return fail(Unavailable(PART, "too many queries are waiting"))
        job = _Job()
        answer: Deferred[T] = Deferred(partial(self._cancelled, job))
        seconds = self._query_seconds + GRACE_SECONDS if seconds is None else seconds
        limit = self._reactor.callLater(seconds, self._give_up, job, answer, seconds)
        self._jobs.add(job)
        self._threads.run(partial(self._transact, job, work), partial(self._ended, job, answer, limit))
        return answer

    def _cancelled(self, job: _Job, answer: Deferred[T]) -> None:
        """Who asked is gone. What was to be read interests nobody; what was to be written was meant."""
        job.dropped = not self._write

    def _give_up(self, job: _Job, answer: Deferred[T], seconds: float) -> None:
        job.dropped = True
        if not answer.called:
            self._counters.add("store_slow")
            answer.errback(Unavailable(PART, f"no answer within {seconds:g} seconds"))

    def _ended(self, job: _Job, answer: Deferred[T], limit: Any, result: T | Failure) -> None:
        self._jobs.remove(job)
        if limit.active():
            limit.cancel()
        self._answer(result, answer)
        if self._quiet is not None and not self._jobs and not self._quiet.called:
            self._quiet.callback(None)

    def _answer(self, result: T | Failure, answer: Deferred[T]) -> None:
        if isinstance(result, Failure) and result.check(*self.dialect.errors):
            self.log.failure("a statement that the database refuses", failure=result)
        if not answer.called:
            answer.callback(result)

    # The thread's side

    def _transact(self, job: _Job, work: Callable[[Transaction], T]) -> T:
        return self._explained(lambda: self._persist(job, work))

    def _explained(self, function: Callable[[], T]) -> T:
        try:
            return function()
        except self.dialect.errors as error:
            trouble = self.dialect.trouble(error)
            if trouble is not None:
                raise Unavailable(PART, trouble) from error
            if self.dialect.is_duplicate(error):
                raise Duplicate from error
            raise

    def _persist(self, job: _Job, work: Callable[[Transaction], T]) -> T:
        for _ in range(TRIES - 1):
            try:
                return self._attempt(job, work)
            except Again:
                continue
            except self.dialect.errors as error:
                if not self.dialect.may_repeat(error):
                    raise
        try:
            return self._attempt(job, work)
        except Again:
            raise Unavailable(PART, "others change the same rows") from None

    def _attempt(self, job: _Job, work: Callable[[Transaction], T]) -> T:
        self._check_wanted(job)
        connection = self.connectionFactory(self)
        try:
            self.dialect.begin(connection, self._write)
            transaction: Transaction = self.transactionFactory(self, connection)
            transaction.check_wanted = partial(self._check_wanted, job)
            result = work(transaction)
            transaction.close()
            self._check_wanted(job)
            transaction.check_age(self._commit_seconds)
            connection.commit()
        except BaseException:
            self._undo(connection)
            raise
        return result

    def _check_wanted(self, job: _Job) -> None:
        """A caller that was told "nothing was stored" must not find it stored later."""
        if job.dropped:
            raise Unavailable(PART, "nobody waits for it any more")

    def _undo(self, connection: Any) -> None:
        try:
            connection.rollback()
        except Exception:
            self.disconnect(self.connections.get(self.threadID()))

    def connect(self) -> Connection:
        """This thread's connection; one that has been idle is tried first, and replaced when it is dead."""
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
