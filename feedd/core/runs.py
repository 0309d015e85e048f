"""
Sets of ids as runs: what is missing in a log, or may still appear, comes in blocks.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Runs:
    """
    A set of ids, which does not change.

    :ivar bounds: where the set begins and ends, ascending: the first id of a run, the first id
        behind it, the first id of the next run, and so on.
    """

    bounds: tuple[int, ...] = ()

    def __contains__(self, id: int) -> bool:
        return bool(bisect_right(self.bounds, id) & 1)

    def __bool__(self) -> bool:
        return bool(self.bounds)

    @property
    def spans(self) -> list[tuple[int, int]]:
        """The first and the last id of each run, ascending."""
        bounds = self.bounds
        return [(bounds[at], bounds[at + 1] - 1) for at in range(0, len(bounds), 2)]

    @property
    def count(self) -> int:
        """The number of runs."""
        return len(self.bounds) // 2

    @property
    def first(self) -> int:
        """The lowest id. Raises `IndexError` when there is none."""
        return self.bounds[0]

    def both(self, other: "Runs") -> "Runs":
        """The ids of this set and of `other`."""
        return _combine(self, other, lambda here, there: here and there)

    def either(self, other: "Runs") -> "Runs":
        """The ids of this set, and those of `other`."""
        return _combine(self, other, lambda here, there: here or there)

    def but(self, other: "Runs") -> "Runs":
        """The ids of this set that are not in `other`."""
        return _combine(self, other, lambda here, there: here and not there)

    def cut(self, count: int) -> "Runs":
        """The first `count` runs."""
        return Runs(self.bounds[: 2 * count])


NO_RUNS = Runs()


def runs_of(ids: Iterable[int]) -> Runs:
    """The set of `ids`, in any order."""
    return runs_of_spans((id, id) for id in sorted(set(ids)))


def runs_of_spans(spans: Iterable[tuple[int, int]]) -> Runs:
    """The set of the ids from each first to each last one; the spans ascend and do not overlap."""
    bounds: list[int] = []
    for first, last in spans:
        if bounds and bounds[-1] == first:
            bounds.pop()
        else:
            bounds.append(first)
        bounds.append(last + 1)
    return Runs(tuple(bounds))


def upto(id: int) -> Runs:
    """All ids from 1 to `id`."""
    return Runs((1, id + 1)) if id > 0 else NO_RUNS


def above(id: int) -> Runs:
    """All ids that are higher than `id`."""
    return Runs((id + 1, 1 << 63))


def gaps(after: int, ids: Iterable[int]) -> Runs:
    """The ids above `after` that are not in `ids`, below the highest of these, which ascend."""
    return runs_of_spans(_gaps(after, ids))


def _gaps(after: int, ids: Iterable[int]) -> Iterator[tuple[int, int]]:
    for id in ids:
        if id > after + 1:
            yield after + 1, id - 1
        after = id


def _combine(one: Runs, other: Runs, keep: Callable[[bool, bool], bool]) -> Runs:
    """The ids of which `keep` says so, which is told whether they are in `one` and in `other`."""
    if one.bounds == other.bounds and one:
        return one if keep(True, True) else NO_RUNS
    bounds: list[int] = []
    here, there = set(one.bounds), set(other.bounds)
    in_one = in_other = inside = False
    for bound in sorted(here | there):
        in_one ^= bound in here
        in_other ^= bound in there
        if keep(in_one, in_other) is not inside:
            inside = not inside
            bounds.append(bound)
    return Runs(tuple(bounds))
