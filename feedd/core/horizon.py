"""
How far a log is settled: the part in which nothing can appear any more that nobody knows of.

An id is given out at INSERT and becomes visible at COMMIT. So a lower id may appear after a higher
one, and "everything up to N" is only true but for the ids that may still appear: the holes.
"""

from collections.abc import Iterable
from math import inf
from typing import NamedTuple

from feedd.core.counters import Counters
from feedd.core.runs import NO_RUNS, Runs, above, gaps, runs_of, upto

MAX_ABOVE = 100_000
"""Ids above the watermark that are remembered as let through."""

MAX_HOLES = 200
"""Runs of holes; `Settling` stops before the next one. A cursor names all of them."""

HELD_SECONDS = 2.0
"""
How long the watermark stops below a friend change, so that cursors name it: a process that has not
heard of it learns it from them. By then the net of every process has come by.
"""

MAX_IDS = 200
"""Ids above the watermark in one cursor; instead of older ones it names the gaps between them."""

MANY_ABOVE = 100
"""
Ids above the watermark that are too many to be named by cursors: what is missing between them
becomes holes without a read, which may be impossible now.
"""


class Horizon(NamedTuple):
    """
    How far a log is settled in a process.

    :ivar epoch: the database that the ids are of, "" while none has been read.
    :ivar settled: the watermark: every id up to here has been let through, is a hole, or never
        appears.
    :ivar holes: the ids below it that may still appear.
    """

    epoch: str = ""
    settled: int = 0
    holes: Runs = NO_RUNS

    @property
    def whole(self) -> int:
        """The highest id up to which nothing can appear any more."""
        return self.holes.first - 1 if self.holes else self.settled

    def has(self, id: int) -> bool:
        """Whether nothing can appear with this id any more."""
        return id <= self.settled and id not in self.holes

    def below(self, id: int) -> "Horizon":
        """How far the log up to `id` is settled."""
        if id >= self.settled:
            return self
        return Horizon(self.epoch, id, self.holes.both(upto(id)))


class Standing(NamedTuple):
    """
    The answer to a read of all rows that stand in the log, committed or not.

    :ivar ids: ascending.
    :ivar upto: ids above it were not looked at.
    """

    ids: list[int]
    upto: int


