"""
The ringer, on MariaDB, RabbitMQ and memcached of its own: ``python -m bench ring``.

``late``: writers that only INSERT, with rollbacks and rows that others overtake, at two processes;
from the COMMIT to the answered polls. ``killed``, ``frozen``, ``cut``: the ringer is harmed again
and again while rows are written, and its net comes by every `--tail` seconds only, so that nobody
else can tell in its place; the times are those of the viewers at the other process. It exits with 1
when something was lost or doubled. ``cost``: queries and milliseconds of the processor a second,
with the ringer and without, idle and with rows.
"""

import argparse
import sys

from bench import result
from bench.ring.cost import Cost, cost
from bench.ring.late import HARMS, Late, calm, harmed
from bench.table import table

PARTS = ("late", *HARMS, "cost")


def main(argv: list[str] | None = None) -> int:
    """Measure, print tables, and write JSON when asked to; 1 when something was lost or doubled."""
    given = _parse(argv)
    parts = given.only.split(",")
    lates: dict[str, Late] = {}
    if "late" in parts:
        lates["late"] = calm(given.rows, given.rate, given.writers)
        print("late", lates["late"], flush=True)
    for kind in HARMS:
        if kind in parts:
            lates[kind] = harmed(kind, given.times, given.rate, given.tail)
            print(kind, lates[kind], flush=True)
    costs = _costs(given) if "cost" in parts else []
    if lates:
        print(table(("", *Late._fields), [(kind, *map(str, row)) for kind, row in lates.items()]))
    if costs:
        print(table(Cost._fields, [tuple(map(str, row)) for row in costs]))
    found = {kind: row._asdict() for kind, row in lates.items()}
    result.write(
        given.json, result.document("ring", late=found, cost=[row._asdict() for row in costs])
    )
    return int(any(row.lost or row.doubled for row in lates.values()))


def _costs(given: argparse.Namespace) -> list[Cost]:
    costs = []
    for processes in map(int, given.processes.split(",")):
        for per_second in (0.0, given.posts):
            for ring_seconds in (0.0, 0.02):
                costs.append(cost(processes, ring_seconds, per_second, given.seconds))
                print(costs[-1], flush=True)
    return costs


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench ring", description=__doc__)
    parser.add_argument("--only", default=",".join(PARTS), help="parts, separated by commas")
    parser.add_argument("--rows", type=int, default=2_000, help="rows of `late`")
    parser.add_argument("--rate", type=float, default=60.0, help="transactions a second")
    parser.add_argument("--writers", type=int, default=4, help="that write at the same time")
    parser.add_argument("--times", type=int, default=10, help="how often each harm is done")
    parser.add_argument("--tail", type=float, default=10.0, help="seconds of the net when harmed")
    parser.add_argument("--processes", default="1,4,16", help="of `cost`, separated by commas")
    parser.add_argument("--posts", type=float, default=500.0, help="rows a second of `cost`")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement of `cost`")
    parser.add_argument("--json", help="a file for the figures")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
