"""Friend lists in real memcached servers, one of which is killed, frozen, and comes back."""

import itertools
import json
import os
import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from feedd.cache.friends import CachedFriends
from feedd.cache.ring import HashRing, checked_key, make_hash_ring
from feedd.core.counters import Counters
from feedd.feed.ports import Friends
from feedd.feed.settings import Cache
from tests.contracts.friends import FriendsContract, Loader, start
from tests.live import servers

WAIT_SECONDS = 15.0


def plain(port: int, command: bytes) -> bytes:
    """What a client of a few lines hears after `command`."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(command + b"\r\nquit\r\n")
        return b"".join(iter(lambda: connection.recv(65_536), b""))


class LiveCase(TestCase):
    """Processes over real servers."""

    timeout = 60
    numbers = itertools.count()

    def setUp(self) -> None:
        self.counters = Counters()
        self.load = Loader()
        # The servers are shared with other tests: every test has keys of its own.
        self.prefix = f"{os.getpid()}-{next(self.numbers)}-{os.urandom(4).hex()}:"

    def process(self, *ports: int, load: Loader | None = None) -> tuple[HashRing, CachedFriends]:
        """The ring and the friend lists of a process of their own."""
        url = "memcached://" + ",".join(f"127.0.0.1:{port}" for port in ports)
        settings = Cache(url=url, friends_key=self.prefix + "{user}", timeout_seconds=0.5)
        ring = make_hash_ring(reactor, settings, self.counters)
        ring.startService()
        self.addCleanup(ring.stopService)
        return ring, CachedFriends(
            ring,
            load or self.load,
            settings,
            self.counters,
            lambda: os.urandom(8).hex().encode(),
            reactor,
        )

    def key(self, viewer: str) -> bytes:
        return checked_key(self.prefix + viewer)

    async def until(self, true: Callable[[], bool]) -> None:
        for _ in range(int(WAIT_SECONDS / 0.02)):
            if true():
                return
            await deferLater(reactor, 0.02)
        raise AssertionError("it took too long")


class MemcachedContract(FriendsContract, LiveCase):
    """The contract, over a real memcached."""

    def drive(self, test: Coroutine[Deferred[Any], Any, None]) -> Deferred[None]:
        return Deferred.fromCoroutine(test)

    async def friends(self, load: Loader) -> Friends:
        ring, friends = self.process(servers.memcached().port, load=load)
        await self.until(lambda: ring.up)
        return friends


class Shared(LiveCase):
    """Two processes, one server."""

    async def two(self) -> tuple[CachedFriends, CachedFriends]:
        made = [self.process(servers.memcached().port) for _ in range(2)]
        await self.until(lambda: all(ring.up for ring, _ in made))
        return made[0][1], made[1][1]

    async def test_json(self) -> None:
        """What one process fills is JSON to a plain client, and a hit in the other process."""
        first, second = await self.two()
        self.load.lists["ann"] = ("bob", "cid")
        await first.of("ann")
        answer = plain(servers.memcached().port, b"get " + self.key("ann"))
        self.assertEqual(json.loads(answer.split(b"\r\n")[1]), ["bob", "cid"])
        self.assertEqual(await second.of("ann"), ("bob", "cid"))
        self.assertEqual(self.load.calls, ["ann"])

    async def test_of_the_site(self) -> None:
        """What a plain client writes is read."""
        first, _ = await self.two()
        plain(servers.memcached().port, b'set %s 0 60 14\r\n["cid", "bob"]' % self.key("ann"))
        self.assertEqual(await first.of("ann"), ("bob", "cid"))
        self.assertEqual(self.load.calls, [])

    async def test_race(self) -> None:
        """A list read before a change is not put back after it."""
        first, second = await self.two()
        started, go_on = self.load.hold()
        early = start(first, "ann")
        await started
        self.load.lists["ann"] = ("bob",)
        await second.forget(["ann"])
        go_on.callback(None)
        self.assertEqual(await early, ())
        self.assertEqual([await second.of("ann"), await first.of("ann")], [("bob",), ("bob",)])
        self.assertEqual(self.counters["cache_leases_lost"], 1)

    async def test_second_reader_does_not_fill(self) -> None:
        """
        A lease that was lost to a change, and taken by a later reader, is filled by the later one
        only.
        """
        first, second = await self.two()
        started, go_on = self.load.hold()
        early = start(first, "ann")
        await started
        self.load.lists["ann"] = ("bob",)
        await second.forget(["ann"])
        started_too, go_on_too = self.load.hold()
        late = start(second, "ann")
        await started_too
        go_on.callback(None)
        await early
        self.assertIn(b"lease:", plain(servers.memcached().port, b"get " + self.key("ann")))
        go_on_too.callback(None)
        await late
        self.assertIn(b'["bob"]', plain(servers.memcached().port, b"get " + self.key("ann")))

    async def test_unreadable(self) -> None:
        """A value that is no list is written over."""
        first, _ = await self.two()
        plain(servers.memcached().port, b"set %s 0 60 5\r\na:0:{" % self.key("ann"))
        self.assertEqual(await first.of("ann"), ())
        self.assertIn(b"[]", plain(servers.memcached().port, b"get " + self.key("ann")))


class Faults(LiveCase):
    """Two servers of our own, one of which fails."""

    def setUp(self) -> None:
        super().setUp()
        self.servers = servers.Memcached().start(), servers.Memcached().start()
        for server in self.servers:
            self.addCleanup(server.kill)
        self.ring, self.friends = self.process(*(server.port for server in self.servers))
        sick = f"127.0.0.1:{self.servers[0].port}"
        viewers = [f"v{number}" for number in range(60)]
        self.on_sick = [
            viewer for viewer in viewers if self.ring.server_of(self.key(viewer)).address == sick
        ]
        self.on_well = [viewer for viewer in viewers if viewer not in self.on_sick]

    async def seconds(self, work: Awaitable[Any]) -> float:
        begun: float = reactor.seconds()
        await work
        return float(reactor.seconds() - begun)

    async def ask(self, viewers: list[str]) -> int:
        """Ask for all; how many loads it took."""
        before = len(self.load.calls)
        for viewer in viewers:
            self.assertEqual(await self.friends.of(viewer), self.load.lists.get(viewer, ()))
        return len(self.load.calls) - before

    async def test_spread(self) -> None:
        """Both servers hold lists, each its own."""
        await self.until(lambda: self.ring.up)
        await self.ask(self.on_sick + self.on_well)
        for server, viewers in zip(self.servers, (self.on_sick, self.on_well), strict=True):
            self.assertTrue(viewers)
            for viewer in viewers:
                self.assertIn(b"[]", plain(server.port, b"get " + self.key(viewer)))
            self.assertIn(b"STAT curr_items %d\r\n" % len(viewers), plain(server.port, b"stats"))

    async def test_killed(self) -> None:
        """
        The dead server's keys are misses at once and nobody else's; it is used again when it is
        back.
        """
        await self.until(lambda: self.ring.up)
        await self.ask(self.on_sick + self.on_well)
        self.servers[0].kill()
        await self.until(lambda: not self.ring.up)
        self.assertEqual(self.ring.trouble, f"memcached 127.0.0.1:{self.servers[0].port} away")
        self.assertTrue(await self.seconds(self.ask(self.on_sick)) < 0.4)
        self.assertEqual(
            (await self.ask(self.on_sick), await self.ask(self.on_well)), (len(self.on_sick), 0)
        )
        self.servers[0].start()
        await self.until(lambda: self.ring.up)
        self.assertEqual(
            (await self.ask(self.on_sick), await self.ask(self.on_sick)), (len(self.on_sick), 0)
        )

    async def test_frozen(self) -> None:
        """
        A frozen server costs the time limit once; a change made meanwhile is not lost when it
        thaws.
        """
        await self.until(lambda: self.ring.up)
        await self.ask(self.on_sick)
        changed = self.on_sick[0]
        self.servers[0].pause()
        self.assertTrue(0.4 < await self.seconds(self.ask(self.on_sick)) < 2)
        self.assertEqual(self.ring.up, False)
        self.load.lists[changed] = ("bob",)
        self.assertTrue(await self.seconds(self.friends.forget([changed])) < 0.4)
        self.assertTrue(await self.seconds(self.ask(self.on_sick)) < 0.4)
        self.servers[0].resume()
        deletions = self.ring.server_of(self.key(changed))._deletions
        await self.until(
            lambda: self.ring.up and not deletions
        )  # what is being deleted is neither read nor filled
        self.assertEqual(await self.ask(self.on_sick), 1)
        self.assertEqual(await self.ask(self.on_sick), 0)
        self.assertNotIn(b"[]", plain(self.servers[0].port, b"get " + self.key(changed)))

    async def test_absent_at_start(self) -> None:
        """Without any server the database answers; the service starts and stops."""
        for server in self.servers:
            server.kill()
        _, friends = self.process(*(server.port for server in self.servers))
        self.load.lists["ann"] = ("bob",)
        self.assertEqual([await friends.of("ann"), await friends.of("ann")], [("bob",), ("bob",)])
        await friends.forget(["ann"])