class Settling:
    """
    Decides how far the log is settled.

    An id that has been let through directly above the watermark moves it: there is no id between.
    Where one is missing, reads of the log decide, see `note_standing` and `note_read`.

    :param settle_seconds: how long after its id was given out a row is in the table at the latest,
        or, for `note_read`, visible. 0 when ids become visible in their order.
    :param counters: counts ``recent_forgotten``.
    """

    def __init__(self, settle_seconds: float, counters: Counters) -> None:
        self._settle_seconds = settle_seconds
        self._counters = counters
        self.begin("", 0)

    def begin(self, epoch: str, settled: int) -> None:
        """Begin anew, with the watermark that the database keeps."""
        self.horizon = Horizon(epoch, settled)
        # A set that keeps its order, so that the oldest id can be forgotten.
        self._above: dict[int, None] = {}
        self._sightings: list[tuple[int, float]] = []
        self._has_holes = False  # until a read has shown that what stands can be seen
        # The ids that the watermark stops below, and since when; None before the next read.
        self._held: dict[int, float | None] = {}
        # The holes whose row has been seen, and since when each of the others is known.
        self._open = NO_RUNS
        self._unplaced: list[tuple[Runs, float | None]] = []

    def close(self) -> None:
        """The database has turned out to be another one."""
        self.horizon = self.horizon._replace(epoch="")

    @property
    def ahead(self) -> int:
        """How many ids above the watermark have been let through."""
        return len(self._above)

    def knows(self, id: int) -> bool:
        """Whether this id has been let through, or was settled before."""
        _, settled, holes = self.horizon
        return id not in holes if id <= settled else id in self._above

    def lacks(self, settled: int, holes: Runs) -> Runs:
        """The ids up to `settled`, but for `holes`, that have not been let through here."""
        here = self.horizon.settled
        lacking = self.horizon.holes.both(upto(settled))
        if settled > here:
            beyond = upto(settled).both(above(here))
            lacking = lacking.either(beyond.but(runs_of(self._above)))
        return lacking.but(holes) if lacking else NO_RUNS

    def let_through(self, id: int, is_held: bool = False) -> None:
        """
        Take note that an id has been let through, or that its row is gone.

        :param is_held: the watermark stops below it for `HELD_SECONDS`.
        """
        _, settled, holes = self.horizon
        if id > settled:
            self._remember(id)
            if is_held and self._settle_seconds:
                self._held[id] = None
            if id == settled + 1 and id not in self._held:
                self._go_on()
            elif len(self._above) >= MANY_ABOVE and holes.count < MAX_HOLES:
                self._give_way()
        elif id in holes:
            self._end(runs_of((id,)))

    def note_standing(self, standing: Standing, began: float, ended: float) -> None:
        """
        Settle what two reads prove: one of the rows that stand in the table, committed or not, and
        after it one of those that are committed, each of which has been let through.

        All ids up to the highest that stood had been given out before. So the watermark goes to the
        highest of them that has been let through, and what is missing below is a hole. It does not
        go to one that is not committed: a database that is killed gives such an id out again.

        :param began: when the first read began, in seconds of the database's clock.
        :param ended: when its answer was here.
        """
        self._has_holes = True
        self._end_holes(standing, began, ended)
        self._release(began, ended)
        stood = standing.ids[-1] if standing.ids else 0
        stop = min(self._held, default=stood + 1)
        known = sorted(id for id in self._above if id <= stood and id < stop)
        if known:
            self._settle_upto(known, runs_of(standing.ids), ended)
        self._go_on()

    def note_read(self, started: float, ended: float, upto: int) -> None:
        """
        Settle what time proves, after a read of the committed ids above the watermark, each of
        which has been let through.

        An id is given out at INSERT and visible at COMMIT, at most S = `settle_seconds` later. If
        `upto` was visible at some moment u, every lower id was given out before u, and a read that
        starts at u + S or later sees all that ever commit. u lies between `started` and `ended`;
        the later one is the safe one. With S = 0 ids commit in order, so `started` is.

        :param started: when the read began, in seconds of a clock that only goes forward.
        :param ended: when its answer was here.
        :param upto: the highest id in it; where a limit cut the read, ids above it were not looked
            at. 0: no row at all.
        """
        self._release(started, ended)
        sightings = self._sightings
        if upto > self.horizon.settled and (not sightings or upto > sightings[-1][0]):
            sightings.append((upto, ended if self._settle_seconds else started))
        while sightings and sightings[0][1] + self._settle_seconds <= started:
            settled = min(sightings.pop(0)[0], upto)
            if settled > self.horizon.settled:
                self._move(settled, NO_RUNS)
        self._go_on()

    def _give_way(self) -> None:
        """
        Make holes of all that is missing.

        It has been given out, as a higher id is there. Since when it has been missing is not known
        before the next read but one. Nothing is held any more: processes that are to learn it from
        cursors have had the time of a hundred ids.
        """
        self._held.clear()
        if self._has_holes:
            self._settle_upto(sorted(self._above), NO_RUNS, None)

    def _end_holes(self, standing: Standing, began: float, ended: float) -> None:
        """
        End the holes in which nothing can appear any more.

        A hole whose row stood, and stands no more, was rolled back. One whose row was never seen is
        burnt, or on its way from the giving out of its id to the writing of its row, which is one
        step inside one statement: it ends after `settle_seconds`.
        """
        stand, seen = runs_of(standing.ids), upto(standing.upto)
        over = self._open.both(seen).but(stand)
        for holes, since in self._unplaced:
            if since is not None and since + self._settle_seconds <= began:
                over = over.either(holes.both(seen).but(stand))
        # This read may have begun before such a hole was made; the next one has not.
        next_since = {None: inf, inf: ended}
        self._unplaced = [(holes, next_since.get(since, since)) for holes, since in self._unplaced]
        placed = self.horizon.holes.both(stand)
        if placed:
            self._open = self._open.either(placed)
            self._take_from_unplaced(placed)
        if over:
            self._end(over)

    def _settle_upto(self, known: list[int], standing: Runs, at: float | None) -> None:
        """
        Move the watermark to the highest of the `known` ids, or as far as `MAX_HOLES` allow.

        :param standing: the ids whose rows stood.
        :param at: when they were read; None when they were not.
        """
        settled, holes = self.horizon.settled, self.horizon.holes
        missing = gaps(settled, known)
        room = MAX_HOLES - holes.count
        last = known[-1]
        if missing.count > room:
            last = missing.bounds[2 * room] - 1
            missing = missing.cut(room)
        if last > settled:
            self._open = self._open.either(missing.both(standing))
            unplaced = missing.but(standing)
            if unplaced:
                self._unplaced.append((unplaced, at))
            self._move(last, holes.either(missing))

    def _move(self, settled: int, holes: Runs) -> None:
        self.horizon = Horizon(self.horizon.epoch, settled, holes)
        self._above = {id: None for id in self._above if id > settled}
        self._held = {id: since for id, since in self._held.items() if id > settled}

    def _go_on(self) -> None:
        """Move the watermark over the ids directly above it."""
        epoch, settled, holes = self.horizon
        while settled + 1 in self._above and settled + 1 not in self._held:
            settled += 1
            del self._above[settled]
        self.horizon = Horizon(epoch, settled, holes)

    def _release(self, began: float, ended: float) -> None:
        """Let the watermark pass what has been held for long enough."""
        self._held = {
            id: ended if since is None else since
            for id, since in self._held.items()
            if since is None or since + HELD_SECONDS > began
        }

    def _end(self, ended: Runs) -> None:
        epoch, settled, holes = self.horizon
        self.horizon = Horizon(epoch, settled, holes.but(ended))
        self._open = self._open.but(ended)
        self._take_from_unplaced(ended)

    def _take_from_unplaced(self, runs: Runs) -> None:
        left = ((holes.but(runs), since) for holes, since in self._unplaced)
        self._unplaced = [(holes, since) for holes, since in left if holes]

    def _remember(self, id: int) -> None:
        self._above[id] = None
        if len(self._above) > MAX_ABOVE:
            # The net has not read the log for very long. An event that is forgotten here may be let
            # through again; clients drop an id that they have.
            del self._above[next(iter(self._above))]
            self._counters.add("recent_forgotten")


