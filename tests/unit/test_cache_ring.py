"""Several memcached servers as one: addresses, keys, and what lives where."""

import hashlib
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from feedd.cache.ring import HashRing, addresses_in, checked_key, make_hash_ring, node_name
from feedd.cache.server import MemcachedServer
from feedd.core.counters import Counters
from feedd.feed.settings import Cache
from feedd.reactor.link import Host
from tests.unit.fake_memcached import FakeMemcached


class Keys(SynchronousTestCase):
    """What may be sent as a key."""

    def test_plain(self) -> None:
        """What memcached allows is the key itself, so that the site finds it."""
        for text in ("feedd:friends:ann", "!~", "x" * 250):
            self.assertEqual(checked_key(text), text.encode())

    def test_hashed(self) -> None:
        """Anything else is a hash of it."""
        for text in ("", "a b", "a\r\nflush_all", "a\n", "x" * 251, "é", "\x7f", "\ud800"):
            expected = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
            self.assertEqual(checked_key(text), b"feedd:" + expected.encode())

    @given(st.text())
    def test_always_one_word(self, text: str) -> None:
        """Whatever the text, the key is one word of the protocol."""
        self.assertRegex(checked_key(text), rb"\A[\x21-\x7e]{1,250}\Z")


class Places(SynchronousTestCase):
    """The URL."""

    def test_several(self) -> None:
        """Servers are separated by commas; the port may be left out."""
        url = "memcached://127.0.0.1:11212,cache-1.example.org,[::1]:11213,[fe80::1]/"
        places = [
            ("127.0.0.1", 11212),
            ("cache-1.example.org", 11211),
            ("::1", 11213),
            ("fe80::1", 11211),
        ]
        self.assertEqual(addresses_in(url), places)

    def test_wrong(self) -> None:
        """What is no list of servers is refused, and the sentence says which part."""
        for url, part in [
            ("redis://h", "memcached://"),
            ("memcached:h", "memcached://"),
            ("memcached://", "''"),
            ("memcached://a,,b", "''"),
            ("memcached://a:0", "'a:0'"),
            ("memcached://a:65536", "'a:65536'"),
            ("memcached://a:x", "'a:x'"),
            ("memcached://user:secret@a", "'user:secret@a'"),
            ("memcached://a b", "'a b'"),
            ("memcached://a,a:11211", "twice"),
        ]:
            self.assertIn(part, str(self.assertRaises(ValueError, addresses_in, url)))

    def test_connects(self) -> None:
        """Each server gets its number of connections, and a time limit."""
        reactor = MemoryReactorClock()
        settings = Cache(
            url="memcached://127.0.0.1:11211,127.0.0.1:11212", connections=2, timeout_seconds=0.5
        )
        ring = make_hash_ring(reactor, settings, Counters())
        ring.startService()
        reactor.advance(0)
        self.assertEqual(Counter(client[1] for client in reactor.tcpClients), {11211: 2, 11212: 2})
        self.assertEqual({client[3] for client in reactor.tcpClients}, {0.5})
        ring.stopService()
        self.assertEqual(reactor.getDelayedCalls(), [])


class Spread(SynchronousTestCase):
    """Which server has which key."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.memcached = {
            node_name("10.0.0.1", port): FakeMemcached(self.clock) for port in (11211, 11212, 11213)
        }
        self.ring = self.made_ring(list(self.memcached))
        self.keys = [checked_key(f"feedd:friends:{number}") for number in range(3000)]

    def made_ring(self, names: list[str]) -> HashRing:
        counters = Counters()
        return HashRing(
            [
                MemcachedServer(Host(name, self.memcached[name]), self.clock, Cache(), counters)
                for name in names
            ]
        )

    def started(self) -> None:
        self.ring.startService()
        self.clock.advance(0)

    def test_even(self) -> None:
        """Every server has about its share."""
        shares = Counter(self.ring.server_of(key).address for key in self.keys)
        self.assertEqual(len(shares), 3)
        self.assertTrue(all(600 < share < 1400 for share in shares.values()), shares)

    def test_consistent(self) -> None:
        """Without one server only its keys move."""
        fewer = self.made_ring(["10.0.0.1", "10.0.0.1:11213"])
        for key in self.keys:
            address = self.ring.server_of(key).address
            if address != "10.0.0.1:11212":
                self.assertEqual(fewer.server_of(key).address, address)

    def test_ketama(self) -> None:
        """
        The ring is libmemcached's weighted ketama, computed here from its source (hosts.cc) a
        second time.
        """
        points = []
        for name in self.memcached:
            for number in range(40):
                digest = hashlib.md5(f"{name}-{number}".encode()).digest()
                points += [
                    (int.from_bytes(digest[part : part + 4], "little"), name)
                    for part in (0, 4, 8, 12)
                ]
        points.sort()
        for key in self.keys[:300]:
            place = int.from_bytes(hashlib.md5(key).digest()[:4], "little")
            expected = next((name for point, name in points if point >= place), points[0][1])
            self.assertEqual(self.ring.server_of(key).address, expected)

    def test_away_is_no_remap(self) -> None:
        """The keys of a server that is away are asked of nobody else."""
        self.memcached["10.0.0.1:11212"].up = False
        self.started()
        self.assertEqual(
            (self.ring.up, self.ring.trouble), (False, "memcached 10.0.0.1:11212 away")
        )
        for key in self.keys[:100]:
            asked = Deferred.fromCoroutine(self.ring.read(key))
            self.clock.advance(0)
            away = self.ring.server_of(key).address == "10.0.0.1:11212"
            self.assertEqual(self.successResultOf(asked) is None, away)

    def test_trouble(self) -> None:
        """All there: no trouble. All away: all are named."""
        self.assertEqual(
            self.ring.trouble, "memcached 10.0.0.1, 10.0.0.1:11212, 10.0.0.1:11213 away"
        )
        self.started()
        self.assertEqual((self.ring.up, self.ring.trouble), (True, ""))

    def test_forget(self) -> None:
        """
        Every key is deleted where it lives; a server that is away holds up none of the others.
        """
        self.memcached["10.0.0.1"].up = False
        self.started()
        for key in self.keys:
            self.memcached[self.ring.server_of(key).address].put(key, b"[]")
        forgotten = Deferred.fromCoroutine(self.ring.forget(self.keys))
        self.clock.advance(0)
        self.successResultOf(forgotten)
        left = {name: len(memcached.items) for name, memcached in self.memcached.items()}
        self.assertEqual((left["10.0.0.1:11212"], left["10.0.0.1:11213"]), (0, 0))
        self.assertTrue(left["10.0.0.1"] > 0)
