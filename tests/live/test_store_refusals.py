"""A database that is there and takes no writes, and when it takes them again."""

from collections.abc import Awaitable
from typing import Any

from twisted.trial.unittest import TestCase

from feedd.feed.ports import Friendship
from feedd.store.running.refusals import LOOK_SECONDS, QUIET_SECONDS
from feedd.store.running.transaction import Refused
from feedd.store.sql import SQLStore
from tests.contracts.store import pairs, together
from tests.live import servers
from tests.live.mariadb import MariaDB
from tests.live.mysql import MySQL

HEALED_SECONDS = QUIET_SECONDS + 3 * LOOK_SECONDS


class Refusing(MariaDB):
    """A store whose user may only do what it was granted."""

    read_only = "read_only"

    @property
    def server(self) -> servers.MariaDB:
        """The server of these tests."""
        return servers.mariadb()

    async def make_store(self) -> SQLStore:
        self.url = self.new_url()
        self.database = self.url.rpartition("/")[2]
        self.user = f"'{self.database}'@'127.0.0.1'"
        self.server.execute(f"CREATE USER {self.user}")
        self.server.execute(f"GRANT ALL ON {self.database}.* TO {self.user}")
        self.addCleanup(self.server.execute, f"DROP USER {self.user}")
        self.own_url = self.url.replace("feedd@", f"{self.database}@")
        return await self.reached(url=self.own_url)

    async def numbers(self) -> set[int]:
        """The numbers of the connections on which the store reads and writes now."""

        def number(txn: Any) -> int:
            (found,) = txn.row("SELECT CONNECTION_ID()")
            return int(found)

        return {await self.store.reads.run(number), await self.store.writes.run(number)}

    async def until_healed(self) -> None:
        """Wait until the store says that writes are taken."""
        for _ in range(int(HEALED_SECONDS * 10)):
            if not self.store.trouble:
                return
            await self.pause(0.1)
        raise self.failureException(self.store.trouble)

    async def check_refused(self, call: Awaitable[object], *words: str) -> None:
        """Check that a write is refused, and that the store says why, in the server's words."""
        error = await self.refused(Refused, call)
        for word in words:
            self.assertIn(word, error.why)
            self.assertIn(word, self.store.trouble)

    async def test_a_right_is_missing(self) -> None:
        """
        Without INSERT a post is refused, one by one or with others, each counted, and it is said
        why; no text of it is. When the right is back the store says so by itself.
        """
        self.assertEqual(self.store.trouble, "")
        self.assertTrue((await self.store.add_post("ann", b"1", None)).fresh)
        await self.store.stopService()
        self.server.execute(f"REVOKE ALL ON {self.database}.* FROM {self.user}")
        self.server.execute(f"GRANT SELECT, UPDATE, DELETE ON {self.database}.* TO {self.user}")
        self.store = await self.reached(url=self.own_url)
        await self.check_refused(
            self.store.add_post("ann", b'"secret"', None), "INSERT", "denied", "(1142)"
        )
        self.assertNotIn("secret", self.store.trouble)
        for call in together([self.store.add_post("ann", b"1", None) for _ in range(5)]):
            await self.refused(Refused, call)
        self.assertGreaterEqual(self.counters["store_writes_refused"], 6)
        self.assertTrue(await self.store.save_settled((await self.store.open(1)).epoch, 0))
        self.server.execute(f"GRANT ALL ON {self.database}.* TO {self.user}")
        await self.until_healed()
        self.assertTrue((await self.store.add_post("ann", b"1", None)).fresh)

    async def test_read_only_and_back(self) -> None:
        """
        A server that takes no writes ends the connections to it, those that read as well, so that
        the next ones follow a failover; it is said why, until it takes writes again.
        """
        (before,) = await self.posted("ann")
        numbers = await self.numbers()
        self.server.execute(f"SET GLOBAL {self.read_only} = 1")
        try:
            epoch = (await self.store.open(1)).epoch
            await self.check_refused(self.store.save_settled(epoch, 1), "read", "(1290)")
            for call in (
                self.store.add_post("ann", b"1", None),
                self.store.edit_post("ann", before.post, b"2"),
                self.store.change_friends(pairs("ann-bob"), []),
            ):
                await self.check_refused(call, "(1290)")
            self.assertEqual(await self.store.ids_after(0, 10), [before.event.id])
            self.assertFalse(numbers & await self.numbers())
        finally:
            self.server.execute("SET GLOBAL read_only = 0")
        await self.until_healed()
        self.assertTrue((await self.store.add_post("ann", b"1", None)).fresh)


class MariaDBRefusalTests(Refusing, TestCase):
    """On MariaDB."""

    async def test_names_that_are_loosely_compared(self) -> None:
        """
        Columns in which Alice is alice are counted and named in the log, with what mends them.
        After that a friend change that differs in case only is another one.
        """
        self.write(
            "ALTER TABLE friendships CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
        )
        store = await self.reached()
        self.assertEqual(self.counters["store_loose_names"], 2)
        self.write(
            "ALTER TABLE friendships CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
        )
        store = await self.reached()
        self.assertEqual(self.counters["store_loose_names"], 0)
        for viewer in ("ann", "Ann", "ANN"):
            events, _ = await store.change_friends([Friendship(viewer, "bob")], [])
            self.assertEqual([event.author for event in events], [viewer])


class MySQLRefusalTests(MySQL, Refusing, TestCase):
    """On Oracle's MySQL."""

    read_only = "super_read_only"

    @property
    def server(self) -> Any:
        return servers.mysql()
