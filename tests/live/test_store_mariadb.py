"""The store on MariaDB: the contracts, and its connections."""

import time

from twisted.trial.unittest import TestCase

from feedd.feed.ports import Unavailable
from feedd.log.tail import BATCH
from feedd.store.database.mariadb import TEXT_BYTES
from feedd.store.running.transaction import Transaction
from feedd.store.tables.retention import prune
from tests.contracts.store import FriendContract, PostContract, together
from tests.contracts.store_blocks import BlockContract
from tests.contracts.store_bounds import BoundContract
from tests.contracts.store_log import LogContract, PageContract
from tests.contracts.store_migration import MigrationContract
from tests.contracts.store_retention import RetentionContract
from tests.contracts.store_site import SiteContract
from tests.live.mariadb import INSERT, MariaDB


class MariaDBStoreTests(
    MariaDB, PostContract, FriendContract, BlockContract, LogContract, PageContract, TestCase
):
    """The contract of every store."""


class MariaDBRowTests(MariaDB, SiteContract, MigrationContract, TestCase):
    """Rows of a site, and the schema."""


class MariaDBRetentionTests(MariaDB, RetentionContract, TestCase):
    """Retention."""


class MariaDBBoundTests(MariaDB, BoundContract, TestCase):
    """Bounds."""


class TextTests(MariaDB, TestCase):
    """Many values come as one text."""

    async def test_a_list_that_does_not_fit(self) -> None:
        """
        A viewer who hears more than a text holds hears all of them, and so does one who was asked
        for beside them.
        """
        number = (
            TEXT_BYTES // 65 + 2
        )  # the last one is left out, but the comma makes up for it in number
        self.write(
            f"INSERT INTO friendships (viewer, friend) SELECT 'ann', LPAD(seq, 64, 'f') "
            f"FROM seq_1_to_{number}"
        )
        self.write("INSERT INTO friendships (viewer, friend) VALUES ('ann', 'a,b'), ('bob', 'ann')")
        # Python takes its time with so long a list, more so on a busy machine.
        store = await self.reached(query_seconds=60.0)
        lists = await store.friends_of(["ann", "bob"])
        self.assertEqual((len(lists["ann"]), lists["bob"]), (number, ("ann",)))

    async def test_many(self) -> None:
        """
        A text holds as many ids as the net asks for, in their order, whatever the server's own
        limit is (MySQL's is 1 kB).
        """
        self.write(
            f"INSERT INTO events (kind, author, payload) SELECT 'post', 'ann', '1' FROM "
            f"seq_1_to_{BATCH}"
        )
        self.assertEqual(await self.store.ids_after(0, BATCH), list(range(1, BATCH + 1)))
        self.assertEqual(await self.store.ids_after(7, 2), [8, 9])
        limit = await self.store.reads.run(lambda txn: txn.row("SELECT @@group_concat_max_len"))
        self.assertEqual(limit, (TEXT_BYTES,))
        self.assertGreater(TEXT_BYTES, BATCH * len(f"{2**63},"))


class PruningTests(MariaDB, TestCase):
    """Retention beside those who write."""

    async def test_who_writes_does_not_wait(self) -> None:
        """
        While a batch is deleted, posts, edits and the watermark are written, though nothing but the
        last row is left.
        """
        stored = await self.posted("ann", 1_500)
        await self.store.save_settled((await self.store.open(0)).epoch, stored[-1].event.id)
        self.write("UPDATE events SET created_at = 1")

        def prune_in_between(txn: Transaction) -> int:
            count = prune(txn, "me", 10**12, 10**12, 2_000)
            site = self.other()
            site.execute("SET innodb_lock_wait_timeout = 1")
            site.execute(INSERT, ("1",))
            site.execute(
                "INSERT INTO events (kind, author, payload, created_at) VALUES ('post', "
                "'ann', '1', 1)"
            )
            site.execute("UPDATE posts SET body = '2' WHERE id = 1")
            site.execute("UPDATE meta SET value = '9999' WHERE name = 'settled'")
            site.connection.commit()
            return count

        self.assertEqual(await self.store.writes.run(prune_in_between), 1_499)
        self.assertEqual(len(await self.store.ids_after(0, 10)), 3)

    async def test_two_at_once(self) -> None:
        """One prunes, the other finds nothing to do; every event is counted once."""
        stored = await self.posted("ann", 300)
        await self.store.save_settled((await self.store.open(0)).epoch, stored[-2].event.id)
        self.write("UPDATE events SET created_at = 1")
        pruning = together([self.store.prune(owner, 1.0, 100) for owner in ("a", "b", "c", "d")])
        self.assertEqual(sorted([await batch for batch in pruning]), [0, 0, 0, 100])


class ConnectionTests(MariaDB, TestCase):
    """Connections that fail, on a server that does not."""

    async def test_a_connection_lost_at_the_commit(self) -> None:
        """
        When the connection is lost nobody knows whether the COMMIT happened: unavailable. The next
        call has a new connection.
        """

        def cut(txn: Transaction) -> None:
            txn.execute("INSERT INTO markers (viewer, post) VALUES (?, ?)", ("ann", 1))
            (number,) = txn.row("SELECT CONNECTION_ID()")
            self.write(f"KILL {number}")
            time.sleep(0.1)

        await self.refused(Unavailable, self.store.writes.run(cut))
        self.assertTrue((await self.store.add_post("ann", b"1", None)).fresh)

    async def test_a_statement_that_takes_too_long(self) -> None:
        """The server ends it, so that it does not go on for a caller who has left."""
        error = await self.refused(
            Unavailable, self.store.reads.run(lambda txn: txn.row("SELECT SLEEP(10)"))
        )
        self.assertIn("max_statement_time", error.why)

    async def test_an_idle_connection_that_died(self) -> None:
        """A connection that died while idle is replaced before it is used."""
        store = await self.reached(threads=1)
        await self.posted("ann")
        await store.friends_of(["ann"])
        self.other().execute(
            "BEGIN NOT ATOMIC FOR c IN (SELECT id FROM information_schema.processlist "
            "WHERE id <> CONNECTION_ID() AND"
            f" db = '{self.url.rpartition('/')[2]}') DO KILL c.id; END FOR; END"
        )
        await self.pause(1.1)
        for _ in range(5):
            await store.friends_of(["ann"])
            await store.add_post("ann", b"1", None)

    async def test_a_wrong_password(self) -> None:
        """A wrong password is reported without the password, whatever letters it has."""
        url = self.url.replace("feedd@", "nobody:geheim%C5%9B@")
        for password in ("", "geheimś2"):
            error = await self.refused(Unavailable, self.started(url, password).prepare())
            self.assertIn("Access denied", error.why)
            self.assertNotIn("geheim", str(error))

    async def test_a_database_that_is_not_there(self) -> None:
        """A database that is not there is reported."""
        error = await self.refused(Unavailable, self.started(self.url + "x").prepare())
        self.assertIn("Unknown database", error.why)

    async def test_tls_is_not_left_out(self) -> None:
        """A server that cannot do TLS is not talked to without it."""
        error = await self.refused(
            Unavailable, self.started(self.url.replace("mysql:", "mysqls:")).prepare()
        )
        self.assertIn("SSL", error.why)
