"""
Measured numbers, and the figures that follow from several turns of them.
"""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class Measured(NamedTuple):
    """
    The result of R rounds on N polls.

    :ivar last_ms: in each round, from the publish to the last of the N answers.
    :ivar p50_ms: of all answers.
    :ivar cpu_us: of the server, for each answer with the poll that follows it.
    :ivar kib: of the server's memory for each poll.
    :ivar deliver_us: of the server, for each answer, in rounds in which nobody polls until all are
        answered; 0: not measured.
    :ivar poll_us: of the server, for each of the polls that then follow.
    """

    last_ms: list[float]
    p50_ms: float
    cpu_us: float
    kib: float
    open_s: float
    missing: int
    p99_ms: float = 0.0
    errors: int = 0
    deliver_us: float = 0.0
    poll_us: float = 0.0

    @property
    def last(self) -> float:
        """The median of `last_ms`."""
        return statistics.median(self.last_ms)


class Timed(NamedTuple):
    """
    The result of so many publishes a second.

    :ivar p50_ms: from a publish to an answer that tells it.
    :ivar missing: deliveries that did not come.
    """

    sent: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    cpu_us: float
    missing: int
    errors: int


class Spread(NamedTuple):
    """The middle of several turns, and how far they lie apart."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Of at least one value."""
    return Spread(statistics.median(values), min(values), max(values))


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """
    Of each turn's value to the other's in the same turn: a machine that drifts between turns does
    not matter.
    """
    return spread([our / their for our, their in zip(ours, theirs, strict=True) if their])


def percentile(ascending: Sequence[float], share: float) -> float:
    """The value below which `share` of them lie; 0 when there are none."""
    return ascending[int((len(ascending) - 1) * share)] if ascending else 0.0


def row(turns: Sequence[Measured]) -> dict[str, float]:
    """One peer's medians over the turns."""
    last = spread([turn.last for turn in turns])
    medians = ("p50_ms", "p99_ms", "cpu_us", "deliver_us", "poll_us", "kib", "open_s")
    return {
        "last_ms": last.median,
        "last_ms_low": last.low,
        "last_ms_high": last.high,
        **{name: statistics.median(getattr(turn, name) for turn in turns) for name in medians},
        "missing": sum(turn.missing for turn in turns),
        "errors": sum(turn.errors for turn in turns),
    }


def against(
    turns: Mapping[str, Sequence[Measured]], reference: str
) -> dict[str, dict[str, Spread]]:
    """
    Every peer's `last` and CPU as a ratio to the reference's in the same turn; nothing without the
    reference.
    """
    found: dict[str, dict[str, Spread]] = {}
    theirs = turns.get(reference, ())
    for name, ours in turns.items():
        if theirs and len(ours) == len(theirs):
            found[name] = {
                "last": ratios([turn.last for turn in ours], [turn.last for turn in theirs]),
                "cpu": ratios([turn.cpu_us for turn in ours], [turn.cpu_us for turn in theirs]),
            }
    return found


def order(names: Sequence[Any], turn: int) -> list[Any]:
    """The order of a turn: each begins with another, every second one goes backwards."""
    start = turn % len(names) if names else 0
    turned = [*names[start:], *names[:start]]
    return turned[::-1] if turn % 2 else turned


def unevenness(sizes: Sequence[int], lasts: Sequence[float]) -> float:
    """
    The distance of `lasts` from a straight line through the sizes: the largest deviation from it as
    a share of it.

    The line is that of the least squares of the relative errors. It has an offset: what a round
    costs whatever its size.
    """
    weights = [1 / last**2 for last in lasts]
    total = sum(weights)
    x = sum(w * size for w, size in zip(weights, sizes, strict=True)) / total
    y = sum(w * last for w, last in zip(weights, lasts, strict=True)) / total
    spread_x = sum(w * (size - x) ** 2 for w, size in zip(weights, sizes, strict=True))
    slope = sum(
        w * (size - x) * (last - y) for w, size, last in zip(weights, sizes, lasts, strict=True)
    ) / (spread_x or 1)
    expected = [y + slope * (size - x) for size in sizes]
    return max(
        abs(last - line) / line for last, line in zip(lasts, expected, strict=True) if line > 0
    )
