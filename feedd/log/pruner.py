"""Deletes old events in small batches with pauses, so that no reader and no writer waits."""

from collections.abc import Awaitable
from typing import Any, ClassVar, Protocol

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from feedd.core.counters import Counters
from feedd.feed.ports import Unavailable

DAY_SECONDS = 86_400
BATCH = 1_000


class _Store(Protocol):
    async def prune(self, owner: str, keep_seconds: float, limit: int) -> int: ...


class Pruner(Service):
    """
    Deletes, every `EVERY_SECONDS`, what is older than `keep_seconds`, unless another process does.

    It counts ``events_pruned``, and ``prune_failed`` each time that it has to give up until the
    next.
    """

    FIRST_SECONDS: ClassVar[float] = 10.0
    EVERY_SECONDS: ClassVar[float] = 600.0
    PAUSE_SECONDS: ClassVar[float] = 0.25
    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        store: _Store,
        owner: str,
        keep_seconds: float,
        counters: Counters,
    ) -> None:
        """
        :param owner: a name that no other process has, without spaces.
        """
        self._clock: Any = clock
        self._store = store
        self._owner = owner
        self._keep_seconds = keep_seconds
        self._counters = counters
        self._running: Deferred[None] | None = None

    def startService(self) -> None:
        """Prune after `FIRST_SECONDS`, and from then on."""
        super().startService()
        self._running = Deferred.fromCoroutine(self._run())
        self._running.addErrback(self._ended)

    def stopService(self) -> Awaitable[None] | None:
        """Prune no longer; a batch that is under way ends by itself."""
        super().stopService()
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
        return None

    async def _run(self) -> None:
        await self._pause(self.FIRST_SECONDS)
        while True:
            try:
                await self._prune()
            except CancelledError:
                raise
            except Unavailable:
                self._counters.add("prune_failed")
            except Exception:
                self._counters.add("prune_failed")
                self._log.failure("old events cannot be deleted")
            await self._pause(self.EVERY_SECONDS)

    async def _prune(self) -> None:
        """Delete all that is old now."""
        total, count = 0, BATCH
        while count >= BATCH:
            count = await self._store.prune(self._owner, self._keep_seconds, BATCH)
            self._counters.add("events_pruned", count)
            total += count
            if count >= BATCH:
                await self._pause(self.PAUSE_SECONDS)
        if total:
            self._log.info(
                "{count} events older than {days:g} days have gone",
                count=total,
                days=self._keep_seconds / DAY_SECONDS,
            )

    def _pause(self, seconds: float) -> Deferred[None]:
        return deferLater(self._clock, seconds, lambda: None)

    def _ended(self, failure: Failure) -> None:
        failure.trap(CancelledError)
