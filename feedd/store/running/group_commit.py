"""
Group commit: what has come while a transaction was under way is written together in the next one.

A COMMIT, two waits for the server and the change from thread to thread cost the same for one as for
fifty. Nobody waits for others to come: what finds nothing under way goes at once. This module knows
jobs and a pool. It does not know what is written.
"""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from feedd.feed.ports import Unavailable
from feedd.store.running.pool import Pool
from feedd.store.running.queue import Job
from feedd.store.running.transaction import Transaction

Item = TypeVar("Item")
T = TypeVar("T")
_Asked = tuple[Job[T], Item]

SLOW_SECONDS = 0.1
"""
How long a transaction keeps the next from beginning. It takes some milliseconds, unless it waits
for a lock or a network.
"""

MOST = 64
MAX_BYTES = 100_000
"""
Of one transaction. Twice that and escaped, it is below 1 MB, which a server may have as its
``max_allowed_packet``.
"""


class _Refused(Exception):
    """One of several cannot be written, or not with the others."""


class Group(Generic[Item, T]):
    """
    Writes items, several in one transaction, and answers each after its COMMIT.

    A failure belongs to one item: when a transaction of several fails, and the database is there,
    each is tried by itself.
    """

    def __init__(
        self,
        pool: Pool,
        write: Callable[[Transaction, Sequence[Item]], Sequence[T]],
        size: Callable[[Item], int],
        most: int,
        clock: Any,
    ) -> None:
        """
        :param write: returns a result for each item, in their order.
        :param size: the bytes of an item.
        :param most: how many transactions may be under way, the slow ones included.
        :param clock: an `IReactorTime`.
        """
        self._pool = pool
        self._write = write
        self._size = size
        self._most = most
        self._clock = clock
        self._waiting: deque[_Asked[T, Item]] = deque()
        self._under_way: list[float] = []
        self._look: Any = None

    def add(self, item: Item) -> Deferred[T]:
        """The result for `item`; fails as `Pool.run` does."""
        try:
            job = self._pool.accept(lambda txn: self._write(txn, [item])[0])
        except Unavailable as error:
            return fail(error)
        self._waiting.append((job, item))
        self._begin()
        return job.answer

    def _begin(self) -> None:
        now = self._clock.seconds()
        while self._waiting and self._may_begin(now):
            batch = self._take()
            self._under_way.append(now)
            self._pool.threads.run(partial(self._transact, batch), partial(self._ended, batch, now))
        self._look_again()

    def _look_again(self) -> None:
        """
        Soon, while somebody waits: that the one under way is slow must be found out also when
        nobody else comes.
        """
        if self._waiting and self._look is None and len(self._under_way) < self._most:
            self._look = self._clock.callLater(SLOW_SECONDS, self._looked)
        elif not self._waiting and self._look is not None:
            self._look.cancel()
            self._look = None

    def _looked(self) -> None:
        self._look = None
        self._begin()

    def _may_begin(self, now: float) -> bool:
        """
        One at a time makes them large; but one that waits for a lock, say, is not waited for by all
        others.
        """
        return len(self._under_way) < self._most and all(
            now - begun >= SLOW_SECONDS for begun in self._under_way
        )

    def _take(self) -> list[_Asked[T, Item]]:
        """What is next: one in any case, and as many as fit."""
        batch: list[_Asked[T, Item]] = []
        size = 0
        while self._waiting and len(batch) < MOST:
            size += self._size(self._waiting[0][1])
            if batch and size > MAX_BYTES:
                break
            batch.append(self._waiting.popleft())
        return batch

    def _transact(self, batch: Sequence[_Asked[T, Item]]) -> Sequence[T] | None:
        """The results, None when each is to be tried by itself; runs in a thread."""
        jobs, items = [job for job, _ in batch], [item for _, item in batch]
        if len(jobs) == 1:
            return [self._pool.transact(jobs[0])]
        return self._pool.explained(lambda: self._attempt(jobs, items))

    def _attempt(self, jobs: Sequence[Job[T]], items: Sequence[Item]) -> Sequence[T] | None:
        """
        A COMMIT that failed is not tried again unless it lost a race: nobody knows whether it
        happened.
        """
        try:
            return self._pool.attempt(jobs, lambda txn: self._write_all(txn, items))
        except (Unavailable, _Refused):
            return None
        except self._pool.dialect.errors as error:
            if self._pool.dialect.may_repeat(error):
                return None
            raise

    def _write_all(self, txn: Transaction, items: Sequence[Item]) -> Sequence[T]:
        try:
            return self._write(txn, items)
        except Exception as error:
            dialect = self._pool.dialect
            if isinstance(error, dialect.errors) and dialect.is_away(error):
                raise
            raise _Refused from error

    def _ended(
        self, batch: Sequence[_Asked[T, Item]], begun: float, results: Sequence[T] | Failure | None
    ) -> None:
        self._under_way.remove(begun)
        if results is None:
            for job, _ in batch:
                self._pool.begin(job)
        elif isinstance(results, Failure):
            for job, _ in batch:
                self._pool.end(job, results)
        else:
            for (job, _), result in zip(batch, results, strict=True):
                self._pool.end(job, result)
        self._begin()
