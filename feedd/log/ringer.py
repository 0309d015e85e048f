"""
The ringer: one of all processes looks for rows that others have written, many times a second, and
rings for those that their writer has not rung for.

A site that only INSERTs needs no bell of its own then. Two ringers at the same time do no harm,
since the recent log of each process lets every event through once; and while there is none, the net
is there. This module knows no SQL.
"""

from collections import deque
from collections.abc import Awaitable, Sequence
from typing import Any, ClassVar, Protocol

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from feedd.core.counters import Counters
from feedd.core.event import Event
from feedd.core.horizon import Horizon
from feedd.core.runs import Runs
from feedd.feed.ports import Broker, Store, Unavailable
from feedd.feed.rows import read_rows
from feedd.log.looked import Looked

LIMIT = 1_000
"""Rows of one look."""

MOST_RUNG = 10_000
"""Ids that are remembered as rung for."""


class Lookout(Protocol):
    """Looks at the log, as long as no other process does: `feedd.store.lookout.Lookout`."""

    def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """Leave, and end."""

    def enter(self) -> Awaitable[bool]:
        """Try to become the one who looks; whether this process is. Raises `Unavailable`."""

    def look(self, after: int, holes: Runs, limit: int) -> Awaitable[Sequence[tuple[int, bool]]]:
        """
        The first `limit` rows above `after` or in `holes`, ascending: the id of each, and whether
        its writer rings for it. Raises `Unavailable`; then somebody else may be the one.
        """

    def leave(self) -> Awaitable[None]:
        """Let another process be the one who looks."""


class Recent(Protocol):
    """Takes what the ringer finds: `feedd.core.recent.RecentLog`."""

    @property
    def horizon(self) -> Horizon:
        """How far the log is settled, and the epoch of the database."""

    def offer(self, event: Event) -> bool:
        """Let `event` through unless it has been; whether it was new."""


