"""
The reactor's side of a query: how many are accepted, how long each is waited for, and when all have
come to their end.
"""

from collections import Counter
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
    :ivar user: the user for whom it is done; None for nobody in particular.
    :ivar own: it is feedd's own, and stands before those of clients.
    :ivar answer: the result for the caller; fires once, whatever happens.
    :ivar dropped: nobody waits for it any more; then it is not begun, or not committed.
    """

    __slots__ = ("answer", "dropped", "limit", "own", "user", "work")

    limit: DelayedCall

    def __init__(
        self, work: Callable[[Transaction], T], cancellable: bool, user: str | None, own: bool
    ) -> None:
        self.work = work
        self.user = user
        self.own = own
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

    A frozen database answers nobody, and costs nobody more than the time limit of a query. Queries
    of feedd's own are not counted, and never refused: there are a few at most.
    """

    def __init__(
        self,
        clock: Any,
        counters: Counters,
        most: int,
        cancellable: bool,
        most_of_user: int | None = None,
    ) -> None:
        """
        :param clock: an `IReactorTime`.
        :param most: how many of clients there may be.
        :param most_of_user: how many of one user there may be; None for as many as of all.
        :param cancellable: a query is dropped when its caller has gone, as one that reads is; one
            that writes was meant, and is done all the same.
        """
        self._clock = clock
        self._counters = counters
        self._most = most
        self._cancellable = cancellable
        self._most_of_user = most if most_of_user is None else most_of_user
        self._jobs: set[Job[Any]] = set()
        self._clients = 0
        self._of_user: Counter[str] = Counter()
        self._closing = False
        self._idle: Deferred[None] | None = None

    def accept(
        self,
        work: Callable[[Transaction], T],
        seconds: float,
        user: str | None = None,
        own: bool = False,
    ) -> Job[T]:
        """
        Take on a query, which is to `end` whatever happens to it; its caller is refused after
        `seconds`.

        :param user: see `Job`; `own` too.
        :raises Unavailable: when there are too many, or too many of this user, or feedd is
            stopping.
        """
        if self._closing:
            raise Unavailable(PART, "feedd is stopping")
        if not own:
            self._admit(user)
        job = Job(work, self._cancellable, user, own)
        job.limit = self._clock.callLater(seconds, self._give_up, job, seconds)
        self._jobs.add(job)
        return job

    def _admit(self, user: str | None) -> None:
        if user is not None and self._of_user[user] >= self._most_of_user:
            self._counters.add("store_refused_user")
            raise Unavailable(PART, "too many queries of one user are waiting")
        if self._clients >= self._most:
            self._counters.add("store_full")
            raise Unavailable(PART, "too many queries are waiting")
        self._clients += 1
        if user is not None:
            self._of_user[user] += 1

    def _release(self, job: Job[Any]) -> None:
        if job.own:
            return
        self._clients -= 1
        if job.user is not None:
            self._of_user[job.user] -= 1
            if not self._of_user[job.user]:
                del self._of_user[job.user]

    def end(self, job: Job[T], result: T | Failure) -> None:
        """Answer the caller, unless it has gone or was refused meanwhile."""
        self._jobs.remove(job)
        self._release(job)
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
