"""
The tables of a run: ``python -m bench table DIR``, or ``--into docs/performance.rst`` to put them
into a document.

There each stands between ``.. begin NAME`` and ``.. end NAME``, and replaces what stood there.
"""

import argparse
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import result, series
from bench.series import Documents

Document = Mapping[str, Any]
LINE_LENGTH = 128


def main(argv: list[str] | None = None) -> None:
    """Print the tables that the folder has the numbers for, or put them into a document."""
    parser = argparse.ArgumentParser(prog="python -m bench table", description=__doc__)
    parser.add_argument("documents", help="the folder of the JSON files")
    parser.add_argument("--into", help="a document with the marks")
    given = parser.parse_args(argv)
    found = tables(result.read(given.documents))
    if given.into:
        path = Path(given.into)
        path.write_text(filled(path.read_text(), found))
    else:
        print(
            "\n\n".join(
                f".. begin {name}\n\n{text}\n\n.. end {name}" for name, text in found.items()
            )
        )


def tables(documents: Documents) -> dict[str, str]:
    """Each table by its name, as reStructuredText."""
    return {
        name: "\n\n".join(map(_wrapped, make(documents[name])))
        for name, make in TABLES.items()
        if name in documents
    }


def filled(text: str, found: Mapping[str, str]) -> str:
    """`text` with each table between its marks."""
    for name, table in found.items():
        marks = re.compile(
            rf"(?<=^\.\. begin {name}\n\n).*?(?=^\.\. end {name}$)", re.MULTILINE | re.DOTALL
        )
        text = marks.sub(lambda _, table=table: f"{table}\n\n", text)
    return text


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """
    A simple table of reStructuredText; no cell is empty, for an empty first one would continue the
    row above.
    """
    lines = [[cell or "-" for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    texts = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([rule, texts[0], rule, *texts[1:], rule])


def _wrapped(paragraph: str) -> str:
    return paragraph if paragraph.startswith("=") else textwrap.fill(paragraph, LINE_LENGTH)


def number(value: float) -> str:
    """As many digits as say something."""
    if value >= 100 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def ran_on(document: Document) -> str:
    """Sentences on the machine, the load generator, and how often it was measured."""
    machine = document["machine"]
    said = [f"{machine['processor']}, {machine['cores']} cores, Linux {machine['kernel']}"]
    said += [f"Python {machine['python']}, Twisted {machine['twisted']}"]
    said += [f"load generator: {document['generator']}"] if "generator" in document else []
    said += [f"{document['turns']} x {document['rounds']} rounds"] if "rounds" in document else []
    return "; ".join(said) + "."


def _fanout(document: Document) -> Iterator[str]:
    yield ran_on(document)
    for size in document["sizes"]:
        yield f"{size['conns']:,} polls:"
        yield _size(size, document.get("reference", ""))


def _size(size: Document, reference: str) -> str:
    head = [
        "server",
        "last, ms",
        "low-high",
        "p50, ms",
        "p99, ms",
        "CPU, us",
        "delivery + poll, us",
        "KiB a poll",
        "missing",
    ]
    head += [f"last against {reference}", f"CPU against {reference}"] if size["against"] else []
    rows = []
    for name in series.ranked(size["peers"]):
        row = size["peers"][name]
        parts = (
            f"{number(row['deliver_us'])} + {number(row['poll_us'])}" if row["deliver_us"] else ""
        )
        cells = [
            name,
            number(row["last_ms"]),
            f"{number(row['last_ms_low'])}-{number(row['last_ms_high'])}",
        ]
        cells += [
            number(row["p50_ms"]),
            number(row["p99_ms"]),
            number(row["cpu_us"]),
            parts,
            number(row["kib"]),
        ]
        rows.append(
            [
                *cells,
                number(row["missing"]),
                *(_ratio(size["against"].get(name), key) for key in ("last", "cpu")),
            ]
        )
    return table(head, [row[: len(head)] for row in rows])


def _ratio(ratios: Document | None, key: str) -> str:
    if not ratios:
        return ""
    found = ratios[key]
    return f"{found['median']:.2f} ({found['low']:.2f}-{found['high']:.2f})"


def _series(document: Document) -> Iterator[str]:
    yield f"{ran_on(document)} Milliseconds until the last of so many polls is answered:"
    sizes = document["sizes"]
    names = series.ranked({name for size in sizes for name in size["peers"]})
    head = ["server", *(f"{size['conns']:,}" for size in sizes), "missing", "off a straight line"]
    rows = []
    for name in names:
        lasts = [size["peers"].get(name) for size in sizes]
        uneven = document["unevenness"].get(name)
        missing = number(sum(row["missing"] for row in lasts if row))
        cells = [number(row["last_ms"]) if row else "" for row in lasts]
        rows.append([name, *cells, missing, "" if uneven is None else f"{uneven * 100:.0f} %"])
    yield table(head, rows)


def _rate(document: Document) -> Iterator[str]:
    yield f"{ran_on(document)} {document['viewers']} viewers, {document['seconds']} s at each rate."
    head = [
        "server",
        "events/s",
        "p50, ms",
        "p99, ms",
        "worst, ms",
        "CPU, us a delivery",
        "missing",
    ]
    columns = ("rate", "p50_ms", "p99_ms", "worst_ms", "cpu_us", "missing")
    peers = document["peers"]
    yield table(
        head,
        [
            [name, *(number(row[key]) for key in columns)]
            for name in series.ranked(peers)
            for row in peers[name]
        ],
    )


def _memory(document: Document) -> Iterator[str]:
    yield f"{ran_on(document)} The friends are of {document['authors']:,} authors."
    rows = [
        [row["name"], f"{row['polls']:,}", number(row["kib"]), number(row["parked_kib"] / 1024)]
        for row in document["rows"]
    ]
    yield table(["server", "polls", "KiB a poll", "MiB in all"], rows)


def _idle(document: Document) -> Iterator[str]:
    yield f"{ran_on(document)} {document['conns']:,} parked polls."
    head = [
        "server",
        f"{document['seconds']:.0f} s in which nothing happens",
        "while deadlines pass",
    ]
    peers = document["peers"]
    yield table(
        head,
        [
            [name, *map(_percent, (peers[name], peers[name]), ("percent", "recycling_percent"))]
            for name in peers
        ],
    )


def _percent(row: Document, key: str) -> str:
    return f"{row[key]:.1f} % of a core" if key in row else ""


def _flat(document: Document) -> Iterator[str]:
    """Of a document that is only numbers, or a list of rows of them."""
    rows = next(
        (value for value in document.values() if isinstance(value, list) and value), [document]
    )
    flattened = [dict(_leaves(row)) for row in rows]
    names = list(dict.fromkeys(name for row in flattened for name in row))
    head = (
        ["measure", *(f"run {place}" for place in range(1, len(rows) + 1))]
        if len(rows) > 1
        else ["measure", "value"]
    )
    if "machine" in document:
        yield ran_on(document)
    yield table(head, [[name, *(_leaf(row.get(name)) for row in flattened)] for name in names])


def _leaves(row: Document, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, Mapping) and name != "machine":
            yield from _leaves(value, f"{prefix}{name} ")
        elif isinstance(value, int | float | str) and name != "benchmark":
            yield f"{prefix}{name}".replace("_", " "), value


def _leaf(value: Any) -> str:
    return number(value) if isinstance(value, int | float) else str(value or "")


def _posts(document: Document) -> Iterator[str]:
    head = ["posters", "who", "posts/s", "to bare", "p50 ms", "p99 ms", "CPU us a post"]
    rows = []
    for row in document["rows"]:
        for name, found in row.items():
            if isinstance(found, Mapping):
                ratio = f"{found['ratio']:.2f} ({found['ratio_low']:.2f}-{found['ratio_high']:.2f})"
                times = (number(found[key]) if key in found else "" for key in ("p50_ms", "p99_ms"))
                rows.append(
                    [
                        str(row["posters"]),
                        name,
                        number(found["posts_s"]),
                        ratio,
                        *times,
                        number(found["cpu_us"]),
                    ]
                )
    yield table(head, rows)


def _amqp(document: Document) -> Iterator[str]:
    yield (
        f"CPU of the process for each message of {document['bytes']} bytes; medians of "
        f"{document['turns']} turns."
    )
    titles = {
        "miss": "nobody here hears its author",
        "hit": "somebody does",
        "reader_miss": "nobody, without the network",
        "reader_hit": "somebody, without the network",
    }
    rows = [(titles.get(name, name), row) for name, row in document["rows"].items()]
    cells = [
        [title, number(row["us"]), f"{number(row['us_low'])}-{number(row['us_high'])}"]
        for title, row in rows
    ]
    yield table(["message", "CPU, us", "low-high"], cells)


TABLES: dict[str, Callable[[Document], Iterator[str]]] = {
    "fanout": _fanout,
    "series": _series,
    "fast": _fanout,
    "rate": _rate,
    "memory": _memory,
    "idle": _idle,
    "scale": _fanout,
    "crossing": _flat,
    "storm": _flat,
    "storm-hundred": _flat,
    "storm-cold": _flat,
    "posts": _posts,
    "amqp": _amqp,
}


if __name__ == "__main__":
    main()
