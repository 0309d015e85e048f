"""
Posts per second: ``python -m bench.posts --posters 1,4,16,64 --seconds 4 --turns 3``.

feedd as a site runs it (tokens, MariaDB, RabbitMQ, memcached), asked over HTTP by so many posters
at once; beside it, in turns, on the same MariaDB, bare adbapi and PyMySQL doing the same two
INSERTs in one transaction. A machine drifts: compare ratios.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pymysql

from bench.bare import BODY, THREADS
from bench.posters import Posters
from bench.process import cpu_seconds
from feedd.auth.token import make_token
from tests.live import servers
from tests.live.daemon import Feedd
from tests.live.test_end_to_end import settings

SECRET = "0123456789abcdef0123456789abcdef"
WARM_SECONDS = 0.5


class Turn(NamedTuple):
    """
    One turn of one side.

    :ivar cpu_us: of the process that posts to the database, for each post.
    :ivar statements: that MariaDB counted, for each post; None where it was not looked at.
    """

    posts_s: float
    cpu_us: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    refused: int = 0
    statements: float | None = None


@contextmanager
def feedd_on(database: str) -> Iterator[Feedd]:
    """A feedd process with tokens on this database, RabbitMQ and memcached."""
    folder = Path(tempfile.mkdtemp(prefix="feedd-bench-"))
    (folder / "token.key").write_text(SECRET)
    feedd = Feedd(
        settings(database) + f'[auth]\nmode = "token"\nsecret_file = "{folder}/token.key"\n'
    )
    try:
        yield feedd.start()
    finally:
        feedd.stop()
        shutil.rmtree(folder)


def requests(number: int) -> list[bytes]:
    """A post of each of `number` authors."""
    body = f'{{"body":{BODY}}}'.encode()
    head = (
        "POST /feed/posts HTTP/1.1\r\nHost: feed.example.org\r\nAuthorization: Bearer "
        "{}\r\nContent-Type: application/json\r\n"
    )
    until = int(time.time()) + 36_000
    return [
        head.format(make_token(SECRET, f"u{index}", until)).encode()
        + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        for index in range(number)
    ]


def by_feedd(feedd: Feedd, posters: int, seconds: float, one_core: bool = False) -> Turn:
    """Posts through HTTP; with `one_core` feedd is kept on one, as ``taskset -c`` would."""
    allowed = os.sched_getaffinity(0)
    for thread in os.listdir(f"/proc/{feedd.pid}/task"):
        os.sched_setaffinity(int(thread), {max(allowed)} if one_core else allowed)
    crowd = Posters(feedd.port, requests(posters))
    crowd.run(WARM_SECONDS)
    questions, spent = _questions(), cpu_seconds([feedd.pid])
    done = crowd.run(seconds)
    spent, questions = cpu_seconds([feedd.pid]) - spent, _questions() - questions
    crowd.close()
    times = sorted(done.times_ms)
    return Turn(
        done.posts / done.seconds,
        spent / max(1, done.posts) * 1e6,
        statistics.median(times),
        times[int(len(times) * 0.99)],
        done.refused,
        questions / max(1, done.posts),
    )


def by_bare(database: str, posters: int, seconds: float) -> Turn:
    """The same rows by bare adbapi, in a process of its own."""
    server = servers.mariadb()
    arguments = [
        server.host,
        str(server.port),
        database.rpartition("/")[2],
        str(posters),
        str(seconds),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "bench.bare", *arguments], capture_output=True, text=True, check=True
    )
    commits, took, spent = map(float, done.stdout.split())
    return Turn(commits / took, spent / commits * 1e6)


def _questions() -> int:
    server = servers.mariadb()
    connection = pymysql.connect(host=server.host, port=server.port, user="feedd")
    with connection, connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS LIKE 'Questions'")
        return int(cursor.fetchone()[1])  # type: ignore[index]


def measure(posters: int, seconds: float, turns: int) -> dict[str, Any]:
    """Alternating turns with so many posters, and the medians."""
    database = servers.mariadb().database()
    found: dict[str, list[Turn]] = {"bare": [], "feedd": [], "feedd, one core": []}
    with feedd_on(database) as feedd:
        for _ in range(turns):
            found["bare"].append(by_bare(database, posters, seconds))
            found["feedd"].append(by_feedd(feedd, posters, seconds))
            found["feedd, one core"].append(by_feedd(feedd, posters, seconds, one_core=True))
            print(
                f"{posters:3}",
                *(f"{name} {turn[-1].posts_s:.0f}/s" for name, turn in found.items()),
                flush=True,
            )
    return {
        "posters": posters,
        **{name: _row(sides, found["bare"]) for name, sides in found.items()},
    }


def _row(turns: list[Turn], bare: list[Turn]) -> dict[str, float]:
    """Medians, and the ratio to the bare turn beside each."""
    ratios = [turn.posts_s / other.posts_s for turn, other in zip(turns, bare, strict=True)]
    return _medians(turns) | {
        "ratio": statistics.median(ratios),
        "ratio_low": min(ratios),
        "ratio_high": max(ratios),
    }


def _medians(turns: list[Turn]) -> dict[str, float]:
    columns = {name: [getattr(turn, name) for turn in turns] for name in Turn._fields}
    medians = {
        name: statistics.median(column) for name, column in columns.items() if None not in column
    }
    return medians | {
        "posts_s_low": min(columns["posts_s"]),
        "posts_s_high": max(columns["posts_s"]),
    }


def main(argv: list[str] | None = None) -> None:
    """Measure, print a line for each number of posters, and write JSON when asked to."""
    parser = argparse.ArgumentParser(prog="python -m bench posts", description=__doc__)
    parser.add_argument(
        "--posters", default="1,4,16,64", help="how many post at once, several separated by commas"
    )
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--json", help="a file for the figures")
    given = parser.parse_args(argv)
    rows = [
        measure(int(posters), given.seconds, given.turns) for posters in given.posters.split(",")
    ]
    for row in rows:
        for name in ("bare", "feedd", "feedd, one core"):
            print(
                f"{row['posters']:3} {name:16}",
                *(f"{key} {value:.2f}" for key, value in row[name].items()),
            )
    if given.json:
        Path(given.json).write_text(
            json.dumps({"seconds": given.seconds, "bare_threads": THREADS, "rows": rows})
        )


if __name__ == "__main__":
    main()
