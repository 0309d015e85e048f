"""
A site's own writer: it only INSERTs posts and events, commits late, and sometimes rolls back.

It talks to the database directly, in threads, without feedd, and leaves its transactions open for
as long as it likes.
"""

import json
import random
import threading
import time
from typing import Any

import pymysql
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from bench.chaos.account import Commit
from bench.chaos.people import People
from bench.chaos.world import World

ROLLED_BACK = 0.1
THREADS = 80
STATEMENT_SECONDS = 60
STEP_SECONDS = 0.25
_MS = 1000


class Writer:
    """
    Writes `rate` times a second, in transactions that are open for `open_seconds` at most.

    :ivar commits: by event id.
    :ivar failed: transactions that the database did not take, or did not confirm.
    """

    def __init__(
        self, world: World, people: People, rng: random.Random, rate: float, open_seconds: float
    ) -> None:
        self.commits: dict[int, Commit] = {}
        self.failed = 0
        self.under_way = 0
        self._reactor = world.reactor
        self._database = {"host": world.mariadb.host, "port": world.mariadb.port, "user": "feedd"}
        self._database["database"] = world.database.rpartition("/")[2]
        self._people = people
        self._rng = rng
        self._rate = rate
        self._open_seconds = open_seconds
        self._running = False
        self._pool = ThreadPool(1, THREADS)
        self._local = threading.local()

    async def run(self) -> None:
        """Write until `stop`."""
        self._running = True
        self._pool.start()
        while self._running:
            await deferLater(self._reactor, self._rng.expovariate(self._rate))
            if self.under_way < THREADS and self._running:
                self._start()

    def stop(self) -> None:
        """Begin nothing more."""
        self._running = False

    def close(self) -> None:
        """End the threads."""
        if self._pool.started:
            self._pool.stop()

    def _start(self) -> None:
        self.under_way += 1
        author = self._rng.choice(self._people.names)
        hold = self._rng.uniform(0.0, self._open_seconds)
        commit, text = self._rng.random() >= ROLLED_BACK, f"written {self._rng.random():.6f}"
        writing: Deferred[None] = deferToThreadPool(
            self._reactor,
            self._pool,
            self._transact,
            author,
            json.dumps({"text": text}),
            hold,
            commit,
        )
        writing.addErrback(self._fail)
        writing.addBoth(self._done)

    def _fail(self, failure: Any) -> None:
        failure.trap(pymysql.Error, OSError)
        self.failed += 1

    def _done(self, result: object) -> object:
        self.under_way -= 1
        return result

    def _transact(self, author: str, body: str, hold: float, commit: bool) -> None:
        connection = self._connection()
        try:
            with connection.cursor() as cursor:
                now = int(time.time() * _MS)
                cursor.execute(
                    "INSERT INTO posts (author, body, created_at) VALUES (%s, %s, %s)",
                    (author, body, now),
                )
                began = time.time()
                cursor.execute(
                    "INSERT INTO events (kind, author, post, payload, created_at) VALUES "
                    "('post', %s, %s, %s, %s)",
                    (author, cursor.lastrowid, body, now),
                )
                id = cursor.lastrowid
                self._dawdle(cursor, hold)
            if commit:
                self._commit(connection, id, began)
            else:
                connection.rollback()
        except BaseException:
            self._local.connection = None
            connection.close()
            raise

    def _dawdle(self, cursor: Any, seconds: float) -> None:
        """
        Let time pass between statements; while the database hangs, it hangs here too, and is not
        done the sooner for it.
        """
        while seconds > 0:
            time.sleep(min(seconds, STEP_SECONDS))
            cursor.execute("SELECT 1")
            seconds -= STEP_SECONDS

    def _commit(self, connection: Any, id: int, began: float) -> None:
        try:
            connection.commit()
        finally:  # an error does not mean that it did not happen
            self.commits[id] = Commit(time.time(), time.time() - began, True)

    def _connection(self) -> Any:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = pymysql.connect(
                **self._database,
                autocommit=False,
                connect_timeout=5,
                read_timeout=STATEMENT_SECONDS,
                write_timeout=STATEMENT_SECONDS,
            )
        return connection
