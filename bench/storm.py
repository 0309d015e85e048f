"""
All clients come back at once: ``python -m bench.storm --clients 5000``.

The bench starts servers of its own, as a site runs them: a JWT for each viewer, RabbitMQ, MariaDB
and memcached. N clients are parked, posts come in, feedd is killed, more is posted into the log
while it is away, feedd is started again, and in the moment when it says that it is ready all N
connect with the cursors that they have. The time is taken until all are parked again, those who had
missed something after they have received it.

With ``--cold`` memcached is emptied before they come; with ``--fresh`` they come without cursors.
``--graph one``: everybody hears one author; ``--graph hundred``: a hundred each, of 20,000 authors.

The queries of the database are the difference of ``SHOW GLOBAL STATUS`` (``Com_select``,
``Questions``) from the moment before the first connect to the moment when the last poll is parked,
minus what an idle feedd asks in the same time: that rate is measured afterwards, over some seconds
in which nothing happens.
"""

import argparse
import json
import random
import shutil
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql

from bench.crowd import LOOPBACK, Crowd
from bench.process import cpu_seconds
from feedd.auth.token import make_token
from tests.live import servers
from tests.live.daemon import Feedd

SECRET = "0123456789abcdef0123456789abcdef"
AUTHORS = 20_000
EACH = 100
IDLE_SECONDS = 5.0
LIMIT_SECONDS = 60.0
SETTLE_SECONDS = 8.0
"""Until the log has settled, and the watermark has been written down."""

ONE_IN = 50
"""
With the graph ``one``, every so many viewers hear a second author, who posts while feedd is away.
"""


class House:
    """The servers, and what is in them."""

    def __init__(self, clients: int, graph: str, seed: int) -> None:
        self.random = random.Random(seed)
        self.mariadb, self.memcached, self.rabbitmq = (
            servers.MariaDB(),
            servers.Memcached(),
            servers.RabbitMQ(),
        )
        for server in (self.mariadb, self.memcached, self.rabbitmq):
            server.start()
        self.url = self.mariadb.database()
        self.folder = Path(tempfile.mkdtemp(prefix="feedd-bench-"))
        (self.folder / "token.key").write_text(SECRET)
        self.feedd = Feedd(
            f'[store]\nurl = "{self.url}"\n[broker]\nurl = "{self.rabbitmq.url}"\n'
            f'[cache]\nurl = "memcached://{LOOPBACK}:{self.memcached.port}"\n'
            f'[auth]\nmode = "token"\nsecret_file = "{self.folder}/token.key"\n'
            f'backend_key_file = "{self.folder}/token.key"\n'
        ).start()
        self._connection = pymysql.connect(
            host=LOOPBACK,
            port=self.mariadb.port,
            user="feedd",
            database=self.url.rpartition("/")[2],
            autocommit=True,
        )
        self.friends = self._graph(clients, graph)
        self._befriend()
        expires = int(time.time()) + 7200
        self._tokens = [make_token(SECRET, f"u{index}", expires) for index in range(clients)]

    def close(self) -> None:
        """Stop them all."""
        for server in (self.feedd, self.rabbitmq, self.memcached, self.mariadb):
            server.stop()
        shutil.rmtree(self.folder)

    def ask(self, index: int, cursor: str, more: str = "") -> bytes:
        """The poll of a client."""
        query = f"token={self._tokens[index]}" + (f"&cursor={cursor}" if cursor else "") + more
        return f"GET /feed/poll?{query} HTTP/1.1\r\nHost: feed.example.org\r\n\r\n".encode()

    def post(self, authors: list[str], text: str) -> None:
        """
        Posts that come past feedd, as a site's own do: the net brings them, or the opening finds
        them.
        """
        with self._connection.cursor() as cursor:
            rows = [("post", author, json.dumps({"text": text})) for author in authors]
            cursor.executemany(
                "INSERT INTO events (kind, author, payload) VALUES (%s, %s, %s)", rows
            )

    def asked(self) -> dict[str, int]:
        """The number of queries of the database so far."""
        with self._connection.cursor() as cursor:
            cursor.execute("SHOW GLOBAL STATUS WHERE Variable_name IN ('Com_select', 'Questions')")
            return {name: int(value) for name, value in cursor.fetchall()}

    def cached(self) -> dict[str, int]:
        """The commands that memcached has been given so far."""
        text = self._memcached(b"stats\r\nquit\r\n").decode()
        stats = dict(line.split()[1:3] for line in text.splitlines() if line.startswith("STAT "))
        return {name: int(stats[name]) for name in ("cmd_get", "get_hits", "cmd_set")}

    def flush(self) -> None:
        """Empty memcached."""
        self._memcached(b"flush_all\r\nquit\r\n")

    def status(self) -> dict[str, Any]:
        """The answer of /status, even when its status is 503."""
        return self.feedd.details(SECRET)

    def cpu_seconds(self) -> float:
        """Of feedd so far."""
        return cpu_seconds([self.feedd.pid])

    def _memcached(self, command: bytes) -> bytes:
        with socket.create_connection((LOOPBACK, self.memcached.port), timeout=5) as connection:
            connection.sendall(command)
            return b"".join(iter(lambda: connection.recv(65_536), b""))

    def _graph(self, clients: int, graph: str) -> list[list[str]]:
        if graph == "one":
            return [
                ["author", "late"] if index % ONE_IN == 0 else ["author"]
                for index in range(clients)
            ]
        return [
            [f"a{number}" for number in self.random.sample(range(AUTHORS), EACH)]
            for _ in range(clients)
        ]

    def _befriend(self) -> None:
        """Rows without events, as in a database that has been running for long."""
        pairs = [
            (f"u{index}", friend)
            for index, friends in enumerate(self.friends)
            for friend in friends
        ]
        with self._connection.cursor() as cursor:
            for start in range(0, len(pairs), 5000):
                cursor.executemany(
                    "INSERT INTO friendships (viewer, friend) VALUES (%s, %s)",
                    pairs[start : start + 5000],
                )