def advance(
    stands: Horizon, ids: Iterable[int], horizon: Horizon, events: Iterable[int]
) -> tuple[Horizon, tuple[int, ...]]:
    """
    Where a viewer stands after `events`, in a process whose log is settled as `horizon` says.

    The viewer may have come from another process, which was further on or less far.

    :param stands: the viewer has every event up to its watermark but for its holes,
    :param ids: and these above it.
    :param events: the ids that the viewer gets now.
    """
    settled = max(stands.settled, horizon.settled)
    had = frozenset(ids)
    got = had.union(events)
    holes = _lacking(stands, had, horizon) if stands.holes or horizon.holes else NO_RUNS
    if holes:
        holes = holes.but(runs_of(got))
    left = tuple(sorted(id for id in got if id > settled))
    if len(left) > MAX_IDS:
        settled, holes, left = _fold(settled, holes, left)
    return Horizon(horizon.epoch, settled, holes), left


def _fold(settled: int, holes: Runs, ids: tuple[int, ...]) -> tuple[int, Runs, tuple[int, ...]]:
    """
    Name the oldest of too many ids by what is missing between them, as holes.

    Where that would be too many holes too, the oldest ids are left out: their events may be told
    again.
    """
    oldest, newest = ids[:-MAX_IDS], ids[-MAX_IDS:]
    folded = holes.either(gaps(settled, oldest))
    return (settled, holes, newest) if folded.count > MAX_HOLES else (oldest[-1], folded, newest)


def _lacking(stands: Horizon, had: frozenset[int], horizon: Horizon) -> Runs:
    """
    The holes that the viewer lacks, and that may still appear: because they are holes here too, or
    because this process has not come so far.
    """
    below = stands.holes.both(horizon.holes.either(above(horizon.settled)))
    beyond = horizon.holes.both(above(stands.settled)).but(runs_of(had))
    return below.either(beyond)
