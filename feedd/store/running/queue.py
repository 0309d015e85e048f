"""
The reactor's side of a query: how many are accepted, how long each is waited for, and when all have
come to their end.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from feedd.core.counters import Counters
from feedd.feed.ports import Unavailable
from feedd.store.database.dialect import PART
from feedd.store.running.transaction import Transaction

T = TypeVar("T")


class Job(Generic[T]):
    """
    One query on its way.

    :ivar work: what is to be done in a transaction.
    :ivar answer: the result for the caller; fires once, whatever happens.
    :ivar dropped: nobody waits for it any more; then it is not begun, or not committed.
    """

    __slots__ = ("answer", "dropped", "limit", "work")

    limit: DelayedCall

    def __init__(self, work: Callable[[Transaction], T], cancellable: bool) -> None:
        self.work = work
        self.dropped = False
        self.answer: Deferred[T] = Deferred(self._cancelled if cancellable else None)

    def check_wanted(self) -> None:
        """A caller that was told "nothing was stored" must not find it stored later."""
        if self.dropped:
            raise Unavailable(PART, "nobody waits for it any more")

    def _cancelled(self, answer: Deferred[T]) -> None:
        self.dropped = True


class Queue:
    """
    The queries under way, those that wait included.

    A frozen database answers nobody, and costs nobody more than the time limit of a query.
    """

    def __init__(self, clock: Any, counters: Counters, most: int, cancellable: bool) -> None:
        """
        :param clock: an `IReactorTime`.
        :param most: how many there may be.
        :param cancellable: a query is dropped when its caller has gone, as one that reads is; one
            that writes was meant, and is done all the same.
        """
        self._clock = clock
        self._counters = counters
        self._most = most
        self._cancellable = cancellable
        self._jobs: set[Job[Any]] = set()
        self._closing = False
        self._idle: Deferred[None] | None = None

    def accept(
        self, work: Callable[[Transaction], T], seconds: float, bounded: bool = True
    ) -> Job[T]:
        """
        Take on a query, which is to `end` whatever happens to it; its caller is refused after
        `seconds`.

        :param bounded: False is never refused for the queue's length; it is for a caller with a
            query or two under way at most.
        :raises Unavailable: when there are too many, or feedd is stopping.
        """
        if self._closing:
            raise Unavailable(PART, "feedd is stopping")
        if bounded and len(self._jobs) >= self._most:
            self._counters.add("store_full")
            raise Unavailable(PART, "too many queries are waiting")
        job = Job(work, self._cancellable)
        job.limit = self._clock.callLater(seconds, self._give_up, job, seconds)
        self._jobs.add(job)
        return job

    def end(self, job: Job[T], result: T | Failure) -> None:
        """Answer the caller, unless it has gone or was refused meanwhile."""
        self._jobs.remove(job)
        if job.limit.active():
            job.limit.cancel()
        if not job.answer.called:
            job.answer.callback(result)
        if self._idle is not None and not self._jobs and not self._idle.called:
            self._idle.callback(None)

    async def finish(self, seconds: float) -> None:
        """
        Accept nothing any more, and return when all have ended; what has not after `seconds` is
        dropped.
        """
        self._closing = True
        if self._jobs:
            self._idle = Deferred()
            limit = self._clock.callLater(seconds, self._idle.callback, None)
            await self._idle
            if limit.active():
                limit.cancel()
        for job in self._jobs:
            job.dropped = True

    def _give_up(self, job: Job[Any], seconds: float) -> None:
        job.dropped = True
        if not job.answer.called:
            self._counters.add("store_slow")
            job.answer.errback(Unavailable(PART, f"no answer within {seconds:g} seconds"))
