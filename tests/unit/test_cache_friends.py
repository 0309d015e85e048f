"""Friend lists in memcached: what is in the cache, and who may put it there."""

import itertools
from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from feedd.cache.friends import LEASE_SECONDS, CachedFriends
from feedd.cache.ring import HashRing
from feedd.cache.server import MemcachedServer
from feedd.core.counters import Counters
from feedd.feed.ports import Friends
from feedd.feed.settings import Cache
from feedd.reactor.link import Host
from tests.contracts.friends import FriendsContract, Loader, start
from tests.unit.fake_memcached import FakeMemcached

KEY = b"feedd:friends:ann"


class NaiveFriends:
    """A cache as one writes it first: get, load, set; delete on a change."""

    def __init__(self, memcached: FakeMemcached, load: Loader) -> None:
        self.memcached = memcached
        self.load = load

    async def of(self, viewer: str) -> tuple[str, ...]:
        key = b"feedd:friends:" + viewer.encode()
        found = self.memcached.value(key)
        if found is not None:
            return tuple(found.decode().split())
        friends = (await self.load([viewer]))[viewer]
        self.memcached.put(key, " ".join(friends).encode(), 300)
        return friends

    async def forget(self, viewers: list[str]) -> None:
        for viewer in viewers:
            self.memcached.items.pop(b"feedd:friends:" + viewer.encode(), None)


class CachedCase(SynchronousTestCase):
    """One memcached in memory, any number of processes."""

    tokens = itertools.count()

    def setUp(self) -> None:
        self.clock = Clock()
        self.memcached = FakeMemcached(self.clock)
        self.counters = Counters()
        self.load = Loader()

    def process(self, load: Loader, settings: Cache = Cache()) -> CachedFriends:  # noqa: B008
        """Friend lists as in a process of their own."""
        ring = HashRing(
            [MemcachedServer(Host("one", self.memcached), self.clock, settings, self.counters)]
        )
        ring.startService()
        self.addCleanup(self.end, ring)
        self.clock.advance(0)
        return CachedFriends(
            ring, load, settings, self.counters, lambda: b"%d" % next(self.tokens), self.clock
        )

    def end(self, ring: HashRing) -> None:
        self.successResultOf(ring.stopService())
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def drive(self, test: Coroutine[Deferred[Any], Any, Any]) -> Any:
        done = Deferred.fromCoroutine(test)
        self.clock.advance(0)
        return self.successResultOf(done)


class CachedContract(FriendsContract, CachedCase):
    """The contract, over `CachedFriends` and a memcached in memory."""

    async def friends(self, load: Loader) -> Friends:
        return self.process(load)


class Race(CachedCase):
    """Two processes: one reads, a friendship changes through the other one, the first one fills."""

    async def race(self, reader: Any, changer: Any) -> tuple[str, ...]:
        started, go_on = self.load.hold()
        early = start(reader, "ann")
        await started
        self.load.lists["ann"] = ("bob",)
        await changer.forget(["ann"])
        go_on.callback(None)
        await early
        answer: tuple[str, ...] = await changer.of("ann")
        return answer

    def test_naive(self) -> None:
        """
        Without a lease the fill puts the old list back: this is what the next test must be able to
        see.
        """
        first, second = (
            NaiveFriends(self.memcached, self.load),
            NaiveFriends(self.memcached, self.load),
        )
        self.assertEqual(self.drive(self.race(first, second)), ())

    def test_lease(self) -> None:
        """With a lease it does not; the fill is given up."""
        first, second = self.process(self.load), self.process(self.load)
        self.assertEqual(self.drive(self.race(first, second)), ("bob",))
        self.assertEqual(self.counters["cache_leases_lost"], 1)
        self.assertEqual(self.memcached.value(KEY), b'["bob"]')

    def test_forgotten(self) -> None:
        """A list that was read before a change of which this process knows is not even offered."""
        friends = self.process(self.load)
        started, go_on = self.load.hold()
        asker = start(friends, "ann")
        self.clock.advance(0)
        self.successResultOf(started)
        self.drive(friends.forget(["ann"]))
        go_on.callback(None)
        self.clock.advance(0)
        self.successResultOf(asker)
        self.assertNotIn(b"cas " + KEY, self.memcached.heard)

    def test_lease_of_another(self) -> None:
        """
        A reader who finds another's lease asks the database and fills nothing, also when the lease
        is over by then.
        """
        first, second = self.process(self.load), self.process(self.load)
        (started, go_on), (started_too, go_on_too) = self.load.hold(), self.load.hold()
        early = start(first, "ann")
        self.clock.advance(0)
        self.successResultOf(started)
        late = start(second, "ann")
        self.clock.advance(0)
        self.successResultOf(started_too)
        self.clock.advance(LEASE_SECONDS)
        go_on_too.callback(None)
        go_on.callback(None)
        self.clock.advance(0)
        self.assertEqual([self.successResultOf(early), self.successResultOf(late)], [(), ()])
        self.assertEqual(self.memcached.value(KEY), None)

    def test_lease_ends(self) -> None:
        """A lease that a crash left behind keeps nobody from filling for longer than its time."""
        self.memcached.put(KEY, b"lease:crashed", LEASE_SECONDS)
        friends = self.process(self.load)
        self.drive(friends.of("ann"))
        self.assertEqual(self.memcached.value(KEY), b"lease:crashed")
        self.clock.advance(LEASE_SECONDS)
        self.drive(friends.of("ann"))
        self.assertEqual(self.memcached.value(KEY), b"[]")

    def test_restarted_server(self) -> None:
        """
        A lease from before the server's restart fills nothing, although the numbers of values start
        anew.
        """
        friends = self.process(self.load)
        started, go_on = self.load.hold()
        asker = start(friends, "ann")
        self.clock.advance(0)
        self.successResultOf(started)
        self.memcached.kill()
        self.memcached.up = True
        self.clock.advance(10)
        self.memcached.put(KEY, b'["bob"]')
        go_on.callback(None)
        self.assertEqual(self.successResultOf(asker), ())
        self.assertEqual(self.memcached.value(KEY), b'["bob"]')


