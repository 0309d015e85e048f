"""
One event to N parked polls: ``python -m bench fanout --conns 1000 --rounds 10 --turns 3``.

feedd as a site runs it: a JWT for each viewer, RabbitMQ, MariaDB and memcached, a JSONP poll with a
cursor. Beside it, in turns in the same run, what is installed here of its peers. Machines are
shared and drift, so compare the ratios: each is of two that were measured in the same turn.
"""

import argparse
from collections.abc import Sequence
from typing import Any

from bench import generator, measured, peers, result
from bench.generator import Generator
from bench.measured import Measured
from bench.peers.peer import Peer

COLUMNS = (
    "last_ms",
    "last_ms_low",
    "last_ms_high",
    "p50_ms",
    "p99_ms",
    "cpu_us",
    "deliver_us",
    "poll_us",
    "kib",
    "missing",
)


def main(argv: list[str] | None = None) -> None:
    """Measure, print a table for each number of polls, and write JSON when asked to."""
    given = _parse(argv)
    names = given.peers + (",feedd-plain" if given.plain else "")
    chosen, load = peers.chosen(names, given.npm), generator.chosen(given.native)
    sizes = [size(int(number), chosen, load, given) for number in given.conns.split(",")]
    found = result.document(
        "fanout",
        generator=load.name,
        rounds=given.rounds,
        turns=given.turns,
        reference=given.reference,
        sizes=sizes,
    )
    found["unevenness"] = _unevenness(sizes)
    result.write(given.json, found)


def size(
    number: int, chosen: Sequence[Peer], load: Generator, given: argparse.Namespace
) -> dict[str, Any]:
    """All turns with so many polls. A peer that fails is left out of the rest."""
    turns: dict[str, list[Measured]] = {peer.name: [] for peer in chosen}
    for turn in range(given.turns):
        for peer in measured.order([peer for peer in chosen if peer.name in turns], turn):
            try:
                with peer.running(number) as served:
                    turns[peer.name].append(
                        load.fanout(served, number, given.rounds, given.held, given.ramp)
                    )
            except (
                Exception
            ) as failure:  # of one peer, which is no reason to lose what the others have shown
                print(
                    f"{number:6} polls, turn {turn + 1}: without {peer.name}: {failure}", flush=True
                )
                del turns[peer.name]
            else:
                print(
                    f"{number:6} polls, turn {turn + 1}: {peer.name:12} last "
                    f"{turns[peer.name][-1].last:8.1f} ms",
                    flush=True,
                )
    rows = {name: measured.row(peer) for name, peer in turns.items()}
    ratios = measured.against(turns, given.reference)
    _print(rows, ratios, given.reference)
    return {
        "conns": number,
        "peers": rows,
        "against": {
            name: {key: value._asdict() for key, value in ratio.items()}
            for name, ratio in ratios.items()
        },
        "turns": {name: [turn._asdict() for turn in peer] for name, peer in turns.items()},
    }


def _unevenness(sizes: Sequence[dict[str, Any]]) -> dict[str, float]:
    """For each peer that was measured at three sizes or more."""
    points: dict[str, dict[int, float]] = {}
    for size in sizes:
        for name, row in size["peers"].items():
            points.setdefault(name, {})[size["conns"]] = row["last_ms"]
    return {
        name: measured.unevenness(list(of), list(of.values()))
        for name, of in points.items()
        if len(of) > 2
    }


def _print(
    rows: dict[str, dict[str, float]], ratios: dict[str, dict[str, measured.Spread]], reference: str
) -> None:
    print(
        f"{'':12}"
        + "".join(f"{column:>13}" for column in COLUMNS)
        + f"  against {reference}: last (low-high), cpu"
    )
    for name, row in rows.items():
        line = f"{name:12}" + "".join(f"{row[column]:13.2f}" for column in COLUMNS)
        if name in ratios:
            last, cpu = ratios[name]["last"], ratios[name]["cpu"]
            line += f"  {last.median:.2f} ({last.low:.2f}-{last.high:.2f}), {cpu.median:.2f}"
        print(line, flush=True)


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench fanout", description=__doc__)
    parser.add_argument(
        "--conns",
        default="1000",
        help="parked polls; several numbers, separated by commas, make a series",
    )
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument(
        "--held",
        type=int,
        default=3,
        help="rounds more, in which the next poll waits until all are answered",
    )
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--ramp", type=int, default=100, help="so many connect at once")
    parser.add_argument(
        "--peers", default=",".join(peers.DEFAULT), help="also: feedd-plain, node2011"
    )
    parser.add_argument("--plain", action="store_true", help="feedd without fast channels as well")
    parser.add_argument("--reference", default="nchan", help="the peer that the ratios are to")
    parser.add_argument(
        "--npm",
        help="a folder for the packages of the peers in Node.js; what it lacks is installed",
    )
    parser.add_argument("--json", help="a file for the figures")
    generator.add_option(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
