"""
A backup is put in the place of the database while feedd runs: ids mean something else now, and
every page begins anew.
"""

from contextlib import closing

import pymysql

from feedd.core.cursor import parse_cursor
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
        self.change(*RESTORE)

    def change(self, *statements: str) -> None:
        """Do this to the database, as its operator."""
        name = self.database.rpartition("/")[2]
        connection = pymysql.connect(
            host=servers.HOST, port=self.mariadb.port, user="feedd", database=name, autocommit=True
        )
        with closing(connection), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    async def begun_anew(self) -> bool:
        """Whether bob's cursor is of another epoch than the log."""
        reply = await self.bob.ask("GET", "/feed/poll", cursor=self.bob.cursor, wait=0)
        return reply.status == 200 and bool(reply.json.get("gap"))

    async def until_settled(self, id: int) -> None:
        """Wait until alice's process has settled this event."""

        async def is_settled() -> bool:
            cursor = parse_cursor((await self.alice.init())["cursor"])
            return cursor.settled >= id and id not in cursor.holes

        await eventually(is_settled, f"event {id} is settled")

    async def test_nobody_says_so(self) -> None:
        """
        A table that was truncated under feedd is noticed, by the next commit or by the net alone,
        and every page begins anew.
        """
        for is_posted in (True, False):
            last = [await self.alice.post(f"before {number}") for number in range(3)][-1]
            await self.until_settled(last["event"])
            await self.bob.init()
            epoch = self.bob.cursor.partition(".")[0]
            self.change("TRUNCATE TABLE events")
            if is_posted:
                self.assertEqual((await self.alice.post("at once"))["event"], 1)
            await eventually(self.begun_anew, "the old cursor is noticed")
            for browser in (self.alice, self.bob):
                await self.until_ready(browser)
            page = await self.bob.init()
            self.assertNotEqual(page["cursor"].partition(".")[0], epoch)
            if is_posted:
                self.assertEqual(page["posts"][0]["body"], {"text": "at once"})
            await self.alice.post("after")
            self.assertEqual(texts(await self.bob.poll()), ["after"])

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

        await eventually(self.begun_anew, "the old cursor is noticed")
        self.assertEqual((await self.bob.init())["posts"], [])
        self.assertTrue(self.bob.cursor.startswith("restored."), self.bob.cursor)
        for browser in (self.alice, self.bob):
            await self.until_ready(browser)
        self.assertEqual((await self.alice.post("after"))["event"], 1)
        self.assertEqual(texts(await self.bob.poll()), ["after"])
