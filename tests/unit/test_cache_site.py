"""Friend lists that the site writes into memcached: read, and never touched."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from feedd.cache.ring import HashRing
from feedd.cache.server import MemcachedServer
from feedd.cache.site import SiteFriends
from feedd.core.counters import Counters
from feedd.feed.ports import Unavailable
from feedd.feed.settings import Cache
from feedd.reactor.link import Host
from tests.contracts.friends import Loader, start
from tests.unit.fake_memcached import FakeMemcached

KEY = b"friends_ann"
PHP = Cache(friends_key="friends_{user}", friends_format="php", friends_writer="site")


class SiteCase(SynchronousTestCase):
    """One memcached in memory and one process."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.memcached = FakeMemcached(self.clock)
        self.counters = Counters()
        self.load = Loader()
        ring = HashRing(
            [MemcachedServer(Host("one", self.memcached), self.clock, PHP, self.counters)]
        )
        ring.startService()
        self.addCleanup(ring.stopService)
        self.clock.advance(0)
        self.friends = SiteFriends(ring, self.load, PHP, self.counters, self.clock)

    def of(self, viewer: str) -> tuple[str, ...]:
        asked = start(self.friends, viewer)
        self.clock.advance(0)
        friends: tuple[str, ...] = self.successResultOf(asked)
        return friends

    def asked(self) -> set[bytes]:
        """The commands that the server has heard, after the greeting."""
        return {command.split()[0] for command in self.memcached.heard} - {b"version"}


class Lists(SiteCase):
    """What is there, and what is not."""

    def test_hit(self) -> None:
        """A list of the site is read in its format, in order and without the viewer."""
        self.memcached.put(KEY, b'a:3:{i:0;s:3:"cid";i:1;s:3:"ann";i:2;i:17;}')
        self.memcached.flags[KEY] = 4
        self.assertEqual(self.of("ann"), ("17", "cid"))
        self.assertEqual((self.load.calls, self.counters["cache_hits"]), ([], 1))

    def test_miss(self) -> None:
        """A list that is missing comes from the database each time; nothing is put there."""
        self.load.lists["ann"] = ("bob",)
        self.assertEqual([self.of("ann"), self.of("ann")], [("bob",), ("bob",)])
        self.assertEqual(self.load.calls, ["ann", "ann"])
        self.assertEqual((self.asked(), self.memcached.items), ({b"gets"}, {}))

    def test_unreadable(self) -> None:
        """A value that is no list stays as it is; the database answers, and it is counted."""
        self.load.lists["ann"] = ("bob",)
        for value, flags, counter in (
            (b'["cid"]', 0, "cache_unreadable"),
            (b"\x14\0\0\0xyz", 0x54, "cache_compressed"),
            (b"x" * 1_000_001, 0, "cache_too_large"),
        ):
            self.memcached.put(KEY, value)
            self.memcached.flags[KEY] = flags
            self.assertEqual(self.of("ann"), ("bob",))
            self.assertEqual(self.memcached.value(KEY), value)
            self.assertEqual((counter, self.counters[counter]), (counter, 1))
        self.assertEqual(self.asked(), {b"gets"})

    def test_left_out(self) -> None:
        """Names that are no users are left out, and counted."""
        self.memcached.put(KEY, b'a:2:{i:0;s:3:"cid";i:1;s:3:"b b";}')
        self.assertEqual(self.of("ann"), ("cid",))
        self.assertEqual(self.counters["cache_names_left_out"], 1)

    def test_away(self) -> None:
        """Without a server it is the database; what that raises is raised."""
        self.memcached.kill()
        self.assertEqual(self.friends.trouble, "memcached one away")
        self.assertFalse(self.friends.up)
        self.load.lists["ann"] = ("bob",)
        self.assertEqual(self.of("ann"), ("bob",))
        self.load.error = Unavailable("database", "away")
        asked = start(self.friends, "ann")
        self.clock.advance(0)
        self.failureResultOf(asked, Unavailable)


class Changes(SiteCase):
    """What feedd is told of."""

    def test_deletes_nothing(self) -> None:
        """A change leaves the site's list where it is."""
        self.memcached.put(KEY, b"a:0:{}")
        self.successResultOf(self.forgotten())
        self.assertEqual((self.of("ann"), self.memcached.value(KEY)), ((), b"a:0:{}"))
        self.assertEqual(self.asked(), {b"gets"})

    def test_during_a_load(self) -> None:
        """Who asks after a change does not get what a load read before it."""
        started, go_on = self.load.hold()
        early = start(self.friends, "ann")
        self.clock.advance(0)
        self.successResultOf(started)
        self.load.lists["ann"] = ("bob",)
        self.successResultOf(self.forgotten())
        self.assertEqual(self.of("ann"), ("bob",))
        go_on.callback(None)
        self.assertEqual(self.successResultOf(early), ())

    def forgotten(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.friends.forget(["ann", "ann"]))
