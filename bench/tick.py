"""
A tick of the net on a real MariaDB: ``python -m bench tick --checkout ../feedd-of-before``.

The parts of one process of the checkout run in this one, with no client; a tick is begun by hand,
and costs what the process has spent until it has ended, with the thread that asks the database. The
median of so many ticks when nothing is new, when rows of others have come, and while as many ids
are missing that a transaction, which stays open, has been given in between.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pymysql
from twisted.internet.task import deferLater, react

from bench import result
from tests.live import servers

ROOT = Path(__file__).parents[1]
SETTINGS = """
[store]
url = "%s"
tail_seconds = 3600
settle_seconds = 600
"""
INSERT = "INSERT INTO events (kind, author, post, payload) VALUES ('message', 'eve', NULL, '{}')"
REST_SECONDS = 0.02
WAIT_SECONDS = 30.0


class Ticks:
    """One process of the checkout, and its ticks."""

    def __init__(self, reactor: Any, database: str) -> None:
        self._reactor = reactor
        config = import_module("feedd.config").parse_config(SETTINGS % database)
        self._process = import_module("feedd.process").Process(config, reactor)
        for part in (self._process.store, self._process.opener):
            part.setServiceParent(self._process.service)

    async def open(self) -> None:
        """Begin; returns when the first tick is over."""
        self._process.service.startService()
        deadline = time.monotonic() + WAIT_SECONDS
        while self._process.database_trouble():
            assert time.monotonic() < deadline, self._process.database_trouble()
            await deferLater(self._reactor, REST_SECONDS)

    async def close(self) -> None:
        """End."""
        await self._process.service.stopService()

    async def tick(self) -> float:
        """A tick; returns the seconds of processor time that it took."""
        await deferLater(self._reactor, REST_SECONDS)
        began = time.process_time()
        await self._process.tail._tick()
        took = time.process_time() - began
        assert not self._process.database_trouble(), self._process.database_trouble()
        return took


@contextmanager
def connected(database: str) -> Iterator[Any]:
    """A connection of a site."""
    address = urlsplit(database)
    connection = pymysql.connect(
        host=address.hostname,
        port=address.port or 3306,
        user=address.username,
        database=address.path[1:],
    )
    try:
        yield connection
    finally:
        connection.close()


def insert(connection: Any, rows: int) -> None:
    """So many rows, not yet committed."""
    with connection.cursor() as cursor:
        for _ in range(rows):
            cursor.execute(INSERT)


async def measure(reactor: Any, database: str, number: int, rows: int) -> dict[str, list[float]]:
    """The seconds of so many ticks of each kind."""
    ticks = Ticks(reactor, database)
    await ticks.open()
    found: dict[str, list[float]] = {"nothing new": [], f"{rows} new rows": []}
    with connected(database) as site, connected(database) as slow:
        for _ in range(number):
            found["nothing new"].append(await ticks.tick())
        for _ in range(number):
            insert(site, rows)
            site.commit()
            found[f"{rows} new rows"].append(await ticks.tick())
        for _ in range(rows):
            insert(slow, 1)
            insert(site, 1)
            site.commit()
        await ticks.tick()
        found[f"{rows} holes"] = [await ticks.tick() for _ in range(number)]
    await ticks.close()
    return found


async def main_in(reactor: Any, given: argparse.Namespace) -> None:
    """Measure, and tell."""
    database = servers.mariadb().database()
    found = await measure(reactor, database, given.ticks, given.rows)
    servers.mariadb().execute(f"DROP DATABASE {database.rpartition('/')[2]}")
    rows = []
    for name, seconds in found.items():
        us = [1e6 * each for each in sorted(seconds)]
        row = {"name": name, "us": statistics.median(us), "us_low": us[0], "us_high": us[-1]}
        rows.append(row)
        print(f"{name:16} {row['us']:8.0f} us a tick ({us[0]:.0f}-{us[-1]:.0f})", flush=True)
    result.write(given.json, result.document("tick", checkout=given.checkout, rows=rows))


def main(argv: list[str] | None = None) -> None:
    """Measure, print a line for each, and write JSON when asked to."""
    parser = argparse.ArgumentParser(prog="python -m bench tick", description=__doc__)
    parser.add_argument("--checkout", default=str(ROOT), help="the folder of the feedd to measure")
    parser.add_argument("--ticks", type=int, default=100)
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--json", help="a file for the figures")
    given = parser.parse_args(argv)
    sys.path.insert(0, str(Path(given.checkout).resolve()))
    react(main_in, (given,))


if __name__ == "__main__":
    main()
