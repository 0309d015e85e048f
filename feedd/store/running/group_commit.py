"""
Group commit: what has come while a transaction was under way is written together in the next one.

A COMMIT, two waits for the server and the change from thread to thread cost the same for one as for
fifty. Nobody waits for others to come: what finds nothing under way goes at once.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from feedd.feed.ports import Unavailable
from feedd.reactor.lines import Lines
from feedd.store.running.queue import Job
from feedd.store.running.runner import Runner
from feedd.store.running.transaction import Transaction

Item = TypeVar("Item")
T = TypeVar("T")
_Waiting = tuple[Job[T], Item]

SLOW_SECONDS = 0.1
"""
How long a transaction keeps the next from beginning. It takes some milliseconds, unless it waits
for a lock or a network.
"""

MOST = 64
"""Items of one transaction."""

MAX_BYTES = 100_000
"""
Bytes of one transaction. Twice that and escaped, it is below 1 MB, which a server may have as its
``max_allowed_packet``.
"""


class _NotTogether(Exception):
    """One of several cannot be written, or not with the others."""


class GroupCommit(Generic[Item, T]):
    """
    Writes items, several in one transaction, and answers each after its COMMIT.

    A failure belongs to one item: when a transaction of several fails, and the database is there,
    each is tried by itself.
    """

    def __init__(
        self,
        runner: Runner,
        write: Callable[[Transaction, Sequence[Item]], Sequence[T]],
        size_of: Callable[[Item], int],
        most: int,
        clock: Any,
    ) -> None:
        """
        :param write: returns a result for each item, in their order.
        :param size_of: the bytes of an item.
        :param most: how many transactions may be under way, the slow ones included.
        :param clock: an `IReactorTime`.
        """
        self._runner = runner
        self._transactions = runner.transactions
        self._write = write
        self._size_of = size_of
        self._most = most
        self._clock = clock
        self._waiting: Lines[_Waiting[T, Item]] = Lines()
        self._begun_at: list[float] = []
        self._timer: Any = None

    def add(self, item: Item, user: str) -> Deferred[T]:
        """Return the result for an item of `user`; fails as `Runner.run` does."""
        try:
            job = self._runner.accept(lambda txn: self._write(txn, [item])[0], user=user)
        except Unavailable as error:
            return fail(error)
        self._waiting.put((job, item), user)
        self._begin()
        return job.answer

    def _begin(self) -> None:
        now = self._clock.seconds()
        while self._waiting and self._may_begin(now):
            batch = self._take()
            self._begun_at.append(now)
            transact = partial(self._transact, batch)
            self._runner.threads.run(transact, partial(self._ended, batch, now))
        self._schedule()

    def _schedule(self) -> None:
        """
        Try to begin again soon, while an item waits: that the transaction under way is slow must be
        found out also when no other item comes.
        """
        if self._waiting and self._timer is None and len(self._begun_at) < self._most:
            self._timer = self._clock.callLater(SLOW_SECONDS, self._due)
        elif not self._waiting and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self) -> None:
        self._timer = None
        self._begin()

    def _may_begin(self, now: float) -> bool:
        """
        Whether all that are under way are slow, and not too many.

        One at a time makes them large; but one that waits, for a lock for example, must not keep
        all others waiting.
        """
        return len(self._begun_at) < self._most and all(
            now - begun_at >= SLOW_SECONDS for begun_at in self._begun_at
        )

    def _take(self) -> list[_Waiting[T, Item]]:
        """Take the next items, of each user in turn: one in any case, and as many as fit."""
        batch: list[_Waiting[T, Item]] = []
        size = 0
        while self._waiting and len(batch) < MOST:
            size += self._size_of(self._waiting.peek()[1])
            if batch and size > MAX_BYTES:
                break
            batch.append(self._waiting.take())
        return batch

    # In a thread

    def _transact(self, batch: Sequence[_Waiting[T, Item]]) -> Sequence[T] | None:
        """Return the results, or None when each is to be tried by itself."""
        jobs, items = [job for job, _ in batch], [item for _, item in batch]
        if len(jobs) == 1:
            return [self._transactions.run(jobs[0].work, jobs[0].check_wanted)]
        return self._transactions.explained(lambda: self._attempt(jobs, items))

    def _attempt(self, jobs: Sequence[Job[T]], items: Sequence[Item]) -> Sequence[T] | None:
        """
        Write several together.

        A COMMIT that failed is not tried again unless it lost a race: nobody knows whether it
        happened.
        """
        try:
            return self._transactions.attempt(
                lambda txn: self._write_all(txn, items), partial(_check_wanted, jobs)
            )
        except (Unavailable, _NotTogether):
            return None
        except self._transactions.dialect.errors as error:
            if self._transactions.dialect.may_repeat(error):
                return None
            raise

    def _write_all(self, txn: Transaction, items: Sequence[Item]) -> Sequence[T]:
        try:
            return self._write(txn, items)
        except Exception as error:
            dialect = self._transactions.dialect
            if isinstance(error, dialect.errors) and dialect.is_away(error):
                raise
            raise _NotTogether from error

    # In the reactor again

    def _ended(
        self,
        batch: Sequence[_Waiting[T, Item]],
        begun_at: float,
        results: Sequence[T] | Failure | None,
    ) -> None:
        self._begun_at.remove(begun_at)
        if results is None:
            for job, _ in batch:
                self._runner.begin(job)
        elif isinstance(results, Failure):
            for job, _ in batch:
                self._runner.end(job, results)
        else:
            for (job, _), result in zip(batch, results, strict=True):
                self._runner.end(job, result)
        self._begin()


def _check_wanted(jobs: Sequence[Job[Any]]) -> None:
    for job in jobs:
        job.check_wanted()
