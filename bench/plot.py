"""
The plots of a run: ``python -m bench plot DIR docs/plots`` (``--png`` for a look at them).

The same numbers give the same bytes, so that a plot in the repository changes only when its numbers
do.
"""

import argparse
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot  # after the choice of a backend without a screen
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bench import result, series
from bench.series import Documents, Line

COLOURS = {
    "feedd": "#0b5fa5",
    "feedd-plain": "#6fa8d6",
    "nchan": "#c8313f",
    "floor": "#7f7f7f",
    "loop": "#a9a9a9",
    "node": "#2f8a3d",
    "node2011": "#8cc084",
    "aiohttp": "#7b4fb0",
    "socketio": "#d97f0a",
    "faye": "#80552f",
    "adbapi and PyMySQL, bare": "#7f7f7f",
}
SPARE = ("#0b5fa5", "#6fa8d6", "#2f8a3d", "#d97f0a")
"""Of lines that are no peer: the cases of one benchmark."""

TITLES = {
    "feedd": "feedd",
    "feedd-plain": "feedd, plain way",
    "nchan": "nginx + nchan",
    "floor": "the floor, in C",
    "loop": "the floor, in Python",
    "node": "Node.js + RabbitMQ",
    "node2011": "Node.js of 2011",
    "aiohttp": "aiohttp + RabbitMQ",
    "socketio": "Socket.IO",
    "faye": "Faye",
    "adbapi and PyMySQL, bare": "adbapi + PyMySQL,\nthe same INSERTs",
}
STYLE = {
    "svg.hashsalt": "feedd",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "axes.axisbelow": True,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
}
LABEL_POINTS = 13.0


def main(argv: list[str] | None = None) -> None:
    """Draw what the folder has the numbers for."""
    parser = argparse.ArgumentParser(prog="python -m bench plot", description=__doc__)
    parser.add_argument("documents", help="the folder of the JSON files")
    parser.add_argument("plots", help="the folder for the plots")
    parser.add_argument("--png", action="store_true", help="PNG instead of SVG")
    given = parser.parse_args(argv)
    folder, documents = Path(given.plots), result.read(given.documents)
    folder.mkdir(parents=True, exist_ok=True)
    for name, (needs, draw) in PLOTS.items():
        if needs in documents:
            path = folder / f"{name}.{'png' if given.png else 'svg'}"
            save(path, lambda axes, draw=draw, needs=needs: draw(axes, documents, documents[needs]))
            print(path)


def save(path: Path, draw: Callable[[Axes], None]) -> None:
    """One plot, of one size."""
    with matplotlib.rc_context(STYLE):
        figure, axes = pyplot.subplots(figsize=(8.0, 5.0))
        # Fixed, not laid out around the labels: they are placed by where the lines end.
        figure.subplots_adjust(left=0.10, right=0.79, top=0.93, bottom=0.11)
        draw(axes)
        metadata = {"Date": None, "Creator": None} if path.suffix == ".svg" else {}
        figure.savefig(path, metadata=metadata, dpi=110, facecolor="white")
        pyplot.close(figure)


def fanout(axes: Axes, documents: Documents, document: Mapping[str, Any]) -> None:
    """The last of N against N."""
    axes.set_title("One event to N parked polls: when the last of them is answered")
    _lines(axes, series.last_of(documents), log=(True, True))
    axes.set_xlabel("parked polls")
    axes.set_ylabel("milliseconds after the publish")


def rate(axes: Axes, documents: Documents, document: Mapping[str, Any]) -> None:
    """Latency against events per second."""
    axes.set_title(
        f"Latency with {document['viewers']} viewers (median; dotted: 99 of 100 are faster)"
    )
    axes.set_yscale("log")  # before the first line: the labels are placed when all limits are known
    for name, line in series.latencies(document, "p99_ms").items():
        axes.plot(*_columns(line), color=_colour(name, 0), linestyle=":", linewidth=1.5)
    _lines(axes, series.latencies(document, "p50_ms"), log=(True, True))
    axes.set_xlabel("events per second, each to all viewers")
    axes.set_ylabel("milliseconds from publish to answer")


def memory(axes: Axes, documents: Documents, document: Mapping[str, Any]) -> None:
    """Memory against parked polls."""
    axes.set_title("Memory of parked polls")
    _lines(axes, series.memory(document), log=(False, False))
    axes.set_xlabel("parked polls")
    axes.set_ylabel("MiB that the process has grown by")


