"""
The net: reads the new end of the log again and again, and offers every row to the recent log.

What the bell did not bring comes with the next tick.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from feedd.core.counters import Counters
from feedd.core.event import MAX_ID, Event
from feedd.core.horizon import Horizon, Settling, Standing
from feedd.core.runs import Runs, above
from feedd.feed.ports import Store, Unavailable
from feedd.feed.rows import read_rows
from feedd.log.database_clock import DatabaseClock
from feedd.reactor.complaints import Complaints

BATCH = 5_000
"""Ids of one read."""

SAVE_SECONDS = 5.0
HASTE_SECONDS = 0.05
"""From one tick to the next when there is haste."""

FAST = 4
"""How much faster it ticks while the broker is away."""


class Recent(Protocol):
    """Takes what the net finds: `feedd.core.recent.RecentLog`."""

    @property
    def horizon(self) -> Horizon:
        """How far the log is settled, and the epoch of the database."""

    @property
    def settling(self) -> Settling:
        """Decides how far it is, by what is read."""

    def unknown(self, ids: Sequence[int]) -> list[int]:
        """Those of `ids` that have not been let through."""

    def offer(self, event: Event) -> bool:
        """Let `event` through unless it has been; whether it was new."""

    def missing(self, ids: Sequence[int]) -> None:
        """The rows of these ids are gone or unreadable: there is nothing to let through."""


class Owner(Protocol):
    """The process that a tail belongs to."""

    def degraded(self) -> bool:
        """Whether the net is all there is, because the broker is away."""

    def found(self, event: Event) -> None:
        """The net has let `event` through: the bell had not brought it."""

    def failed(self, counter: str, what: str) -> None:
        """Count the exception that is being handled, and log it from time to time."""

    def other_epoch(self) -> None:
        """The database has turned out to be of another epoch than the log."""


class Tail(Service):
    """
    Reads the log in ticks. A tick reads the ids above the settled one, fetches the rows that the
    recent log has not seen, offers them in order, and tells it how far it has read.

    Ticks never overlap. One that fails is counted (``tail_failed``), and the next one tries again.
    Every `SAVE_SECONDS` what is settled is saved, beside the ticks; a save that fails is counted
    (``settled_not_saved``), and hinders no tick.

    :ivar trouble: why the last tick failed, or that none has ended yet; "" when it went well.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        monotonic: Callable[[], float],
        store: Store,
        recent: Recent,
        tick_seconds: float,
        owner: Owner,
        counters: Counters,
    ) -> None:
        """
        :param monotonic: seconds of a clock that only goes forward.
        :param tick_seconds: from the end of a tick to the next one; `FAST` times less while the
            owner is degraded.
        """
        self.trouble = "the log has not been read yet"
        self._clock: Any = clock
        self._monotonic = monotonic
        self._store = store
        self._recent = recent
        self._tick_seconds = tick_seconds
        self._owner = owner
        self._counters = counters
        self._timer: Any = None
        self._ticking: Deferred[None] | None = None
        self._again = False
        self._failing = False
        self._not_saving = False
        self._complain = Complaints(counters, monotonic)
        self._saving: Deferred[None] | None = None
        self._saved_at = monotonic()
        self._ended_at = 0.0
        self._database_clock = DatabaseClock(monotonic(), tick_seconds)

    def startService(self) -> None:
        """Tick now, and from now on."""
        super().startService()
        self._begin()

    def stopService(self) -> Deferred[None]:
        """
        Tick no longer; fires when a running tick has ended and what is settled has been saved.
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

    def hasten(self) -> None:
        """
        Tick `HASTE_SECONDS` after the last tick: much has been let through above what is settled,
        and cursors name all of it.
        """
        if self._timer is not None:
            now = self._clock.seconds()
            soon = max(now, self._ended_at + HASTE_SECONDS)
            if self._timer.getTime() > soon:
                self._timer.reset(soon - now)

    def _begin(self) -> None:
        self._again = False
        ended: Deferred[None] = Deferred()
        self._ticking = ended
        Deferred.fromCoroutine(self._tick()).addBoth(self._ended, ended)

    def _ended(self, _: None, ended: Deferred[None]) -> None:
        self._ticking = None
        self._ended_at = self._clock.seconds()
        if self.running and self._again:
            self._begin()
        elif self.running:
            faster = FAST if self._owner.degraded() else 1
            self._timer = self._clock.callLater(self._tick_seconds / faster, self._due)
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
        if self._saving is not None:
            await self._saving
        await self._save()

    async def _tick(self) -> None:
        try:
            await self._read()
        except Unavailable as error:
            self._failed(str(error))
        except Exception:
            if not self._failing:
                self._log.failure("the log cannot be read")
            self._failed("the log cannot be read; see the log of the daemon")
        else:
            self._recovered()
            if self._saving is None and self._monotonic() - self._saved_at >= SAVE_SECONDS:
                self._begin_to_save()

    async def _read(self) -> None:
        """
        Read until the end of the log: first the ids of all rows, committed or not, then those that
        are committed, `BATCH` at a time. The first read tells what is open of what is missing.
        When each row that stands has been let through, as nearly always while the bell rings, there
        is nothing to find, and the second read is left out.

        All batches count as one read that began with the first: a row that became visible meanwhile
        below an id that had been passed already is not in it, and will be in the next tick's. Its
        times are the database's, see `DatabaseClock`.
        """
        _, settled, holes = self._recent.horizon
        asked = self._monotonic()
        standing = await self._store.ids_standing(settled, BATCH, holes)
        if standing is None:
            await self._read_committed(settled, holes, by_time=True)
            return
        began, ended = self._database_clock.times_of(asked, self._monotonic())
        is_all = len(standing) < BATCH
        if not is_all or self._recent.unknown(standing):
            await self._read_committed(settled, holes, by_time=False)
        upto = MAX_ID if is_all else standing[-1]
        self._recent.settling.note_standing(Standing(standing, upto), began, ended)

    async def _read_committed(self, settled: int, holes: Runs, by_time: bool) -> None:
        asked = self._monotonic()
        started: float | None = None
        after = 0
        while True:
            ids = await self._store.ids_after(max(after, settled), BATCH, holes.both(above(after)))
            began, ended = self._database_clock.times_of(asked, self._monotonic())
            started = began if started is None else started
            await self._offer(self._recent.unknown(ids))
            after = ids[-1] if ids else after
            if by_time:
                self._recent.settling.note_read(started, ended, max(after, settled))
            if len(ids) < BATCH or not self.running:
                return

    async def _offer(self, ids: Sequence[int]) -> None:
        async for events, gone in read_rows(self._store, ids):
            for event in events:
                try:
                    if self._recent.offer(event):
                        self._owner.found(event)
                except Exception:  # the other events are offered all the same
                    self._owner.failed("tail_event_failed", f"event {event.id} was not let through")
            if gone:
                self._recent.missing(gone)

    def _begin_to_save(self) -> None:
        """Save, while the ticks go on: where nothing can be written there is still to be read."""
        self._saved_at = self._monotonic()
        ended: Deferred[None] = Deferred()
        self._saving = ended
        Deferred.fromCoroutine(self._save()).addBoth(self._saved, ended)

    def _saved(self, _: None, ended: Deferred[None]) -> None:
        self._saving = None
        ended.callback(None)

    async def _save(self) -> None:
        """
        Save up to where the log is whole, for the processes that start later, and notice when this
        is another database. Never fails: a process that starts reads a little more of the log then.
        """
        horizon = self._recent.horizon
        try:
            same = await self._store.save_settled(horizon.epoch, horizon.whole)
        except Unavailable as error:
            self._complain("settled_not_saved", str(error))
            return
        except Exception as error:
            if not self._not_saving:
                self._log.failure("what is settled cannot be saved")
            self._not_saving = True
            self._complain("settled_not_saved", type(error).__name__)
            return
        self._not_saving = False
        if not same and self.running:
            self._log.warn("the database is of another epoch than {epoch}", epoch=horizon.epoch)
            self._owner.other_epoch()

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
