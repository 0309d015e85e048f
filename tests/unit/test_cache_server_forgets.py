"""One memcached that has to forget keys, also while it is away or hangs."""

from twisted.internet.defer import CancelledError, Deferred

from feedd.cache.connection import Item
from tests.unit.cache_server import ServerCase


class Forgetting(ServerCase):
    """Deletions, also those that cannot be made now."""

    def test_deletes(self) -> None:
        """When it returns, the keys are gone, however many."""
        keys = [b"k%d" % number for number in range(16)]
        for key in keys:
            self.memcached.put(key, b"[]")
        self.drive(self.server.forget(keys))
        self.assertEqual(self.memcached.items, {})
        self.assertEqual(self.drive(self.server.read(b"k1")), Item(None, b""))

    def test_pipelined_in_batches(self) -> None:
        """No more than a batch is under way at once."""
        forgotten = Deferred.fromCoroutine(
            self.server.forget([b"k%d" % number for number in range(20)])
        )
        self.assertEqual(self.memcached.heard.count(b"version"), 2)
        self.assertEqual(len(self.memcached.heard), 2 + 5)
        self.clock.advance(0)
        self.successResultOf(forgotten)
        self.assertEqual(len(self.memcached.heard), 22)

    def test_unread_meanwhile(self) -> None:
        """A key whose deletion is under way is not read; others are."""
        self.memcached.put(b"k", b"old")
        self.memcached.put(b"x", b"v")
        Deferred.fromCoroutine(self.server.forget([b"k"]))
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(self.server.read(b"k"))), None)
        self.assertEqual(self.drive(self.server.read(b"x")).value, b"v")

    def test_later_request(self) -> None:
        """The answer to an earlier deletion does not settle a later one of the same key."""
        self.memcached.hung = True
        first = Deferred.fromCoroutine(self.server.forget([b"k"]))
        second = Deferred.fromCoroutine(self.server.forget([b"k"]))
        self.memcached.hung = False
        transport = next(each for each in self.memcached.transports if each.unread)
        self.memcached.hear(transport, b"")
        self.memcached.hung = True
        self.clock.advance(0)
        self.successResultOf(first)
        self.assertNoResult(second)
        self.assertEqual(self.drive(self.server.read(b"k")), None)
        self.memcached.resume()
        self.clock.advance(0)
        self.successResultOf(second)
        self.assertEqual(self.drive(self.server.read(b"k")), Item(None, b""))

    def test_away(self) -> None:
        """
        With the server away it returns at once; the key is deleted when the server is back, before
        it is read.
        """
        self.memcached.up = False
        for transport in list(self.memcached.transports):
            transport.end(ConnectionError())
        self.memcached.put(b"k", b"old")
        self.successResultOf(Deferred.fromCoroutine(self.server.forget([b"k"])))
        self.memcached.up = True
        self.reconnect()
        self.assertEqual(self.memcached.value(b"k"), None)
        self.assertEqual(self.memcached.heard[-2:].count(b"delete k"), 1)
        self.assertEqual(self.drive(self.server.read(b"k")), Item(None, b""))

    def test_hung(self) -> None:
        """
        With the server hanging it returns after the time limit, counted, and the key is deleted
        later.
        """
        self.memcached.put(b"k", b"old")
        self.memcached.hung = True
        forgotten = self.begin(self.server.forget([b"k"]))
        self.clock.advance(1)
        self.successResultOf(forgotten)
        self.assertEqual(self.counters["cache_deletes_delayed"], 1)
        self.memcached.resume()
        self.reconnect()
        self.assertEqual(self.memcached.value(b"k"), None)
        self.assertEqual(self.drive(self.server.read(b"k")), Item(None, b""))

    def test_caller_goes(self) -> None:
        """A caller who goes away meanwhile takes no deletion along."""
        for number in range(20):
            self.memcached.put(b"k%d" % number, b"old")
        forgotten = Deferred.fromCoroutine(self.server.forget(list(self.memcached.items)))
        forgotten.cancel()
        self.failureResultOf(forgotten, CancelledError)
        self.clock.advance(0)
        self.assertEqual(self.memcached.items, {})

    def test_fill_after_forget(self) -> None:
        """A lease on a key that is being deleted fills nothing."""
        lease = self.lease(b"k")
        self.memcached.hung = True
        Deferred.fromCoroutine(self.server.forget([b"k"]))
        self.assertEqual(
            self.successResultOf(Deferred.fromCoroutine(self.server.fill_all({lease: b"v"}, 9))), 0
        )

    def test_forgotten_before_its_turn(self) -> None:
        """A key that is forgotten between the question and its turn is not read."""
        self.memcached.put(b"k", b"old")
        asked = Deferred.fromCoroutine(self.server.read(b"k"))
        Deferred.fromCoroutine(self.server.forget([b"k"]))
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(asked), None)
        self.assertNotIn(b"gets k", self.memcached.heard)

    def test_too_many(self) -> None:
        """With more deletions than are remembered, nothing cached before is read again, counted."""
        self.memcached.kill()
        keys = [b"k%d" % number for number in range(57)]
        self.successResultOf(Deferred.fromCoroutine(self.server.forget(keys)))
        self.assertEqual(self.counters["cache_deletes_dropped"], 7)
        self.memcached.up = True
        self.memcached.put(keys[-1], b"old", 300)
        self.reconnect()
        self.assertEqual(self.drive(self.server.read(keys[-1])), None)
        self.clock.advance(300)
        self.assertEqual(self.drive(self.server.read(keys[-1])), Item(None, b""))

    def test_stopped(self) -> None:
        """After the end of the service nobody waits."""
        self.memcached.hung = True
        forgotten = self.begin(self.server.forget([b"k"]))
        self.successResultOf(self.server.stopService())
        self.successResultOf(forgotten)
        self.successResultOf(Deferred.fromCoroutine(self.server.forget([b"k"])))
