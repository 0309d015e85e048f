"""
The net: reads the new end of the log again and again, and offers every row to the one door.

What the bell did not bring, comes with the next tick. This module knows the order of ids, reads and
offers. It does not know SQL, nor who hears an event.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from feedd.core.counters import Counters
from feedd.core.event import Event
from feedd.feed.ports import Store, Unavailable
from feedd.log.database_clock import AnsweredTime

BATCH = 5_000
CHUNK = 250
SAVE_SECONDS = 5.0
FAST = 4


class Log(Protocol):
    """What the net brings its catch to; `feedd.core.recent.RecentLog` is one."""

    @property
    def epoch(self) -> str:
        """The database that is read."""

    @property
    def settled(self) -> int:
        """Every id up to here has been let through, and no further one can appear."""

    def unknown(self, ids: Sequence[int]) -> list[int]:
        """Those of `ids` that have not been let through."""

    def offer(self, event: Event) -> bool:
        """Let `event` through unless it has been; whether it was new."""

    def missing(self, ids: Sequence[int]) -> None:
        """The rows of these ids are gone or unreadable: there is nothing to let through."""

    def note_read(self, started: float, ended: float, upto: int) -> None:
        """
        A read that began at `started` and ended at `ended` has been offered for every visible id up
        to `upto`.
        """


class Tail(Service):
    """
    One tick: read the ids above the settled one, fetch the rows that the log has not seen, offer
    them in order, say so.

    Ticks never overlap. One that fails is counted (``tail_failed``), and the next one tries again.

    :ivar trouble: why the last tick failed, or that none has ended yet; "" when it went well.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        monotonic: Callable[[], float],
        store: Store,
        log: Log,
        tick_seconds: float,
        fast: Callable[[], bool],
        counters: Counters,
        found: Callable[[Event], object] = lambda event: None,
        other_epoch: Callable[[], object] = lambda: None,
    ) -> None:
        """
        :param found: called with each event that nobody had offered before the net did.
        :param other_epoch: called when the database turns out to be of another epoch than the log.
        :param monotonic: seconds of a clock that only goes forward.
        :param fast: whether the net is all there is, because the broker is away: then it ticks
            `FAST` times as often.
        """
        self.trouble = "the log has not been read yet"
        self._clock: Any = clock
        self._monotonic = monotonic
        self._store = store
        self._door = log
        self._tick_seconds = tick_seconds
        self._fast = fast
        self._counters = counters
        self._found = found
        self._other_epoch = other_epoch
        self._timer: Any = None
        self._ticking: Deferred[None] | None = None
        self._again = False
        self._failing = False
        self._saved_at = monotonic()
        self._time = AnsweredTime(monotonic(), tick_seconds)

    @property
    def healthy(self) -> bool:
        """Whether the last tick went well."""
        return not self.trouble

    def startService(self) -> None:
        """Tick now, and from now on."""
        super().startService()
        self._begin()

    def stopService(self) -> Deferred[None]:
        """
        Tick no longer; fires when a running tick has ended, and what is settled has been written
        down.
        """
        super().stopService()
        self._unschedule()
        return Deferred.fromCoroutine(self._finish())

    def poke(self) -> None:
        """Tick at once; while one runs, once more after it, however often this is called."""
        if self._ticking is not None:
            self._again = True
        elif self.running:
            self._unschedule()
            self._begin()

    def _begin(self) -> None:
        self._again = False
        ended: Deferred[None] = Deferred()
        self._ticking = ended
        Deferred.fromCoroutine(self._tick()).addBoth(self._ended, ended)

    def _ended(self, _: None, ended: Deferred[None]) -> None:
        self._ticking = None
        if self.running and self._again:
            self._begin()
        elif self.running:
            seconds = self._tick_seconds / FAST if self._fast() else self._tick_seconds
            self._timer = self._clock.callLater(seconds, self._due)
        ended.callback(None)

    def _due(self) -> None:
        self._timer = None
        self._begin()

    def _unschedule(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    async def _finish(self) -> None:
        if self._ticking is not None:
            await self._ticking
        try:
            await self._save()
        except Unavailable:
            self._counters.add("tail_failed")

    async def _tick(self) -> None:
        try:
            await self._read()
            if self._monotonic() - self._saved_at >= SAVE_SECONDS:
                await self._save()
        except Unavailable as error:
            self._failed(str(error))
        except Exception:
            if not self._failing:
                self._log.failure("the log cannot be read")
            self._failed("the log cannot be read; see the log of the daemon")
        else:
            self._recovered()

    async def _read(self) -> None:
        """
        Read until the end of the log, `BATCH` ids at a time.

        All batches count as one read that began with the first: a row that became visible meanwhile
        below an id that had been passed already is not in it, and will be in the next tick's. Its
        times are the database's, see `AnsweredTime`.
        """
        asked = self._monotonic()
        started: float | None = None
        after = self._door.settled
        while True:
            ids = await self._store.ids_after(after, BATCH)
            began, ended = self._time.read(asked, self._monotonic())
            started = began if started is None else started
            await self._offer(self._door.unknown(ids))
            after = ids[-1] if ids else after
            self._door.note_read(started, ended, after)
            if len(ids) < BATCH or not self.running:
                return

    async def _offer(self, ids: Sequence[int]) -> None:
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            events = await self._store.events_by_id(chunk)
            for event in events:
                if self._door.offer(event):
                    self._found(event)
            gone = set(chunk).difference(event.id for event in events)
            if gone:
                self._door.missing(sorted(gone))

    async def _save(self) -> None:
        """
        Write down what is settled, for the processes that start later; and see whether this is
        still the same database.
        """
        same = await self._store.save_settled(self._door.epoch, self._door.settled)
        self._saved_at = self._monotonic()
        if not same and self.running:
            self._log.warn("the database is of another epoch than {epoch}", epoch=self._door.epoch)
            self._other_epoch()

    def _failed(self, why: str) -> None:
        self._counters.add("tail_failed")
        if not self._failing:
            self._log.warn("the net is down: {why}", why=why)
        self._failing = True
        self.trouble = why

    def _recovered(self) -> None:
        if self._failing:
            self._log.info("the net is up again")
        self._failing = False
        self.trouble = ""