@contextmanager
def house(clients: int, graph: str, seed: int) -> Iterator[House]:
    """The servers, stopped at the end."""
    made = House(clients, graph, seed)
    try:
        yield made
    finally:
        made.close()


def settle_down(home: House, clients: int) -> list[str]:
    """
    The first day: all are parked, in small groups, and have seen some posts; returns their cursors.
    """
    crowd = Crowd(
        home.feedd.port,
        clients,
        lambda index, cursor: home.ask(index, cursor, "" if cursor else "&wait=0"),
    )
    crowd.connect(at_once=100)
    if not crowd.pump(LIMIT_SECONDS, lambda: home.status()["polls"] == clients):
        raise AssertionError(f"they were not parked: {crowd.count}, {home.status()}")
    some = sorted({friend for friends in home.friends[:100] for friend in friends})[:200]
    crowd.look_for(b"before")
    for _ in range(5):
        home.post(some, "before")
        crowd.pump(1.5)
    crowd.pump(LIMIT_SECONDS, lambda: home.status()["polls"] == clients)
    crowd.pump(SETTLE_SECONDS)
    crowd.close()
    return crowd.cursors


def storm(
    home: House, clients: int, cursors: list[str], cold: bool
) -> tuple[dict[str, Any], list[str]]:
    """
    Kill, post, start, and let them all come; returns the figures, and the cursors that they have in
    the end.
    """
    home.feedd.kill()
    late = (
        ["late"]
        if "late" in home.friends[0]
        else home.random.sample([f"a{number}" for number in range(AUTHORS)], 20)
    )
    home.post(late, "meanwhile")
    missed = {
        index for index, friends in enumerate(home.friends) if not set(late).isdisjoint(friends)
    }
    if cold:
        home.flush()
    before_opening = home.asked()
    home.feedd.start()
    asked, cached, cpu = home.asked(), home.cached(), home.cpu_seconds()
    own_cpu, began = time.process_time(), time.monotonic()
    crowd = Crowd(home.feedd.port, clients, home.ask, cursors)
    crowd.look_for(b"meanwhile")
    watch = Watch(home, clients, began)
    crowd.connect(at_once=500)
    parked = crowd.pump(LIMIT_SECONDS, watch)
    row = {
        "parked_s": round(watch.at[-1][0], 2) if parked else None,
        "half_parked_s": next(
            (round(at, 2) for at, polls in watch.at if polls >= clients / 2), None
        ),
        "cpu_s": round(home.cpu_seconds() - cpu, 2),
        "client_cpu_s": round(time.process_time() - own_cpu, 2),
        **crowd.count._asdict(),
        **_latencies(crowd),
        "missed": len(missed),
        "told": len(crowd.seen & missed),
        "opening_selects": asked["Com_select"] - before_opening["Com_select"],
    }
    spent = {name: value - asked[name] for name, value in home.asked().items()}
    row |= {f"memcached_{name}": value - cached[name] for name, value in home.cached().items()}
    row |= _beyond_idle(home, crowd, spent, time.monotonic() - began)
    row["delivered"] = _deliver(home, crowd)
    row["counters"] = home.status()["counters"]
    crowd.pump(SETTLE_SECONDS)
    crowd.close()
    return row, crowd.cursors


