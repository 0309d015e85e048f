"""
The cost of parked polls while nothing happens: ``python -m bench idle --conns 10000 --seconds 30``.

First between the parking and the first deadline; then, for feedd, while deadlines pass and polls
are answered empty and come again, each once in ``poll.hold_seconds``.
"""

import argparse
import time
from typing import Any

from bench import load, peers, result
from bench.conversation import Served

FIRST_DEADLINE_SECONDS = 47.5
"""Of the first poll of feedd: the default of ``poll.hold_seconds`` less a twentieth."""


def main(argv: list[str] | None = None) -> None:
    """Measure, print a line for each peer, and write JSON when asked to."""
    given = _parse(argv)
    found = {}
    for peer in peers.chosen(given.peers, given.npm):
        with peer.running(given.conns) as served:
            found[peer.name] = row = idle(
                served, given.conns, given.seconds, given.recycle_seconds, given.ramp
            )
        print(
            f"{peer.name:12} {given.conns} polls: "
            + "  ".join(f"{k} {v:.2f}" for k, v in row.items()),
            flush=True,
        )
    document = result.document("idle", conns=given.conns, seconds=given.seconds, peers=found)
    result.write(given.json, document | {"recycle_seconds": given.recycle_seconds})


def idle(
    served: Served, number: int, seconds: float, recycle_seconds: float, ramp: int
) -> dict[str, Any]:
    """
    Percent of a core before the first deadline, and, when `recycle_seconds` is not 0, so long while
    deadlines pass.
    """
    began = time.monotonic()
    polls = load.Polls(served.ports, number, served.conversation.request, ramp, served.pids)
    try:
        load.quiet(polls, served.pids)
        row = {
            "parked_after_s": time.monotonic() - began,
            "percent": _percent(polls, served, seconds),
        }
        if time.monotonic() - began > FIRST_DEADLINE_SECONDS:
            print(
                f"deadlines have passed before the {seconds:.0f} s were over: give a larger --ramp",
                flush=True,
            )
        if recycle_seconds:
            row["recycling_percent"] = _percent(polls, served, recycle_seconds)
        return row
    finally:
        polls.close()


def _percent(polls: load.Polls, served: Served, seconds: float) -> float:
    spent, began = load.cpu_seconds(served.pids), time.monotonic()
    polls.pump(seconds)
    return (load.cpu_seconds(served.pids) - spent) / (time.monotonic() - began) * 100


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench idle", description=__doc__)
    parser.add_argument("--conns", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--recycle-seconds", type=float, default=50.0, help="0: not measured")
    parser.add_argument("--ramp", type=int, default=60, help="so many connect at once")
    parser.add_argument("--peers", default="feedd")
    parser.add_argument(
        "--npm",
        help="a folder for the packages of the peers in Node.js; what it lacks is installed",
    )
    parser.add_argument("--json", help="a file for the figures")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
