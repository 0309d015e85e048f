"""The store and the net while their MariaDB is absent, killed or frozen, and when it comes back."""

import functools
import time

from twisted.trial.unittest import TestCase

from feedd.core.counters import Counters
from feedd.core.event import Event
from feedd.core.recent import RecentLog
from feedd.feed.ports import Unavailable
from feedd.log.tail import Tail
from feedd.store.sql import SQLStore
from tests.contracts.store import together
from tests.live import servers
from tests.live.mariadb import MariaDB
from tests.unit.tail import FakeOwner


@functools.cache
def private_server() -> servers.MariaDB:
    """One for all these tests; it ends with this process."""
    return servers.MariaDB().start()


class FaultTests(MariaDB, TestCase):
    """On a server of our own, which each test finds running."""

    @property
    def server(self) -> servers.MariaDB:
        """The server that these tests may maltreat."""
        return private_server()

    def new_url(self) -> str:
        return self.server.database()

    async def make_store(self) -> SQLStore:
        self.url = self.new_url()
        return await self.reached(query_seconds=1.0, threads=4)

    async def test_absent_at_the_start(self) -> None:
        """The first calls say so at once; when it comes, the store comes up."""
        store = self.started()
        self.server.stop()
        for _ in range(2):
            begun = time.monotonic()
            error = await self.refused(Unavailable, store.prepare())
            self.assertIn("Connection refused", error.why)
            self.assertLess(time.monotonic() - begun, 1.0)
        self.server.start()
        await store.prepare()
        self.assertTrue((await store.add_post("ann", b"1", None)).fresh)

    async def test_frozen_at_the_start(self) -> None:
        """
        A server that takes the connection and says nothing: that is said in time, each time, and
        stopping does not wait.
        """
        store = self.started(query_seconds=0.5)
        self.server.pause()
        try:
            for _ in range(2):
                begun = time.monotonic()
                await self.refused(Unavailable, store.prepare())
                self.assertLess(time.monotonic() - begun, 2.0)
            (preparing,) = together([store.prepare()])
            preparing.addErrback(lambda failure: None)
            begun = time.monotonic()
            await store.stopService()
            self.assertLess(time.monotonic() - begun, 0.3)
        finally:
            self.server.resume()
        await self.pause(1.0)

    async def test_killed_and_back(self) -> None:
        """Meanwhile every call says so; afterwards all goes on, with what was stored before."""
        (before,) = await self.posted("ann")
        self.server.kill()
        for _ in range(6):
            await self.refused(Unavailable, self.store.add_post("ann", b"1", None))
            await self.refused(Unavailable, self.store.page(["ann"], None, 1, 0))
        self.server.start()
        calls = together([self.store.add_post("ann", b"1", None) for _ in range(6)])
        stored = [await call for call in calls]
        self.assertEqual(len(await self.store.ids_after(before.event.id, 10)), len(stored))

    async def test_frozen_and_back(self) -> None:
        """
        Meanwhile every call says so within its time; what was refused is not stored when the server
        goes on.
        """
        (before,) = await self.posted("ann")
        self.server.pause()
        begun = time.monotonic()
        try:
            writing = together(
                [self.store.add_post("ann", b"1", f"key{number}") for number in range(8)]
            )
            reading = together([self.store.ping() for _ in range(8)])
            for call in (*writing, *reading):
                await self.refused(Unavailable, call)
            self.assertLess(time.monotonic() - begun, 3.0)
        finally:
            self.server.resume()
        await self.pause(2.0)  # the threads that hung are free again
        self.assertEqual(await self.store.ids_after(0, 10), [before.event.id])
        self.assertTrue((await self.store.add_post("ann", b"1", "key0")).fresh)

    async def test_the_net_holds(self) -> None:
        """
        What a site inserted is offered once, across a crash of the server; the trouble is known
        meanwhile.
        """
        from twisted.internet import reactor

        offered: list[Event] = []
        log = RecentLog(offered.append, 100, 0.0, Counters())
        owner = FakeOwner()
        owner.away = True
        tail = Tail(reactor, time.monotonic, self.store, log, 0.2, owner, Counters())
        opening = await self.store.open(1)
        log.fill(opening.epoch, opening.settled, opening.events)
        tail.startService()
        self.addCleanup(tail.stopService)
        insert = "INSERT INTO events (kind, author, payload) VALUES ('post', 'ann', ?)"
        self.write(insert, ("1",))
        await self.pause(0.5)
        self.assertEqual(([event.id for event in offered], tail.trouble), ([1], ""))
        self.server.kill()
        await self.pause(0.3)
        self.assertTrue(tail.trouble)
        self.server.start()
        self.write(insert, ("2",))
        self.write(insert, ("{half",))
        self.write(insert, ("4",))
        await self.pause(0.5)
        self.assertEqual(([event.id for event in offered], tail.trouble), ([1, 2, 4], ""))
        await tail.stopService()
        self.assertEqual((await self.store.open(1)).settled, 4)