def posts(axes: Axes, documents: Documents, document: Mapping[str, Any]) -> None:
    """Posts per second against posters."""
    axes.set_title("Posts per second, committed and published")
    _lines(axes, series.posts(document), log=(True, False))
    axes.set_xlabel("posters at once")
    axes.set_ylabel("posts per second")


def cpu(axes: Axes, documents: Documents, document: Mapping[str, Any]) -> None:
    """The cost of a delivery and of the next poll."""
    conns, rows = series.costs(document)
    rows = sorted(rows, key=lambda row: row[1] + row[2], reverse=True)
    axes.figure.subplots_adjust(left=0.21, right=0.95)
    axes.set_title(f"Processor time of the server for each of {conns} viewers")
    for place, (name, deliver, poll) in enumerate(rows):
        axes.barh(place, deliver, color=_colour(name, place), height=0.7)
        axes.barh(place, poll, left=deliver, color=_colour(name, place), height=0.7, alpha=0.45)
        axes.annotate(
            f"{deliver:.0f} + {poll:.0f}",
            (deliver + poll, place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
        )
    axes.set_yticks(range(len(rows)), [TITLES.get(name, name) for name, _, _ in rows])
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("microseconds: delivery (dark) + the poll after it (light)")
    axes.set_xlim(right=axes.get_xlim()[1] * 1.08)


PLOTS: dict[str, tuple[str, Callable[[Axes, Documents, Mapping[str, Any]], None]]] = {
    "fanout": ("fanout", fanout),
    "cpu": ("fanout", cpu),
    "rate": ("rate", rate),
    "memory": ("memory", memory),
    "posts": ("posts", posts),
}


def _lines(axes: Axes, lines: Mapping[str, Line], log: tuple[bool, bool]) -> None:
    """A line for each, with its name where it ends."""
    shown = {name: line for name, line in lines.items() if line}
    if log[0]:
        axes.set_xscale("log")
    if log[1]:
        axes.set_yscale("log")
    for place, (name, line) in enumerate(shown.items()):
        ours = name.startswith("feedd")
        style: dict[str, Any] = {
            "linewidth": 2.6 if ours else 1.7,
            "markersize": 6 if ours else 4.5,
            "zorder": 3 if ours else 2,
        }
        axes.plot(
            *_columns(line),
            "--o" if name in ("floor", "loop") else "-o",
            color=_colour(name, place),
            **style,
        )
    if not log[1]:
        axes.set_ylim(bottom=0)
    if not log[0]:
        axes.set_xlim(left=0)
    _ticks(axes, sorted({x for line in shown.values() for x, _ in line}))
    _labels(axes, shown)


def _labels(axes: Axes, lines: Mapping[str, Line]) -> None:
    """
    To the right of where each line ends; those that end at the same place are moved apart where
    they would touch.
    """
    to_points = 72 / axes.figure.dpi
    for end in {line[-1][0] for line in lines.values()}:
        ended = [name for name in lines if lines[name][-1][0] == end]
        heights = [
            float(axes.transData.transform(lines[name][-1])[1]) * to_points for name in ended
        ]
        for name, height, moved in zip(
            ended, heights, series.apart(heights, LABEL_POINTS), strict=True
        ):
            axes.annotate(
                TITLES.get(name, name),
                lines[name][-1],
                xytext=(11, moved - height),
                textcoords="offset points",
                color=_colour(name, list(lines).index(name)),
                fontweight="bold" if name.startswith("feedd") else "normal",
                va="center",
                annotation_clip=False,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0},
                zorder=4,
            )


def _ticks(axes: Axes, places: list[float]) -> None:
    """Put a tick at each measurement, with plain numbers."""
    axes.set_xticks(_unclashing(places, axes.get_xscale() == "log"), minor=False)
    axes.xaxis.set_minor_locator(NullLocator())
    if axes.get_yscale() == "log":
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_locator(NullLocator())
    plain = FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 10 else f"{value:g}")
    axes.xaxis.set_major_formatter(plain)
    axes.yaxis.set_major_formatter(plain)


def _unclashing(places: list[float], log: bool) -> list[float]:
    """Those that lie far enough apart to be read, the largest for sure."""
    kept: list[float] = []
    for place in reversed(places):
        if not kept or (
            math.log(kept[-1] / place) > 0.25 if log else kept[-1] - place > places[-1] / 12
        ):
            kept.append(place)
    return kept[::-1]


def _columns(line: Line) -> tuple[list[float], list[float]]:
    return [x for x, _ in line], [y for _, y in line]


def _colour(name: str, place: int) -> str:
    return COLOURS.get(name) or SPARE[place % len(SPARE)]


if __name__ == "__main__":
    main()
