"""
The queries that were accepted: how many there may be, how long each is waited for, when all have
come to their end.

This module is the reactor's side of a pool. It knows no thread, no transaction and no database.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from feedd.core.counters import Counters
from feedd.feed.ports import Unavailable
from feedd.store.running.transaction import Transaction

T = TypeVar("T")

PART = "database"


class Job(Generic[T]):
    """
    One query on its way.

    :ivar answer: who asked waits for it; fires once, whatever happens.
    :ivar dropped: nobody waits for it any more; then it is not begun, or not committed.
    """

    __slots__ = ("answer", "dropped", "limit", "work")

    limit: DelayedCall

    def __init__(self, work: Callable[[Transaction], T], meant: bool) -> None:
        """:param meant: it is done also for a caller who has gone."""
        self.work = work
        self.dropped = False
        self.answer: Deferred[T] = Deferred(None if meant else self._cancelled)

    def check_wanted(self) -> None:
        """A caller that was told "nothing was stored" must not find it stored later."""
        if self.dropped:
            raise Unavailable(PART, "nobody waits for it any more")

    def _cancelled(self, answer: Deferred[T]) -> None:
        self.dropped = True


class Jobs:
    """
    The queries under way, those that wait included.

    :param most: how many there may be.
    :param meant: see `Job`: what was to be read interests nobody whose client has gone; what was to
        be written was meant.
    """

    def __init__(self, clock: Any, counters: Counters, most: int, meant: bool) -> None:
        self._clock = clock
        self._counters = counters
        self._most = most
        self._meant = meant
        self._jobs: set[Job[Any]] = set()
        self._closing = False
        self._quiet: Deferred[None] | None = None

    def accept(
        self, work: Callable[[Transaction], T], seconds: float, bounded: bool = True
    ) -> Job[T]:
        """
        Take on a query, which is to `end` whatever happens to it; its caller is refused after
        `seconds`.

        :raises Unavailable: when there are too many, or feedd is stopping.
        """
        if self._closing:
            raise Unavailable(PART, "feedd is stopping")
        if bounded and len(self._jobs) >= self._most:
            self._counters.add("store_full")
            raise Unavailable(PART, "too many queries are waiting")
        job = Job(work, self._meant)
        job.limit = self._clock.callLater(seconds, self._give_up, job, seconds)
        self._jobs.add(job)
        return job

    def end(self, job: Job[T], result: T | Failure) -> None:
        """Tell who asked, unless they have gone or were refused meanwhile."""
        self._jobs.remove(job)
        if job.limit.active():
            job.limit.cancel()
        if not job.answer.called:
            job.answer.callback(result)
        if self._quiet is not None and not self._jobs and not self._quiet.called:
            self._quiet.callback(None)

    async def finish(self, seconds: float) -> None:
        """
        Accept nothing any more, and return when all have ended; what has not after `seconds` is
        dropped.
        """
        self._closing = True
        if self._jobs:
            self._quiet = Deferred()
            limit = self._clock.callLater(seconds, self._quiet.callback, None)
            await self._quiet
            if limit.active():
                limit.cancel()
        for job in self._jobs:
            job.dropped = True

    def _give_up(self, job: Job[Any], seconds: float) -> None:
        job.dropped = True
        if not job.answer.called:
            self._counters.add("store_slow")
            job.answer.errback(Unavailable(PART, f"no answer within {seconds:g} seconds"))
