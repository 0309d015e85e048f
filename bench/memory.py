"""
Resident memory of a parked poll: ``python -m bench memory --polls 2500,5000,10000``.

feedd on real services, twice: every viewer has 100 friends out of 20,000 authors, and every viewer
has one friend, the same. It counts what the process has grown by since before the first poll, and
that includes what it keeps about the authors.
"""

import argparse
import random
from collections.abc import Iterator
from typing import Any

from bench import load, peers, result
from bench.peers import feedd
from bench.process import resident_kib

SEED = 1
REST_SECONDS = 5.0
"""The broker binds thousands of exchanges, and feedd waits for it at rest."""


def main(argv: list[str] | None = None) -> None:
    """Measure, print a line for each, and write JSON when asked to."""
    given = _parse(argv)
    rows = [
        poll_kib(number, friends, given.authors, given.ramp)
        for friends in dict.fromkeys((1, given.friends))
        for number in map(int, given.polls.split(","))
    ]
    others = peers.chosen(given.peers, None) if given.peers else []
    rows += [row for peer in others for row in _peer_rows(peer, given)]
    result.write(given.json, result.document("memory", authors=given.authors, rows=rows))


def poll_kib(number: int, friends: int, authors: int, ramp: int) -> dict[str, Any]:
    """So many polls of viewers with so many friends each."""
    with feedd.serving(friendships(number, friends, authors)) as (ports, pids):
        served = feedd.Served(ports, pids, feedd.conversation(number))
        name = f"feedd, {friends} friends" if friends > 1 else "feedd, 1 friend"
        return _row(name, served, number, ramp)


def friendships(viewers: int, friends: int, authors: int) -> Iterator[tuple[str, str]]:
    """
    So many friends for each viewer, by chance but always the same; one friend: the same for all.
    """
    chance = random.Random(SEED)
    for viewer in range(viewers):
        chosen = chance.sample(range(authors), friends) if friends > 1 else [0]
        yield from ((f"u{viewer}", f"a{author}") for author in chosen)


def _peer_rows(peer: Any, given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for number in map(int, given.polls.split(",")):
        with peer.running(number) as served:
            yield _row(peer.name, served, number, given.ramp)


def _row(name: str, served: feedd.Served, number: int, ramp: int) -> dict[str, Any]:
    before = resident_kib(served.pids)
    polls = load.Polls(served.ports, number, served.conversation.request, ramp, served.pids)
    try:
        load.quiet(polls, served.pids)
        polls.pump(REST_SECONDS)
        parked = resident_kib(served.pids)
    finally:
        polls.close()
    row = {
        "name": name,
        "polls": number,
        "before_kib": before,
        "parked_kib": parked,
        "kib": (parked - before) / number,
    }
    print(
        f"{name:20} {number:6} polls: {row['kib']:6.2f} KiB each, {parked / 1024:6.1f} MiB in all",
        flush=True,
    )
    return row


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench memory", description=__doc__)
    parser.add_argument(
        "--polls",
        default="2500,5000,10000",
        help="several numbers, separated by commas, make a series",
    )
    parser.add_argument("--friends", type=int, default=100)
    parser.add_argument("--authors", type=int, default=20_000)
    parser.add_argument("--ramp", type=int, default=20, help="so many connect at once")
    parser.add_argument("--peers", default="nchan", help='others beside feedd; "": none')
    parser.add_argument("--json", help="a file for the figures")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
