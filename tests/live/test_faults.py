"""
A process dies, a client vanishes, memcached hangs, nothing is there at the start: what the others
notice of it.
"""

import socket
import struct
import time

from twisted.internet.threads import deferToThread

from tests.live import servers
from tests.live.harmed import HarmedCase, eventually, texts


class ProcessTests(HarmedCase):
    """Two processes, one of which is killed."""

    async def test_killed_with_parked_polls(self) -> None:
        """
        The same cursor at the other process brings what was said before, during and after; nothing
        comes twice.
        """
        await self.alice.post("before")
        self.assertEqual(texts(await self.bob.poll()), ["before"])
        parked = await self.park(self.bob)
        await deferToThread(self.feedds[1].kill)
        await self.assertFailure(parked, Exception)
        await self.alice.post("meanwhile")
        self.bob.url = self.feedds[0].url
        self.assertEqual(texts(await self.bob.poll()), ["meanwhile"])
        parked = await self.park(self.bob)
        await self.alice.post("after")
        self.assertEqual(texts(await parked), ["after"])

    async def test_restarted(self) -> None:
        """
        A process that has just been started knows where a viewer stands who comes from the other
        one.
        """
        await self.alice.post("one")
        self.assertEqual(texts(await self.bob.poll()), ["one"])
        await deferToThread(self.feedds[1].kill)
        await self.alice.post("two")
        await deferToThread(self.feedds[1].start)
        await self.until_ready(self.bob)
        self.assertEqual(texts(await self.bob.poll()), ["two"])
        self.assertEqual((await self.bob.poll(wait=0))["events"], [])


class VanishedTests(HarmedCase):
    """Clients that go without a word."""

    processes = 1

    async def test_reset(self) -> None:
        """
        Polls whose connections were reset are forgotten at once, their subscriptions when the time
        to linger is over.
        """
        connections = [self.connect() for _ in range(10)]

        async def polls(number: int) -> bool:
            return bool((await self.alice.status()).json["polls"] == number)

        await eventually(lambda: polls(10), "ten polls are parked")
        for connection in connections:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        await eventually(lambda: polls(0), "the polls are gone", 1.0)

        async def nothing_left() -> bool:
            return bool((await self.alice.status()).json["subscriptions"] == 0)

        await eventually(nothing_left, "the subscriptions are gone", 4.0)

    def connect(self) -> socket.socket:
        """Bob, polling over a connection of his own."""
        connection = socket.create_connection((servers.HOST, self.feedds[0].port))
        self.addCleanup(connection.close)
        connection.sendall(
            f"GET /feed/poll?as=bob&cursor={self.bob.cursor} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        )
        return connection


class CacheTests(HarmedCase):
    """A memcached that hangs."""

    processes = 1

    async def test_frozen(self) -> None:
        """
        Friend lists come from the database, polls and changes of friends go on; /status names it;
        it heals.
        """
        self.proxies["memcached"].freeze()
        began = time.monotonic()
        self.assertEqual((await self.alice.ask("GET", "/feed/friends")).json["friends"], ["bob"])
        await self.alice.befriend("carol")
        self.assertEqual(
            (await self.alice.ask("GET", "/feed/friends")).json["friends"], ["bob", "carol"]
        )
        self.assertEqual([event["kind"] for event in (await self.bob.poll())["events"]], ["friend"])
        parked = await self.park(self.bob)
        await self.alice.post("uncached")
        self.assertEqual(texts(await parked), ["uncached"])
        self.assertLess(time.monotonic() - began, 3.0)
        await self.until_away(self.alice, "cache")
        self.proxies["memcached"].heal()
        await self.until_ready(self.alice)
        self.assertEqual(
            (await self.alice.ask("GET", "/feed/friends")).json["friends"], ["bob", "carol"]
        )


class AbsentTests(HarmedCase):
    """No server is there when the process starts."""

    processes = 1

    async def prepare(self) -> None:
        for proxy in self.proxies.values():
            await proxy.cut()

    async def ready(self) -> None:
        """It is not."""

    async def test_absent_at_the_start(self) -> None:
        """
        The process starts all the same, names each part, refuses in time, and recovers by itself as
        they come.
        """
        for part in ("broker", "database", "cache"):
            await self.until_away(self.alice, part)
        for path in ("/feed/init", "/feed/poll", "/feed/friends"):
            reply = await self.alice.ask("GET", path)
            self.assertEqual(reply.status, 503, path)
            self.assertTrue(reply.headers.getRawHeaders("Retry-After"), path)
        self.assertEqual((await self.try_to_post("too early"))[0], 503)
        for proxy in self.proxies.values():
            proxy.heal()
        await self.until_ready(self.alice)
        await self.alice.befriend("bob")
        await self.bob.init()
        parked = await self.park(self.bob)
        await self.alice.post("all there")
        self.assertEqual(texts(await parked), ["all there"])
