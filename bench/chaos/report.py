"""
The figures of a run as a document and as a table.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.chaos.account import AFTERMATH_SECONDS, QUIET, Complaint, Delivery
from bench.chaos.faults import Window

COLUMNS = (
    "fault",
    "times",
    "given",
    "bell p50",
    "bell p99",
    "bell worst",
    "net p50",
    "net p99",
    "net worst",
    "raw p50",
    "raw p99",
    "raw worst",
    "lag",
)
SHOWN = 40


def milliseconds(seconds: float) -> int:
    """Rounded."""
    return round(seconds * 1000)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` of the `ordered` values lie; 0 for none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def spread(values: Iterable[float]) -> dict[str, int]:
    """Median, 99th percentile and worst, in milliseconds."""
    ordered = sorted(values)
    return {
        "count": len(ordered),
        "p50_ms": milliseconds(quantile(ordered, 0.5)),
        "p99_ms": milliseconds(quantile(ordered, 0.99)),
        "worst_ms": milliseconds(ordered[-1]) if ordered else 0,
    }


def some_of_each_kind(complaints: Iterable[Complaint], most: int) -> list[Complaint]:
    """The first `most` of each kind."""
    by_kind: dict[str, list[Complaint]] = defaultdict(list)
    for complaint in complaints:
        by_kind[complaint.kind].append(complaint)
    return [complaint for kind in by_kind.values() for complaint in kind[:most]]


def latenesses(
    deliveries: Iterable[Delivery], windows: Sequence[Window], lags: Sequence[tuple[float, float]]
) -> list[dict[str, Any]]:
    """
    A line for each fault, and one for the time without.

    :param lags: when the bench itself was late, and by how much.
    """
    by_name: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in deliveries:
        by_name[delivery.window].append(delivery)
    times = Counter(window.name for window in windows)
    late: dict[str, float] = defaultdict(float)
    for moment, lag in lags:
        name = next(
            (each.name for each in windows if each.start <= moment <= each.end + AFTERMATH_SECONDS),
            QUIET,
        )
        late[name] = max(late[name], lag)
    return [
        {
            "fault": name,
            "times": times[name],
            "given": len(by_name[name]),
            "bell": spread(each.late for each in by_name[name] if not each.written),
            "net": spread(each.late for each in by_name[name] if each.written),
            "raw": spread(each.raw for each in by_name[name]),
            "lag_ms": milliseconds(late[name]),
        }
        for name in [QUIET, *sorted(times)]
    ]


def verdict(complaints: Iterable[Complaint]) -> dict[str, int]:
    """The number of complaints of each kind; the kinds that matter are there even with none."""
    kinds = (
        "lost",
        "doubled",
        "disordered",
        "foreign",
        "gap",
        "altered",
        "invented",
        "vanished",
    )
    counts = Counter(complaint.kind for complaint in complaints)
    return {kind: counts[kind] for kind in kinds} | dict(counts)


def text(document: Mapping[str, Any]) -> str:
    """The report to read: a reStructuredText table between a few lines."""
    rows = [_cells(line) for line in document["lateness"]]
    parts = [
        f"seed {document['seed']}, {document['seconds']:.0f} s, {len(document['windows'])} faults, "
        f"{document['events']} events, {document['given']} deliveries to "
        f"{document['viewers']} viewers",
        ", ".join(f"{kind} {count}" for kind, count in document["verdict"].items()),
        "",
        *_table(COLUMNS, rows),
        "",
        "Milliseconds from when the commit was known to who had asked for it, or from "
        "when the failed part was back where the",
        "delivery needed it; net: events that somebody only INSERTed; raw: from the "
        "INSERT (net: COMMIT) on, nothing excused.",
        "lag: how late the bench itself was at worst; a machine that is too busy makes "
        "everything late.",
        "",
        *(f"{name}: {document[name]}" for name in ("viewers_errors", "load_errors", "notes")),
        *("{kind} {viewer} {id}: {text}".format(**each) for each in document["complaints"][:SHOWN]),
    ]
    return "\n".join(parts)


def _cells(line: Mapping[str, Any]) -> list[str]:
    numbers = [
        line[way][key] for way in ("bell", "net", "raw") for key in ("p50_ms", "p99_ms", "worst_ms")
    ]
    return [line["fault"], *map(str, (line["times"], line["given"], *numbers, line["lag_ms"]))]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    rule = " ".join("=" * width for width in widths)

    def line(cells: Sequence[str]) -> str:
        first = cells[0].ljust(widths[0])
        return " ".join(
            [first, *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))]
        )

    return [rule, line(head), rule, *(line(row) for row in rows), rule]
