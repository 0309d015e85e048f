"""The ringer's own connection, on each database: what it sees, and when its lock goes."""

import time

from twisted.trial.unittest import TestCase

from feedd.core.runs import NO_RUNS
from feedd.feed.ports import Unavailable
from feedd.store.database import mariadb
from feedd.store.database.address import ServerAddress, parse_address
from feedd.store.lookout import Lookout
from tests.contracts.store_rung import SITE, RungContract
from tests.live.mariadb import MariaDB
from tests.live.mysql import MySQL
from tests.live.test_store_sqlite import SQLite

PATIENCE_SECONDS = 20.0


class SQLiteRungTests(SQLite, RungContract, TestCase):
    """SQLite has no lock: whoever asks may look."""

    async def test_nobody_has_written(self) -> None:
        """A look that follows no write asks nothing of the table, whatever is asked."""
        self.write(SITE)
        looking = await self.entered()
        self.assertEqual(await looking.look(0, NO_RUNS, 9), [(1, False)])
        self.assertEqual(await looking.look(0, NO_RUNS, 9), [])
        await self.store.add_post("ann", b"1", None)
        self.assertEqual(await looking.look(1, NO_RUNS, 9), [(2, True)])


class Locked(MariaDB, RungContract):
    """One process at a time."""

    async def until_entered(self, looking: Lookout) -> None:
        """Return when it is the one; fails when it does not become so."""
        began = time.monotonic()
        while not await self.try_to_enter(looking):
            self.assertLess(time.monotonic() - began, PATIENCE_SECONDS)
            await self.pause(0.05)

    async def try_to_enter(self, looking: Lookout) -> bool:
        """Whether it is the one now."""
        try:
            return await looking.enter()
        except Unavailable:  # it has stood by for longer than the server waits
            return False

    def sessions(self) -> list[int]:
        """The connections on this test's database that hold or wait for the ringer's lock."""
        other = self.other()
        address = parse_address(self.url, "")
        assert isinstance(address, ServerAddress)
        name = mariadb.lock_name(address.database, "feedd-ringer")
        other.execute("SELECT IS_USED_LOCK(%s)", (name,))
        (number,) = other.fetchone()
        return [] if number is None else [number]

    async def test_one_at_a_time(self) -> None:
        """While one looks nobody else does; when it leaves, another may."""
        first, second = await self.entered(), self.lookout()
        for _ in range(2):
            await self.look(first)
            self.assertFalse(await self.try_to_enter(second))
        await first.leave()
        await self.until_entered(second)
        self.assertEqual(len(self.sessions()), 1)
        await second.stop()
        await second.stop()
        while self.sessions():
            await self.pause(0.02)
        with self.assertRaises(Unavailable):
            await second.enter()

    async def test_another_database(self) -> None:
        """Each database of a server has a ringer of its own."""
        await self.entered()
        self.url = self.new_url()
        await self.entered()

    async def test_who_does_not_leave(self) -> None:
        """A look that nobody follows is the last: the server ends the connection, and the lock."""
        self.write(SITE)
        first, second = await self.entered(), self.lookout()
        await self.look(first)
        self.assertFalse(await self.try_to_enter(second))
        await self.until_entered(second)
        with self.assertRaises(Unavailable):
            await first.look(0, NO_RUNS, 9)
        await self.look(second)
        self.assertFalse(await self.try_to_enter(first))

    async def test_who_is_cut_off(self) -> None:
        """Its connection is ended: it is told, and another may look."""
        first, second = await self.entered(), self.lookout()
        (number,) = self.sessions()
        self.other().execute(f"KILL {number}")
        with self.assertRaises(Unavailable):
            while True:
                await first.look(0, NO_RUNS, 9)
        await self.until_entered(second)

    async def test_who_has_left(self) -> None:
        """It may not look before it has entered again."""
        looking = await self.entered()
        await looking.leave()
        with self.assertRaises(Unavailable):
            await looking.look(0, NO_RUNS, 9)

    async def test_a_mistake_of_ours(self) -> None:
        """It is no outage; the connection is ended, and `enter` makes another one."""
        looking = await self.entered()
        self.write("ALTER TABLE events DROP COLUMN rung")
        with self.assertRaises(mariadb.MariaDB.errors):
            await looking.look(0, NO_RUNS, 9)
        self.assertTrue(await looking.enter())

    async def test_a_look_that_nobody_waits_for(self) -> None:
        """Its answer goes nowhere, and the next look is as ever."""
        looking = await self.entered()
        given_up = looking.look(0, NO_RUNS, 9)
        given_up.addErrback(lambda failure: failure.trap(Exception))
        given_up.cancel()
        self.assertEqual(await self.look(looking), [])


class MariaDBRungTests(Locked, TestCase):
    """MariaDB."""


class MySQLRungTests(MySQL, Locked, TestCase):
    """Oracle's MySQL."""