class Ringer(Service):
    """
    Looks every `ring_seconds`, while it is the one; tries to become it every `STANDBY_SECONDS`.

    A process whose broker is away is not the one: nobody would hear it ring. It counts
    ``ringer_looks``, ``ringer_rung`` (events), ``ringer_takeovers``, ``ringer_left_out`` (runs of
    missing ids that are left to the net) and ``ringer_failed``.

    :ivar trouble: why it can neither ring nor stand by; "" when it can.
    """

    STANDBY_SECONDS: ClassVar[float] = 0.2
    LONGEST_SECONDS: ClassVar[float] = 1.0
    """From one try to the next when it fails again and again."""

    BACK_SECONDS: ClassVar[float] = 3.0
    """
    A new ringer begins where its process's log was settled so long ago. What came in since may have
    been found by the net here, and by nobody elsewhere.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        lookout: Lookout,
        store: Store,
        recent: Recent,
        broker: Broker,
        ring_seconds: float,
        counters: Counters,
    ) -> None:
        self.trouble = ""
        self._clock: Any = clock
        self._lookout = lookout
        self._store = store
        self._recent = recent
        self._broker = broker
        self._ring_seconds = ring_seconds
        self._counters = counters
        self._looked: Looked | None = None
        self._pause = self.STANDBY_SECONDS
        self._history: deque[tuple[float, Horizon]] = deque()
        # A set that keeps its order, so that the oldest id can be forgotten.
        self._rung: dict[int, None] = {}
        self._running: Deferred[None] | None = None

    @property
    def state(self) -> str:
        """``rings``, ``stands by``, ``off``, or why it can do neither."""
        if not self.running:
            return "off"
        if not self._broker.up:
            return "the broker is away"
        return self.trouble or ("stands by" if self._looked is None else "rings")

    def startService(self) -> None:
        """Begin to stand by."""
        super().startService()
        self._history.clear()
        self._rung.clear()
        self._lookout.start()
        self._running = Deferred.fromCoroutine(self._run())
        self._running.addErrback(self._ended)

    def stopService(self) -> Deferred[None]:
        """Ring no longer; fires when another process may."""
        super().stopService()
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
        self._looked = None
        return Deferred.fromCoroutine(self._lookout.stop())

    async def _run(self) -> None:
        while True:
            self._remember_horizon()
            try:
                seconds = await self._step()
            except CancelledError:
                raise
            except Unavailable as error:
                seconds = await self._failed(error.why)
            except Exception:
                if not self.trouble:
                    self._log.failure("the ringer cannot look")
                seconds = await self._failed("the ringer cannot look; see the log of the daemon")
            await deferLater(self._clock, seconds, lambda: None)

    async def _step(self) -> float:
        """Do what is due; returns after how many seconds to come back."""
        if not self._broker.up:
            await self._stand_aside()
            return self.STANDBY_SECONDS
        if self._looked is None and not await self._lookout.enter():
            self._well()
            return self.STANDBY_SECONDS
        looked = self._looked or self._take_over()
        is_cut = await self._look(looked)
        self._well()
        return 0 if is_cut else self._ring_seconds

    async def _stand_aside(self) -> None:
        """Let a process whose broker is there ring; the nets are fast where it is away."""
        if self._looked is not None:
            self._looked = None
            self._log.info("this process does not ring any more: the broker is away")
        await self._lookout.leave()

    def _take_over(self) -> Looked:
        self._counters.add("ringer_takeovers")
        self._log.info("this process rings now for rows that others write")
        self._looked = looked = Looked(self._history[0][1])
        return looked

    async def _look(self, looked: Looked) -> bool:
        """Look once, and ring for what is new; whether there may be more."""
        before = self._recent.horizon
        after, holes = looked.question()
        rows = await self._lookout.look(after, holes, LIMIT)
        self._counters.add("ringer_looks")
        await self._ring([id for id, rung in rows if not rung and id not in self._rung])
        is_cut = len(rows) >= LIMIT
        looked.take([id for id, _ in rows], holes, before, is_cut)
        if looked.left_out:
            self._counters.add("ringer_left_out", looked.left_out)
            looked.left_out = 0
        self._check_sight(looked, is_cut)
        return is_cut

    def _check_sight(self, looked: Looked, is_cut: bool) -> None:
        """
        Check that the lookout sees what has been settled here for some seconds. After a failover
        its connection may lead to a server that gets nothing any more; a new one may not.
        """
        settled = self._history[0][1].settled
        if not is_cut and settled > looked.after:
            raise Unavailable("database", f"the ringer does not see event {settled}")

    async def _ring(self, ids: Sequence[int]) -> None:
        """Tell of the rows of `ids` here and everywhere."""
        epoch = self._recent.horizon.epoch
        async for events, _ in read_rows(self._store, ids):  # what is gone is the net's
            if self._recent.horizon.epoch != epoch:
                return  # these ids mean something else
            for event in events:
                self._recent.offer(event)
            self._broker.publish(events)
            self._counters.add("ringer_rung", len(events))
            self._note_rung(events)

    def _note_rung(self, events: Sequence[Event]) -> None:
        self._rung.update((event.id, None) for event in events)
        for _ in range(len(self._rung) - MOST_RUNG):
            del self._rung[next(iter(self._rung))]

    def _remember_horizon(self) -> None:
        """Keep a horizon of each second, back to the newest that is `BACK_SECONDS` old."""
        now, history = self._clock.seconds(), self._history
        if not history or now - history[-1][0] >= 1.0:
            history.append((now, self._recent.horizon))
        while len(history) > 1 and now - history[1][0] >= self.BACK_SECONDS:
            history.popleft()

    async def _failed(self, why: str) -> float:
        """Let somebody else try; returns after how many seconds to do so here."""
        self._counters.add("ringer_failed")
        if not self.trouble:
            self._log.warn("the ringer is away: {why}", why=why)
        self.trouble = why
        self._looked = None
        await self._lookout.leave()
        seconds, self._pause = self._pause, min(2 * self._pause, self.LONGEST_SECONDS)
        return seconds

    def _well(self) -> None:
        if self.trouble:
            self._log.info("the ringer is there again")
        self.trouble = ""
        self._pause = self.STANDBY_SECONDS

    def _ended(self, failure: Failure) -> None:
        failure.trap(CancelledError)