class Status(CachedCase):
    """What /status is told."""

    def test_trouble(self) -> None:
        """A server that is away is named."""
        friends = self.process(self.load)
        self.assertEqual((friends.up, friends.trouble), (True, ""))
        self.memcached.kill()
        self.assertEqual((friends.up, friends.trouble), (False, "memcached one away"))


class Values(CachedCase):
    """What stands in the cache."""

    def test_json(self) -> None:
        """A list is a JSON array of users, for `friends_seconds`."""
        self.load.lists["ann"] = ("bob", "cid")
        self.drive(self.process(self.load).of("ann"))
        self.clock.advance(299)
        self.assertEqual(self.memcached.value(KEY), b'["bob","cid"]')
        self.clock.advance(1)
        self.assertEqual(self.memcached.value(KEY), None)

    def test_of_the_site(self) -> None:
        """A list that the site wrote is read, in order, once each and without the viewer."""
        self.memcached.put(KEY, b' [ "cid", "bob", "ann", "cid" ] ')
        self.assertEqual(self.drive(self.process(self.load).of("ann")), ("bob", "cid"))
        self.assertEqual(self.load.calls, [])

    def test_unreadable(self) -> None:
        """A value that is no list of users is a miss, counted, and written over."""
        self.load.lists["ann"] = ("bob",)
        friends = self.process(self.load)
        bad = [
            b"",
            b"[",
            b'a:1:{i:0;s:3:"bob";}',
            b'["bob", 7.5]',
            b'{"0": "bob"}',
            b'["b o b"]',
            b'["\xff"]',
            b'[""]',
            b"[" * 9999,
        ]
        for value in bad:
            self.memcached.put(KEY, value)
            self.assertEqual(self.drive(friends.of("ann")), ("bob",))
            self.assertEqual(self.memcached.value(KEY), b'["bob"]')
        self.assertEqual(self.counters["cache_unreadable"], len(bad))

    def test_too_large(self) -> None:
        """A list of over a megabyte is said and not cached, counted."""
        self.load.lists["ann"] = tuple(f"{number:064}" for number in range(15_000))
        self.assertEqual(len(self.drive(self.process(self.load).of("ann"))), 15_000)
        self.assertEqual(self.counters["cache_too_large"], 1)
        self.assertEqual(self.counters["cache_fills"], 0)

    def test_key(self) -> None:
        """`friends_key` says where; a key that memcached does not take is hashed, not sent."""
        cases = [
            ("f.{user}.{x}", b"f.ann.{x}"),
            ("a b\r\nflush_all {user}", b"feedd:"),
            ("é{user}", b"feedd:"),
        ]
        for template, expected in cases:
            self.memcached.heard.clear()
            self.drive(self.process(self.load, Cache(friends_key=template)).of("ann"))
            keys = {
                command.split()[1][: len(expected)]
                for command in self.memcached.heard
                if command != b"version"
            }
            self.assertEqual((template, keys), (template, {expected}))
