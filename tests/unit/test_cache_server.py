"""
One memcached that is away, hangs, talks nonsense or is asked too much: it costs a miss, and soon
not even time.
"""

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from feedd.cache.connection import MAX_READ_BYTES, Item, Wish
from feedd.cache.servers import Limits, Server
from feedd.core.counters import Counters
from feedd.feed.settings import Cache
from tests.unit.fake_memcached import FakeMemcached


class ServerCase(SynchronousTestCase):
    """A server of two connections over a memcached in memory."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.memcached = FakeMemcached(self.clock)
        self.counters = Counters()
        settings = Cache(connections=2, timeout_seconds=1)
        limits = Limits(outstanding=20, reads=300, batch=5, deletions=50)
        self.server = Server("one", self.memcached, self.clock, settings, self.counters, limits)
        self.server.startService()
        self.clock.advance(0)
        self.addCleanup(self.end)

    def end(self) -> None:
        self.successResultOf(self.server.stopService())
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def begin(self, work: Coroutine[Deferred[Any], Any, Any]) -> Deferred[Any]:
        begun = Deferred.fromCoroutine(work)
        self.clock.advance(0)
        return begun

    def drive(self, work: Coroutine[Deferred[Any], Any, Any]) -> Any:
        return self.successResultOf(self.begin(work))

    def lease(self, key: bytes, over: bytes = b"") -> Any:
        """The right to fill `key`, None when it cannot be had."""
        leases = self.drive(self.server.lease_all([Wish(key, b"mark", over)], 10))
        return leases[0] if leases else None

    def reconnect(self) -> None:
        """Let the longest pause between two attempts pass, and one greeting."""
        for _ in range(6):
            self.clock.advance(1)
        self.clock.advance(0)


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
            Deferred.fromCoroutine(self.server.lease_all([Wish(b"k%d" % number, b"mark", b"")], 10))
        self.assertEqual([connection.outstanding for connection in self.server._ready], [4, 4])
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
        wishes = [Wish(b"k%d" % number, b"mark", b"") for number in range(19)]
        others = [wish._replace(mark=b"other") for wish in wishes]
        begun = [
            Deferred.fromCoroutine(self.server.lease_all(some, 10)) for some in (wishes, others)
        ]
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(self.server.read(b"k"))), None)
        self.assertEqual(
            self.successResultOf(Deferred.fromCoroutine(self.server.lease_all(wishes, 10))), []
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
        wishes = [Wish(b"k%d" % number, b"mark%d" % number, b"") for number in range(150)]
        leases = self.drive(self.server.lease_all(wishes, 10))
        self.assertEqual(
            [lease.key for lease in leases], [wish.key for wish in wishes if wish.key != b"k7"]
        )
        self.assertEqual(sum(words.startswith(b"gets") for words in self.memcached.heard), 2)
        del self.memcached.items[b"k8"]
        self.assertEqual(
            self.drive(self.server.fill_all({lease: b"v" + lease.key for lease in leases}, 300)),
            148,
        )
        values = [self.memcached.value(wish.key) for wish in wishes]
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


class Away(ServerCase):
    """A server that is gone, hangs, or talks nonsense."""

    def test_gone(self) -> None:
        """It is a miss at once, and it is used again when it is back."""
        self.memcached.kill()
        self.assertEqual(self.server.up, False)
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(self.server.read(b"k"))), None)
        self.assertEqual(self.counters["cache_away"], 1)
        self.memcached.up = True
        self.reconnect()
        self.assertEqual(self.server.up, True)
        self.assertEqual(self.drive(self.server.read(b"k")), Item(None, b""))

    def test_gone_meanwhile(self) -> None:
        """What was asked when it went is a miss."""
        self.memcached.hung = True
        asked = self.begin(self.server.read(b"k"))
        waits = Deferred.fromCoroutine(self.server.read(b"x"))
        self.memcached.kill()
        self.assertEqual(self.successResultOf(asked), None)
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(waits), None)

    def test_backoff(self) -> None:
        """It is tried again, less and less often, at least every four seconds."""
        self.memcached.kill()
        pauses = []
        for _ in range(40):
            [first, *_] = sorted(
                call.getTime() - self.clock.seconds() for call in self.clock.getDelayedCalls()
            )
            pauses.append(first)
            self.clock.advance(first)
        self.assertTrue(0.1 <= pauses[0] <= 1.4, pauses[0])
        self.assertTrue(all(pause <= 4 for pause in pauses), pauses)
        self.assertTrue(30 < self.clock.seconds() < 160, self.clock.seconds())

    def test_backoff_starts_anew(self) -> None:
        """Once it was there again, it is tried again soon."""
        self.memcached.kill()
        self.clock.pump([1] * 60)
        self.memcached.up = True
        self.reconnect()
        self.memcached.kill()
        soonest = min(
            call.getTime() - self.clock.seconds() for call in self.clock.getDelayedCalls()
        )
        self.assertTrue(soonest <= 1.2, soonest)

    def test_hung(self) -> None:
        """
        The first askers wait for the time limit, and nobody after them, until it answers again.
        """
        self.memcached.hung = True
        asked = [self.begin(self.server.read(b"k")) for _ in range(3)]
        self.clock.advance(0.9)
        self.assertNoResult(asked[0])
        self.clock.advance(0.1)
        self.assertEqual([self.successResultOf(each) for each in asked], [None] * 3)
        for _ in range(10):
            self.assertEqual(
                self.successResultOf(Deferred.fromCoroutine(self.server.read(b"k"))), None
            )
            self.clock.advance(0.7)
        self.assertEqual(self.server.up, False)
        self.memcached.resume()
        self.reconnect()
        self.assertEqual(self.drive(self.server.read(b"k")), Item(None, b""))

    def test_slow_drops_answers(self) -> None:
        """The answer to a command that was given up goes to nobody else."""
        self.memcached.put(b"old", b"old")
        self.memcached.hung = True
        self.begin(self.server.read(b"old"))
        self.clock.advance(1)
        self.memcached.resume()
        self.reconnect()
        self.assertEqual(self.drive(self.server.read(b"k")), Item(None, b""))

    def test_second_connection_not_greeted(self) -> None:
        """A connection that is not greeted (the server is full) costs those that work nothing."""
        self.memcached.transports[0].end(ConnectionError())
        self.memcached.hung = True
        self.clock.advance(1.4)
        self.clock.advance(1)
        self.memcached.hung = False
        self.assertEqual(len(self.server._ready), 1)
        self.assertEqual(self.drive(self.server.read(b"k")), Item(None, b""))

    def test_nonsense(self) -> None:
        """An answer that answers nothing is a miss; the connection goes and comes again."""
        for answer in (
            b"ERROR\r\n",
            b"ERROR Too many open connections\r\n",
            b"CLIENT_ERROR bad data chunk\r\n",
            b"HTTP/1.1 400 Bad Request\r\n",
            b"\xff\xfe\r\n",
            b"\r\n",
            b"STAT x\r\n",
            b"VALUE other 0 1 1\r\nv\r\nEND\r\n",
            b"VALUE k 0 x 1\r\nv\r\nEND\r\n",
            b"VALUE k 0 %d 1\r\n" % (MAX_READ_BYTES + 1),
            b"END\r\nEND\r\n",
            b"x" * 20_000,
        ):
            self.memcached.say = answer
            before = self.counters["cache_out_of_step"]
            asked = self.drive(self.server.read(b"k"))
            self.assertIn(
                (answer[:30], asked), [(answer[:30], None), (b"END\r\nEND\r\n", Item(None, b""))]
            )
            self.assertEqual(
                (answer[:30], self.counters["cache_out_of_step"]), (answer[:30], before + 1)
            )
            self.memcached.say = None
            self.reconnect()
            self.assertEqual((answer[:30], len(self.server._ready)), (answer[:30], 2))

    def test_out_of_memory(self) -> None:
        """A refusal is that command's trouble alone; the connection stays."""
        ready = list(self.server._ready)
        lease = self.lease(b"x")
        self.memcached.say = b"SERVER_ERROR out of memory storing object\r\n"
        self.assertEqual(self.lease(b"k"), None)
        self.assertEqual(self.drive(self.server.fill_all({lease: b"v"}, 9)), 0)
        self.memcached.say = None
        self.assertEqual(self.drive(self.server.read(b"k")), Item(None, b""))
        self.assertEqual(self.server._ready, ready)

    def test_absent_at_start(self) -> None:
        """A server that is not there at the start is a miss, and is used when it comes."""
        absent = FakeMemcached(self.clock)
        absent.up = False
        server = Server("two", absent, self.clock, Cache(), self.counters)
        server.startService()
        self.assertEqual(self.drive(server.read(b"k")), None)
        absent.up = True
        self.reconnect()
        self.assertEqual(self.drive(server.read(b"k")), Item(None, b""))
        self.successResultOf(server.stopService())


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

    def test_later_wish(self) -> None:
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
