"""
One memcached that is away, hangs, talks nonsense or is asked too much: it costs a miss, and soon
not even time.
"""

from twisted.internet.defer import Deferred

from feedd.cache.connection import MAX_READ_BYTES, Item
from feedd.cache.server import MemcachedServer
from feedd.feed.settings import Cache
from feedd.reactor.link import Host
from tests.unit.cache_server import ServerCase
from tests.unit.fake_memcached import FakeMemcached


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
        """It is tried again, less and less often, at least every three seconds."""
        self.memcached.kill()
        pauses = []
        for _ in range(40):
            [first, *_] = sorted(
                call.getTime() - self.clock.seconds() for call in self.clock.getDelayedCalls()
            )
            pauses.append(first)
            self.clock.advance(first)
        self.assertTrue(0.1 <= pauses[0] <= 0.2, pauses[0])
        self.assertTrue(all(pause <= 3 for pause in pauses), pauses)
        self.assertTrue(20 < self.clock.seconds() < 60, self.clock.seconds())

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
        self.assertTrue(soonest <= 0.2, soonest)

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
        self.assertEqual(self.server.connections, 1)
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
            self.assertEqual((answer[:30], self.server.connections), (answer[:30], 2))

    def test_out_of_memory(self) -> None:
        """A refusal is that command's trouble alone; the connection stays."""
        transports = list(self.memcached.transports)
        lease = self.lease(b"x")
        self.memcached.say = b"SERVER_ERROR out of memory storing object\r\n"
        self.assertEqual(self.lease(b"k"), None)
        self.assertEqual(self.drive(self.server.fill_all({lease: b"v"}, 9)), 0)
        self.memcached.say = None
        self.assertEqual(self.drive(self.server.read(b"k")), Item(None, b""))
        self.assertEqual((self.memcached.transports, self.server.connections), (transports, 2))

    def test_absent_at_start(self) -> None:
        """A server that is not there at the start is a miss, and is used when it comes."""
        absent = FakeMemcached(self.clock)
        absent.up = False
        server = MemcachedServer(Host("two", absent), self.clock, Cache(), self.counters)
        server.startService()
        self.assertEqual(self.drive(server.read(b"k")), None)
        absent.up = True
        self.reconnect()
        self.assertEqual(self.drive(server.read(b"k")), Item(None, b""))
        self.successResultOf(server.stopService())
