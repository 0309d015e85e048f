"""
The lines of the plots and the rows of the tables, taken from the documents of a run.
"""

from collections.abc import Mapping
from typing import Any

Documents = Mapping[str, Mapping[str, Any]]
Line = list[tuple[float, float]]

PEERS = (
    "feedd",
    "feedd-plain",
    "nchan",
    "floor",
    "loop",
    "node",
    "node2011",
    "aiohttp",
    "socketio",
    "faye",
)
"""The order of rows and colours."""


def ranked(names: Any) -> list[str]:
    """The names in the order of `PEERS`; others come after them, as they come."""
    return sorted(names, key=lambda name: PEERS.index(name) if name in PEERS else len(PEERS))


def last_of(documents: Documents) -> dict[str, Line]:
    """
    For each peer (parked polls, ms until the last was answered); of two runs with the same point,
    that with more turns.
    """
    best: dict[str, dict[int, tuple[int, float]]] = {}
    for document in documents.values():
        if document.get("benchmark") != "fanout":
            continue
        for size in document["sizes"]:
            for name, row in size["peers"].items():
                points = best.setdefault(name, {})
                if document["turns"] > points.get(size["conns"], (0, 0.0))[0]:
                    points[size["conns"]] = document["turns"], row["last_ms"]
    return {
        name: [(size, best[name][size][1]) for size in sorted(best[name])] for name in ranked(best)
    }


def latencies(document: Mapping[str, Any], column: str) -> dict[str, Line]:
    """
    For each peer of a rate document (events per second, ms); rates at which something was lost are
    left out.
    """
    peers = document["peers"]
    return {
        name: [
            (row["rate"], row[column]) for row in peers[name] if row["sent"] and not row["missing"]
        ]
        for name in ranked(peers)
    }


def memory(document: Mapping[str, Any]) -> dict[str, Line]:
    """For each case of a memory document (parked polls, MiB that the process has grown by)."""
    lines: dict[str, Line] = {}
    for row in document["rows"]:
        grown = (row["parked_kib"] - row["before_kib"]) / 1024
        lines.setdefault(row["name"], []).append((row["polls"], grown))
    return lines


def posts(document: Mapping[str, Any]) -> dict[str, Line]:
    """For feedd and bare adbapi (posters at once, committed posts per second)."""
    sides = {"feedd": "feedd", "bare": "adbapi and PyMySQL, bare"}
    return {
        title: [(row["posters"], row[side]["posts_s"]) for row in document["rows"]]
        for side, title in sides.items()
    }


def costs(document: Mapping[str, Any]) -> tuple[int, list[tuple[str, float, float]]]:
    """
    Of the first size of a fan-out document: the polls, and for each peer the microseconds of a
    delivery and of a poll.
    """
    size = document["sizes"][0]
    rows = size["peers"]
    return size["conns"], [
        (name, rows[name]["deliver_us"], rows[name]["poll_us"]) for name in ranked(rows)
    ]


def apart(places: list[float], gap: float) -> list[float]:
    """
    The places of labels, moved as little as it takes to have `gap` between any two; the order
    stays.

    Labels that touch form a block around the mean of where they belong.
    """
    blocks: list[list[int]] = []
    for index in sorted(range(len(places)), key=places.__getitem__):
        blocks.append([index])
        while len(blocks) > 1 and _top(blocks[-2], places, gap) + gap > _bottom(
            blocks[-1], places, gap
        ):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    moved = list(places)
    for block in blocks:
        for rank, index in enumerate(block):
            moved[index] = _bottom(block, places, gap) + rank * gap
    return moved


def _bottom(block: list[int], places: list[float], gap: float) -> float:
    return sum(places[index] for index in block) / len(block) - gap * (len(block) - 1) / 2


def _top(block: list[int], places: list[float], gap: float) -> float:
    return _bottom(block, places, gap) + gap * (len(block) - 1)
