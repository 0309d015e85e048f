"""
A backup is put in the place of the database while feedd runs: ids mean something else now, and
every page begins anew.
"""

from contextlib import closing

import pymysql

from tests.live import servers
from tests.live.harmed import HarmedCase, eventually, texts

RESTORE = (
    "DELETE FROM events",
    "DELETE FROM posts",
    "ALTER TABLE events AUTO_INCREMENT = 1",
    "UPDATE meta SET value = '0' WHERE name IN ('settled', 'pruned')",
    "UPDATE meta SET value = 'restored' WHERE name = 'epoch'",
)


class RestoredTests(HarmedCase):
    """As docs/operations.rst says: with a new word in ``meta.epoch``."""

    def restore(self) -> None:
        """The database is as it was before anything was said."""
        name = self.database.rpartition("/")[2]
        connection = pymysql.connect(
            host=servers.HOST, port=self.mariadb.port, user="feedd", database=name, autocommit=True
        )
        with closing(connection), connection.cursor() as cursor:
            for statement in RESTORE:
                cursor.execute(statement)

    async def test_restored(self) -> None:
        """
        Parked polls end, the next ones say gap, and what is posted then arrives, though its id was
        given out before.
        """
        for number in range(3):
            await self.alice.post(f"before {number}")
        self.assertEqual(len((await self.bob.poll())["events"]), 3)
        parked = await self.park(self.bob)
        self.restore()
        self.assertEqual((await parked)["events"], [])

        async def begun_anew() -> bool:
            reply = await self.bob.ask("GET", "/feed/poll", cursor=self.bob.cursor, wait=0)
            return reply.status == 200 and bool(reply.json.get("gap"))

        await eventually(begun_anew, "the old cursor is noticed")
        self.assertEqual((await self.bob.init())["posts"], [])
        self.assertTrue(self.bob.cursor.startswith("restored."), self.bob.cursor)
        for browser in (self.alice, self.bob):
            await self.until_ready(browser)
        self.assertEqual((await self.alice.post("after"))["event"], 1)
        self.assertEqual(texts(await self.bob.poll()), ["after"])
