"""
The least cost of a post in Python: its two INSERTs in one transaction, by adbapi and PyMySQL with
nothing around them.

``python -m bench.bare HOST PORT DATABASE POSTERS SECONDS`` prints ``commits seconds cpu_seconds``.
It is a process of its own, and so shares no interpreter with the one that measures it. The tables
are feedd's.
"""

import sys
import time
from typing import Any

from twisted.enterprise.adbapi import ConnectionPool
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import react

THREADS = 10
WARM_SECONDS = 0.5
BODY = '{"text":"%s"}' % ("x" * 100)
POST = "INSERT INTO posts (author, body, created_at) VALUES (%s, %s, %s)"
EVENT = "INSERT INTO events (kind, author, post, payload, created_at) VALUES (%s, %s, %s, %s, %s)"


def _post(transaction: Any, author: str) -> None:
    at = int(time.time() * 1000)
    transaction.execute(POST, (author, BODY, at))
    transaction.execute(EVENT, ("post", author, transaction.lastrowid, BODY, at))


async def _main(
    reactor: Any, host: str, port: str, database: str, posters: str, seconds: str
) -> None:
    pool = ConnectionPool(
        "pymysql", host=host, port=int(port), user="feedd", database=database, charset="utf8mb4",
        cp_reactor=reactor, cp_min=THREADS, cp_max=THREADS,
    )  # fmt: skip
    commits = 0
    until = time.monotonic() + WARM_SECONDS

    async def poster(author: str) -> None:
        nonlocal commits
        while time.monotonic() < until:
            await pool.runInteraction(_post, author)
            commits += 1

    def run() -> Deferred[Any]:
        return gatherResults(
            [Deferred.fromCoroutine(poster(f"bare{number}")) for number in range(int(posters))]
        )

    await run()
    commits, began, spent = 0, time.monotonic(), time.process_time()
    until = began + float(seconds)
    await run()
    print(commits, time.monotonic() - began, time.process_time() - spent)
    pool.close()


def main() -> None:
    """Measure, with the arguments of the command line."""
    react(lambda reactor: Deferred.fromCoroutine(_main(reactor, *sys.argv[1:])))


if __name__ == "__main__":
    main()
