"""
All benchmarks in one run: ``python -m bench all --out DIR``; `bench.plot` and `bench.table` then
make the documents of it.

One JSON file each. A benchmark that fails does not stop the others. They share RabbitMQ, MariaDB
and memcached; feedd and its peers are started anew each time.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from tests.live import servers


class Step(NamedTuple):
    """
    One benchmark: its name, the name of its file, its arguments, and those that only show whether
    it works.
    """

    benchmark: str
    file: str
    arguments: str
    quick: str


PLAN = (
    Step(
        "fanout",
        "fanout",
        "--conns 1000,5000 --rounds 10 --held 3 --turns 3",
        "--conns 100 --rounds 2 --held 1 --turns 2",
    ),
    Step(
        "fanout",
        "series",
        "--peers feedd,nchan,floor,loop --conns 1000,2500,5000,10000,15000 --rounds 5 "
        "--held 0 --turns 2",
        "--peers feedd,nchan,floor,loop --conns 100,200,300 --rounds 2 --held 0 --turns 1",
    ),
    Step(
        "fanout",
        "others",
        "--peers node,aiohttp,socketio,faye --conns 2500 --rounds 5 --held 0 --turns 1",
        "--peers node,aiohttp,socketio,faye --conns 200 --rounds 2 --held 0 --turns 1",
    ),
    Step(
        "fanout",
        "fast",
        "--peers feedd,feedd-plain --reference feedd-plain --conns 1000 --rounds 10 "
        "--held 3 --turns 3",
        "--peers feedd,feedd-plain --reference feedd-plain --conns 100 --rounds 2 --held "
        "1 --turns 1",
    ),
    Step(
        "rate",
        "rate",
        "--peers feedd,nchan,node --viewers 100 --rates 10,50,100,200,400 --seconds 4",
        "--peers feedd,nchan,node --viewers 20 --rates 10,50 --seconds 1",
    ),
    Step("memory", "memory", "--polls 1000,5000,10000 --ramp 40", "--polls 100,200 --authors 500"),
    Step(
        "idle",
        "idle",
        "--conns 10000 --seconds 30 --recycle-seconds 50",
        "--conns 200 --seconds 2 --recycle-seconds 2",
    ),
    Step("scale", "scale", "--conns 5000 --rounds 5 --turns 3", "--conns 200 --rounds 2 --turns 1"),
    Step("crossing", "crossing", "--posts 50", "--posts 5"),
    Step("storm", "storm", "--clients 5000", "--clients 200 --turns 1"),
    Step(
        "storm",
        "storm-hundred",
        "--clients 5000 --graph hundred --turns 2",
        "--clients 200 --graph hundred --turns 1",
    ),
    Step(
        "storm",
        "storm-cold",
        "--clients 5000 --graph hundred --cold --turns 2",
        "--clients 200 --graph hundred --cold --turns 1",
    ),
    Step(
        "posts",
        "posts",
        "--posters 1,4,16,64 --seconds 3 --turns 3",
        "--posters 1,4 --seconds 1 --turns 1",
    ),
    Step("amqp", "amqp", "", ""),
)
NEEDS_NPM = frozenset({"fanout", "rate"})
LIMIT_SECONDS = 900.0


def command(step: Step, folder: Path, npm: str | None, quick: bool) -> list[str]:
    """The command that runs a step."""
    words = [
        sys.executable,
        "-m",
        "bench",
        step.benchmark,
        *(step.quick if quick else step.arguments).split(),
    ]
    words += ["--npm", npm] if npm and step.benchmark in NEEDS_NPM else []
    return [*words, "--json", str(folder / f"{step.file}.json")]


def main(argv: list[str] | None = None) -> int:
    """Run them one after the other; returns 1 when one has failed."""
    given = _parse(argv)
    folder = Path(given.out)
    folder.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {
        servers.variable(server.NAME): server.describe()
        for server in (servers.rabbitmq(), servers.mariadb(), servers.memcached())
    }
    wanted = given.only.split(",") if given.only else [step.file for step in PLAN]
    failed = []
    for step in PLAN:
        if step.file in wanted and not _run(
            command(step, folder, given.npm, given.quick), environment
        ):
            failed.append(step.file)
    print(f"failed: {', '.join(failed)}" if failed else "all of them have run", flush=True)
    return 1 if failed else 0


def _run(words: list[str], environment: dict[str, str]) -> bool:
    """Whether it has ended well, in time."""
    print(f"\n$ python {' '.join(words[1:])}", flush=True)
    began = time.monotonic()
    try:
        code = subprocess.run(
            words, env=environment, stdin=subprocess.DEVNULL, timeout=LIMIT_SECONDS
        ).returncode
    except subprocess.TimeoutExpired:
        code = -1
    print(
        f"{'ended' if code == 0 else 'failed'} after {time.monotonic() - began:.0f} s", flush=True
    )
    return code == 0


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench all", description=__doc__)
    parser.add_argument("--out", required=True, help="the folder for the JSON files")
    parser.add_argument(
        "--npm",
        help="a folder for the packages of the peers in Node.js; what it lacks is installed",
    )
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes, to see whether everything works here"
    )
    parser.add_argument("--only", help="the files to make, separated by commas; default: all")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
