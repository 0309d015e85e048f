"""One memcached: what it is asked, when, and on which connection."""

from twisted.internet.defer import CancelledError, Deferred

from feedd.cache.connection import Item, LeaseRequest
from tests.unit.cache_server import ServerCase


class Asking(ServerCase):
    """Reads, leases, fills."""

    def test_read(self) -> None:
        """What is there comes with its number; nothing comes as None."""
        self.memcached.put(b"k", b"v")
        self.assertEqual(self.drive(self.server.read(b"k")), Item(b"v", b"1"))
        self.assertEqual(self.drive(self.server.read(b"x")), Item(None, b""))

    def test_lease_and_fill(self) -> None:
        """A lease is taken where nothing is, and filled once."""
        lease = self.lease(b"k")
        self.assertEqual(self.memcached.value(b"k"), b"mark")
        self.assertEqual(self.drive(self.server.fill_all({lease: b"v"}, 300)), 1)
        self.assertEqual(self.drive(self.server.fill_all({lease: b"w"}, 300)), 0)
        self.assertEqual(self.memcached.value(b"k"), b"v")

    def test_lease_taken(self) -> None:
        """
        There is no lease where somebody else was first, nor over a value that has changed
        meanwhile.
        """
        self.memcached.put(b"k", b"other")
        self.assertEqual([self.lease(b"k"), self.lease(b"k", over=b"99")], [None, None])
        self.assertEqual(self.memcached.value(b"k"), b"other")

    def test_lease_over(self) -> None:
        """A value that has not changed can be replaced by a lease."""
        self.memcached.put(b"k", b"garbage")
        self.assertEqual(self.lease(b"k", over=b"1").cas, b"2")

    def test_spread_over_connections(self) -> None:
        """Commands at the same time use all connections."""
        for number in range(4):
            Deferred.fromCoroutine(
                self.server.lease_all([LeaseRequest(b"k%d" % number, b"mark", b"")], 10)
            )
        greeting = 1
        self.assertEqual([each.heard - greeting for each in self.memcached.transports], [4, 4])
        self.clock.advance(0)

    def test_read_together(self) -> None:
        """
        What is asked in one turn is one command for each hundred keys, and everybody has their own
        answer.
        """
        keys = [b"k%d" % number for number in range(250)]
        for key in keys[::2]:
            self.memcached.put(key, b"of " + key)
        asked = [Deferred.fromCoroutine(self.server.read(key)) for key in [*keys, b"k0"]]
        self.assertNotIn(b"gets k0", self.memcached.heard)
        self.clock.advance(0)
        self.assertEqual(
            [words for words in self.memcached.heard if words != b"version"],
            [b"gets k0", b"gets k100", b"gets k200"],
        )
        found = [self.successResultOf(each).value for each in asked]
        self.assertEqual(
            found,
            [b"of " + key if number % 2 == 0 else None for number, key in enumerate(keys)]
            + [b"of k0"],
        )

    def test_too_many_reads(self) -> None:
        """Over the bound of keys that wait for their turn it is a miss at once, counted."""
        begun = [Deferred.fromCoroutine(self.server.read(b"k%d" % number)) for number in range(300)]
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(self.server.read(b"k"))), None)
        self.assertEqual(self.counters["cache_busy"], 1)
        self.clock.advance(0)
        self.assertEqual({self.successResultOf(each) for each in begun}, {Item(None, b"")})

    def test_busy(self) -> None:
        """Over the bound of outstanding commands it is a miss at once, counted."""
        requests = [LeaseRequest(b"k%d" % number, b"mark", b"") for number in range(19)]
        others = [request._replace(mark=b"other") for request in requests]
        begun = [
            Deferred.fromCoroutine(self.server.lease_all(some, 10)) for some in (requests, others)
        ]
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(self.server.read(b"k"))), None)
        self.assertEqual(
            self.successResultOf(Deferred.fromCoroutine(self.server.lease_all(requests, 10))), []
        )
        self.assertEqual(self.counters["cache_busy"], 2)
        self.clock.advance(0)
        self.assertEqual(sum(len(self.successResultOf(each)) for each in begun), 19)

    def test_many_leases(self) -> None:
        """
        They are taken and filled each for itself: one that another has, or that was deleted
        meanwhile, spoils no other.
        """
        self.memcached.put(b"k7", b"lease of another")
        requests = [LeaseRequest(b"k%d" % number, b"mark%d" % number, b"") for number in range(150)]
        leases = self.drive(self.server.lease_all(requests, 10))
        self.assertEqual(
            [lease.key for lease in leases],
            [request.key for request in requests if request.key != b"k7"],
        )
        self.assertEqual(sum(words.startswith(b"gets") for words in self.memcached.heard), 2)
        del self.memcached.items[b"k8"]
        self.assertEqual(
            self.drive(self.server.fill_all({lease: b"v" + lease.key for lease in leases}, 300)),
            148,
        )
        values = [self.memcached.value(request.key) for request in requests]
        self.assertEqual(values[6:10], [b"vk6", b"lease of another", None, b"vk9"])

    def test_cancelled(self) -> None:
        """An asker who goes away is told so, and the next answers still go to the right askers."""
        self.memcached.put(b"k", b"v")
        gone = [Deferred.fromCoroutine(self.server.read(b"x")) for _ in range(2)]
        stays = [Deferred.fromCoroutine(self.server.read(b"k")) for _ in range(2)]
        for each in gone:
            each.cancel()
            self.failureResultOf(each, CancelledError)
        self.clock.advance(0)
        self.assertEqual([self.successResultOf(each).value for each in stays], [b"v", b"v"])
