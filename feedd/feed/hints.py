"""
Hints: ids of events that somebody has rung for who cannot prove that they stand in the log. Their
rows are read, and what these say is told.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from feedd.core.counters import Counters
from feedd.core.recent import RecentLog
from feedd.feed.ports import Store, Unavailable
from feedd.feed.rows import read_rows

MAX_HINTS = 10_000
"""Ids that wait to be read; the net brings the rows of others."""


class Hints:
    """
    Reads the rows of hints, one query at a time; what comes in meanwhile shares the next one.

    It counts ``hints_empty`` (there is no such row, or not yet), ``hints_failed`` (the database is
    away) and ``hints_dropped`` (more than `MAX_HINTS`).
    """

    def __init__(
        self,
        store: Store,
        log: RecentLog,
        start: Callable[[Coroutine[Any, Any, None], str], None],
        counters: Counters,
    ) -> None:
        """:param start: runs a coroutine; when it raises, the text is logged."""
        self._store = store
        self._log = log
        self._start = start
        self._counters = counters
        self._ids: set[int] = set()
        self._is_reading = False

    def add(self, id: int) -> None:
        """Read the row of this id soon, unless it has been let through."""
        if not self._log.horizon.epoch or id in self._ids or not self._log.unknown((id,)):
            return
        if len(self._ids) >= MAX_HINTS:
            self._counters.add("hints_dropped")
            return
        self._ids.add(id)
        if not self._is_reading:
            self._start(self._read(), "hints cannot be read")

    def forget(self) -> None:
        """Drop what waits: the database is another one."""
        self._ids.clear()

    async def _read(self) -> None:
        self._is_reading = True
        try:
            while self._ids:
                await self._read_some()
        finally:
            self._is_reading = False

    async def _read_some(self) -> None:
        unknown = self._log.unknown(sorted(self._ids))
        self._ids.clear()
        epoch = self._log.horizon.epoch
        left = len(unknown)
        try:
            async for events, gone in read_rows(self._store, unknown):
                if self._log.horizon.epoch != epoch:
                    return
                for event in events:
                    self._log.offer(event)
                if gone:
                    self._counters.add("hints_empty", len(gone))
                left -= len(events) + len(gone)
        except Unavailable:
            self._counters.add("hints_failed", left + len(self._ids))
            self._ids.clear()
