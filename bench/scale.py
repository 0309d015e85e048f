"""
One event to N polls on one feedd process and on two: ``python -m bench scale --conns 5000 --turns
3``.

With ``http.reuse_port`` all processes listen on one port and the kernel spreads the connections;
without it each has its own. The load generator, RabbitMQ and MariaDB run on the same cores, and
take their part of them.
"""

import argparse
from typing import Any

from bench import fanout, generator, result
from bench.peers import feedd


def main(argv: list[str] | None = None) -> None:
    """Measure in turns, print a table, and write JSON when asked to."""
    given = _parse(argv)
    load, processes = (
        generator.chosen(given.native),
        [int(number) for number in given.processes.split(",")],
    )
    chosen = [feedd.FeeddPeer(processes=number, name=_name(number)) for number in processes]
    sizes: list[dict[str, Any]] = [
        fanout.size(int(number), chosen, load, given) for number in given.conns.split(",")
    ]
    document = result.document(
        "scale", generator=load.name, rounds=given.rounds, turns=given.turns, sizes=sizes
    )
    result.write(
        given.json, document | {"one_port": feedd.reuse_port(), "reference": given.reference}
    )


def _name(processes: int) -> str:
    return "1 process" if processes == 1 else f"{processes} processes"


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench scale", description=__doc__)
    parser.add_argument("--conns", default="5000")
    parser.add_argument("--processes", default="1,2")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--held", type=int, default=0)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--ramp", type=int, default=100, help="so many connect at once")
    parser.add_argument("--reference", default=_name(1), help="what the ratios are to")
    parser.add_argument("--json", help="a file for the figures")
    generator.add_option(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
