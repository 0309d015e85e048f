"""A COMMIT that is held up on its way to MariaDB is not carried out when it arrives at last."""

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from feedd.feed.settings import Store
from feedd.store.database.dialects import make_dialect
from tests.live import servers
from tests.live.mariadb import connect
from tests.live.proxy import Proxy

QUERY_SECONDS = 2.0


class LateCommitTests(TestCase):
    """A connection of feedd's own, through a network that stops."""

    timeout = 30

    def setUp(self) -> None:
        server = servers.mariadb()
        self.proxy = Proxy(reactor, server.port).start()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.proxy.stop()))
        self.past = connect(server.database())
        self.addCleanup(self.past.close)
        self.past.cursor().execute("CREATE TABLE told (id INT)")
        name = self.past.db.decode()
        url = f"mysql://feedd@{servers.HOST}:{self.proxy.port}/{name}"
        self.dialect: Any = make_dialect(Store(url=url, query_seconds=QUERY_SECONDS), "")

    def insert(self) -> Any:
        """A transaction that has inserted, and has not committed."""
        connection = self.dialect.connect()
        self.addCleanup(connection.close)
        connection.cursor().execute("INSERT INTO told VALUES (1)")
        return connection

    def told(self) -> int:
        """How many rows others see."""
        self.past.rollback()
        cursor = self.past.cursor()
        cursor.execute("SELECT COUNT(*) FROM told")
        (count,) = cursor.fetchone()
        return int(count)

    async def test_held_up(self) -> None:
        """
        A row does not become visible so long after its id was given out: readers who have passed it
        would never look for it again.
        """
        connection = await deferToThread(self.insert)
        self.proxy.freeze()
        with self.assertRaises(self.dialect.errors):
            await deferToThread(connection.commit)
        self.proxy.heal()
        await deferLater(reactor, 0.5)
        self.assertEqual(self.told(), 0)

    async def test_in_time(self) -> None:
        """A transaction that only rests for a moment is carried out."""
        connection = await deferToThread(self.insert)
        await deferLater(reactor, QUERY_SECONDS / 4)
        await deferToThread(connection.commit)
        self.assertEqual(self.told(), 1)
