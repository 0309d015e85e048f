"""
Latency against events per second: ``python -m bench rate --viewers 100 --rates 10,50,100,200,400``.

So many viewers hear one author, who posts at a fixed rate, whether the server keeps up or not. An
event's latency is from its publish to the answer that tells it; one answer may tell several.
"""

import argparse
from typing import Any

from bench import generator, peers, result
from bench.generator import Generator
from bench.peers.peer import Peer


def main(argv: list[str] | None = None) -> None:
    """Measure, print a line for each rate, and write JSON when asked to."""
    given = _parse(argv)
    chosen, load = peers.chosen(given.peers, given.npm), generator.chosen(given.native)
    rates = [float(rate) for rate in given.rates.split(",")]
    found: dict[str, Any] = {}
    for peer in chosen:
        try:
            found[peer.name] = series(peer, load, given.viewers, rates, given.seconds)
        except (
            Exception
        ) as failure:  # of one peer, which is no reason to lose what the others have shown
            print(f"without {peer.name}: {failure}", flush=True)
    document = result.document(
        "rate", generator=load.name, viewers=given.viewers, seconds=given.seconds, peers=found
    )
    result.write(given.json, document)


def series(
    peer: Peer, load: Generator, viewers: int, rates: list[float], seconds: int
) -> list[dict[str, Any]]:
    """A server of its own for each rate: what one rate has left behind does not slow the next."""
    rows = []
    for rate in rates:
        with peer.running(viewers) as served:
            timed = load.rate(served, viewers, rate, seconds)
        rows.append({"rate": rate, **timed._asdict()})
        print(
            f"{peer.name:12} {rate:6.0f}/s to {viewers}: p50 {timed.p50_ms:8.2f} ms  p99 "
            f"{timed.p99_ms:8.2f} ms  "
            f"cpu {timed.cpu_us:6.1f} us  missing {timed.missing}",
            flush=True,
        )
    return rows


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench rate", description=__doc__)
    parser.add_argument("--viewers", type=int, default=100)
    parser.add_argument(
        "--rates", default="10,50,100,200,400", help="events per second, separated by commas"
    )
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--peers", default="feedd,nchan,node,aiohttp")
    parser.add_argument(
        "--npm",
        help="a folder for the packages of the peers in Node.js; what it lacks is installed",
    )
    parser.add_argument("--json", help="a file for the figures")
    generator.add_option(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