class Watch:
    """
    Asks now and then how many polls are parked; true when all are. The asking waits behind the
    crowd, as anybody's does.
    """

    EVERY_SECONDS = 0.1

    def __init__(self, home: House, clients: int, began: float) -> None:
        self._home = home
        self._clients = clients
        self._began = began
        self._next = began
        self.at: list[tuple[float, int]] = []

    def __call__(self) -> bool:
        if time.monotonic() < self._next:
            return False
        polls = self._home.status()["polls"]
        self.at.append((time.monotonic() - self._began, polls))
        self._next = time.monotonic() + self.EVERY_SECONDS
        return bool(polls == self._clients)


def _latencies(crowd: Crowd) -> dict[str, float | None]:
    """Of the first answers, to those who had one; who is parked at once has none."""
    first = sorted(crowd.first.values())
    if not first:
        return {"answer_p50_s": None, "answer_worst_s": None}
    return {
        "answer_p50_s": round(statistics.median(first), 2),
        "answer_worst_s": round(first[-1], 2),
    }


def _beyond_idle(
    home: House, crowd: Crowd, spent: dict[str, int], seconds: float
) -> dict[str, float]:
    """The queries for the crowd, without those that are made while nothing happens."""
    before = home.asked()
    crowd.pump(IDLE_SECONDS)
    idle = {name: (value - before[name]) / IDLE_SECONDS for name, value in home.asked().items()}
    return {f"db_{name}": round(value - idle[name] * seconds, 1) for name, value in spent.items()}


def _deliver(home: House, crowd: Crowd) -> int:
    """The number of clients that receive a last round of posts, of those that should."""
    crowd.look_for(b"the end")
    home.post(sorted({friends[0] for friends in home.friends}), "the end")
    crowd.pump(20.0, lambda: len(crowd.seen) == len(home.friends))
    return len(crowd.seen)


def main(argv: list[str] | None = None) -> None:
    """Measure, print, and write JSON when asked to."""
    parser = argparse.ArgumentParser(prog="python -m bench.storm", description=__doc__)
    parser.add_argument("--clients", type=int, default=5000)
    parser.add_argument("--graph", choices=("one", "hundred"), default="one")
    parser.add_argument("--cold", action="store_true", help="memcached is emptied before they come")
    parser.add_argument("--fresh", action="store_true", help="they come without cursors")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", help="a file for the figures")
    given = parser.parse_args(argv)
    rows = []
    with house(given.clients, given.graph, given.seed) as home:
        cursors = settle_down(home, given.clients)
        for _ in range(given.turns):
            row, cursors = storm(home, given.clients, [] if given.fresh else cursors, given.cold)
            rows.append(row)
            print("  ".join(f"{name} {value}" for name, value in rows[-1].items()), flush=True)
    if given.json:
        Path(given.json).write_text(json.dumps(vars(given) | {"storms": rows}))


if __name__ == "__main__":
    main()
