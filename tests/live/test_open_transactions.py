"""Transactions of the site's own that stay open for long: nothing below the watermark is lost."""

import functools
from typing import Any

import pymysql
from twisted.internet.threads import deferToThread

from feedd.core.cursor import parse_cursor
from tests.live import servers
from tests.live.harmed import HarmedCase, eventually, sleep, texts
from tests.live.mariadb import INSERT

LONG_SECONDS = 7.0
"""Longer than ``store.settle_seconds``, and than two ticks of the net."""


@functools.cache
def private_server() -> servers.MariaDB:
    """One that may be killed; it ends with this process."""
    return servers.MariaDB().start()


class OpenTransactionTests(HarmedCase):
    """A site that INSERTs beside two processes."""

    @property
    def mariadb(self) -> servers.MariaDB:
        return private_server()

    def site(self) -> Any:
        """A connection past the proxy."""
        name = self.database.rpartition("/")[2]
        connection = pymysql.connect(
            host=servers.HOST, port=self.mariadb.port, user="feedd", database=name
        )
        self.addCleanup(connection.close)
        return connection

    def insert(self) -> Any:
        """An open transaction with an event of alice's; returns its connection."""
        connection = self.site()
        connection.cursor().execute(INSERT.replace("'ann'", "'alice'"), ('{"text":"late"}',))
        return connection

    async def hole(self) -> None:
        """Wait until bob's cursor has come past the id of the open row, and names it as a hole."""

        async def is_passed() -> bool:
            reply = await self.bob.ask("GET", "/feed/poll", cursor=self.bob.cursor, wait=0)
            return bool(parse_cursor(reply.json["cursor"]).holes)

        await eventually(is_passed, "the cursor names a hole")

    async def test_late(self) -> None:
        """What is committed long after its id was passed is told, at any process, once."""
        open_ = await deferToThread(self.insert)
        await self.alice.post("early")
        self.assertEqual(texts(await self.bob.poll()), ["early"])
        await self.hole()
        await sleep(LONG_SECONDS)
        parked = await self.park(self.bob)
        await deferToThread(open_.commit)
        self.assertEqual(texts(await parked), ["late"])
        reply = await self.bob.ask("GET", "/feed/poll", cursor=self.bob.cursor, wait=0)
        self.assertEqual(reply.json["events"], [])
        self.assertFalse(parse_cursor(reply.json["cursor"]).holes)

    async def test_rolled_back(self) -> None:
        """A hole whose row is rolled back ends, and nothing is told."""
        open_ = await deferToThread(self.insert)
        await self.alice.post("early")
        await self.bob.poll()
        await self.hole()
        await deferToThread(open_.rollback)

        async def is_whole() -> bool:
            reply = await self.bob.ask("GET", "/feed/poll", cursor=self.bob.cursor, wait=0)
            self.assertEqual(reply.json["events"], [])
            return not parse_cursor(reply.json["cursor"]).holes

        await eventually(is_whole, "the hole ends")

    async def test_killed(self) -> None:
        """
        The database is killed while rows stand that are not committed: their ids may be given out
        again, and what gets them is told.
        """
        await self.alice.post("first")
        self.assertEqual(texts(await self.bob.poll()), ["first"])
        for _ in range(3):
            await deferToThread(self.insert)
        await sleep(1.5)
        self.mariadb.kill()
        await deferToThread(self.mariadb.start)

        async def posted() -> bool:
            return (await self.try_to_post("second"))[0] == 201

        await eventually(posted, "a post is taken again")
        self.assertEqual(texts(await self.bob.poll()), ["second"])
