"""
``python -m bench NAME …``: every benchmark by its name. A benchmark is imported only when it is
asked for.
"""

import importlib
import sys
from typing import TextIO

BENCHMARKS = {
    "fanout": "one event to N parked polls, beside the peers that are installed",
    "rate": "latency against events per second",
    "memory": "resident memory of a parked poll",
    "idle": "what parked polls cost while nothing happens",
    "scale": "one event to N polls on one process and on two",
    "crossing": "from a post at one process to a poll at another",
    "storm": "everybody comes back at once after a restart",
    "posts": "posts per second, beside bare adbapi and PyMySQL",
    "hub": "long work of the hub: the longest turn, of any checkout",
    "tick": "what a tick of the net costs, of any checkout",
    "amqp": "what an AMQP message costs, with and without a listener",
    "ring": "rows that are only INSERTed: how late, what a harmed ringer loses, what it costs",
    "chaos": "parts are killed, stopped and cut; losses are counted",
    "attacks": "what one hostile client costs the others, of any checkout",
    "sizes": "lines of files and functions, and hops, of any checkout",
    "all": "everything but hub, tick, ring, chaos, attacks and sizes, one JSON file each",
    "plot": "the plots of those files",
    "table": "the tables of those files",
}
MODULES = {
    "all": "bench.everything",
    "attacks": "bench.attacks.__main__",
    "chaos": "bench.chaos.__main__",
    "ring": "bench.ring.__main__",
}


def usage() -> str:
    """The list of names."""
    lines = [f"  {name:10}{what}" for name, what in BENCHMARKS.items()]
    return "\n".join(["python -m bench NAME [--help]", "", *lines])


def main(argv: list[str], complaints: TextIO = sys.stderr) -> int:
    """Run the benchmark named first with the arguments after it; returns the exit code."""
    if not argv or argv[0] not in BENCHMARKS:
        print(usage(), file=complaints)
        return 2
    name, *arguments = argv
    try:
        module = importlib.import_module(MODULES.get(name, f"bench.{name}"))
    except ModuleNotFoundError as failure:
        if failure.name != "matplotlib":
            raise
        print("plots need matplotlib: pip install -e '.[bench]'", file=complaints)
        return 2
    return module.main(arguments) or 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
