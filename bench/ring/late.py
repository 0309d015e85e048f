"""How late rows are that are only INSERTed, and what becomes of them when the ringer is harmed."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bench.measured import percentile
from bench.ring.site import ROLLED_BACK, Site, Viewer, Writers

HARM_SECONDS = 3.0
REST_SECONDS = 2.0


class Late(NamedTuple):
    """
    From a COMMIT to the polls that it answers.

    :ivar lost: rows that did not come, of all viewers.
    :ivar doubled: rows that came more than once, or were rolled back.
    """

    rows: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    lost: int
    doubled: int
    gaps: int


def calm(rows: int, per_second: float, writers: int) -> Late:
    """Nobody is harmed: two processes, and so many rows."""
    with Site(2, 1.0, 0.02) as site:
        watch = _Watch(site, writers, per_second)
        while len(watch.writers.committed) < rows:
            time.sleep(0.05)
        return watch.end(5.0, ())


def harmed(kind: str, times: int, per_second: float, tail_seconds: float) -> Late:
    """
    The ringer is harmed so often. The times are those of viewers at the other process, from the
    harm on; what is lost and doubled is counted for all.
    """
    with Site(2, tail_seconds, 0.02) as site:
        watch = _Watch(site, 4, per_second)
        spans = []
        for _ in range(times):
            time.sleep(REST_SECONDS)
            index = site.ringer()
            began = time.monotonic()
            HARMS[kind](site, index)
            spans.append((1 - index, began))
        return watch.end(2 * tail_seconds + 5.0, spans)


def _kill(site: Site, index: int) -> None:
    site.feedds[index].kill()
    time.sleep(HARM_SECONDS)
    site.feedds[index].start()


def _freeze(site: Site, index: int) -> None:
    site.feedds[index].pause()
    time.sleep(HARM_SECONDS)
    site.feedds[index].resume()


def _cut(site: Site, index: int) -> None:
    site.cut(index)
    time.sleep(HARM_SECONDS)
    site.heal(index)


HARMS: dict[str, Callable[[Site, int], None]] = {"killed": _kill, "frozen": _freeze, "cut": _cut}


class _Watch:
    """Writers, and a viewer at each process."""

    def __init__(self, site: Site, writers: int, per_second: float) -> None:
        self.viewers = [Viewer(feedd) for feedd in site.feedds]
        self.writers = Writers(site, writers, per_second, 0.2)
        for viewer in self.viewers:
            viewer.start()
        time.sleep(REST_SECONDS)  # their exchange is bound
        site.ringer()
        self.writers.start()

    def end(self, patience_seconds: float, spans: Sequence[tuple[int, float]]) -> Late:
        """
        Stop, and account for all.

        :param spans: a viewer, and the begin of each `HARM_SECONDS` in which their times count;
            none: all times of all do.
        """
        self.writers.stop()
        committed = self.writers.committed
        deadline = time.monotonic() + patience_seconds
        while self._lost() and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1.0)  # what is told twice has the time to be
        for viewer in self.viewers:
            viewer.over = True
        counted = [
            (viewer.seen[number][0] - at) * 1000
            for index, viewer in enumerate(self.viewers)
            for number, at in committed.items()
            if viewer.seen.get(number)
            and (not spans or any(_within(at, begun) for who, begun in spans if who == index))
        ]
        times = sorted(counted) or [0.0]
        return Late(
            len(committed),
            *(round(percentile(times, share), 1) for share in (0.5, 0.99, 1.0)),
            self._lost(),
            sum(
                len(seen) - (number != ROLLED_BACK)
                for viewer in self.viewers
                for number, seen in viewer.seen.items()
            ),
            sum(viewer.gaps for viewer in self.viewers),
        )

    def _lost(self) -> int:
        committed = list(self.writers.committed)
        return sum(not viewer.seen.get(number) for viewer in self.viewers for number in committed)


def _within(at: float, begun: float) -> bool:
    return begun - 0.1 <= at <= begun + HARM_SECONDS
