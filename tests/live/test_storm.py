"""
A crowd that comes at once, with friend lists that no cache has: it waits its turn, and is not
refused.
"""

import functools

import pymysql
from twisted.trial.unittest import SynchronousTestCase

from bench.crowd import Count, Crowd
from tests.live import servers
from tests.live.daemon import Feedd
from tests.live.test_end_to_end import settings

CROWD = 1_000
SECONDS = 30.0


@functools.cache
def private_server() -> servers.MariaDB:
    """One whose queries are counted, so that nobody else may ask it; it ends with this process."""
    return servers.MariaDB().start()


class StormTests(SynchronousTestCase):
    """A thousand clients, where twenty queries may wait for the database."""

    def setUp(self) -> None:
        url = private_server().database()
        self.feedd = Feedd(
            settings(url).replace("[broker]", "max_waiting = 20\nthreads = 4\n[broker]")
        )
        self.addCleanup(self.feedd.stop)
        self.feedd.start()
        host, port = private_server().host, private_server().port
        self.database = pymysql.connect(
            host=host, port=port, user="feedd", database=url.rpartition("/")[2], autocommit=True
        ).cursor()
        self.addCleanup(self.database.connection.close)
        pairs = [(f"u{index}", "author") for index in range(CROWD)]
        self.database.executemany("INSERT INTO friendships (viewer, friend) VALUES (%s, %s)", pairs)

    def ask(self, index: int, cursor: str) -> bytes:
        query = f"as=u{index}" + (f"&cursor={cursor}" if cursor else "")
        return f"GET /feed/poll?{query} HTTP/1.1\r\nHost: feed.example.org\r\n\r\n".encode()

    def polls(self) -> int:
        """How many are parked."""
        return int(self.feedd.details()["polls"])

    def selects(self) -> int:
        """How many the server has had."""
        self.database.execute("SHOW GLOBAL STATUS LIKE 'Com_select'")
        return int(self.database.fetchone()[1])

    def come(self, cursors: list[str]) -> Crowd:
        """All at once; returns when all are parked."""
        crowd = Crowd(self.feedd.port, CROWD, self.ask, cursors)
        self.addCleanup(crowd.close)
        crowd.connect(at_once=CROWD)
        self.assertTrue(crowd.pump(SECONDS, lambda: self.polls() == CROWD), crowd.count)
        return crowd

    def test_cold_lists(self) -> None:
        """
        Nobody is refused, a few queries read all lists, and everybody hears their friend from then
        on.
        """
        before = self.selects()
        crowd = self.come([])
        self.assertEqual(crowd.count, Count(answers=0, refused=0, odd=0, lost=0))
        self.assertLess(self.selects() - before, 100)
        crowd.look_for(b"the news")
        self.database.execute(
            "INSERT INTO events (kind, author, payload) VALUES ('post', 'author', '\"the news\"')"
        )
        self.assertTrue(crowd.pump(SECONDS, lambda: len(crowd.seen) == CROWD), len(crowd.seen))

    def test_after_a_crash(self) -> None:
        """
        With their cursors they are told what was posted meanwhile, from memory, and their lists
        come from memcached.
        """
        crowd = self.come([])
        crowd.look_for(b"before")
        self.database.execute(
            "INSERT INTO events (kind, author, payload) VALUES ('post', 'author', '\"before\"')"
        )
        self.assertTrue(crowd.pump(SECONDS, lambda: len(crowd.seen) == CROWD), len(crowd.seen))
        crowd.close()
        self.feedd.kill()
        self.database.execute(
            "INSERT INTO events (kind, author, payload) VALUES ('post', 'author', '\"meanwhile\"')"
        )
        self.feedd.start()
        before = self.selects()
        again = Crowd(self.feedd.port, CROWD, self.ask, crowd.cursors)
        self.addCleanup(again.close)
        again.look_for(b"meanwhile")
        again.connect(at_once=CROWD)
        self.assertTrue(
            again.pump(SECONDS, lambda: len(again.seen) == CROWD and self.polls() == CROWD),
            again.count,
        )
        self.assertEqual(again.count, Count(answers=CROWD, refused=0, odd=0, lost=0))
        self.assertLess(self.selects() - before, 20)
