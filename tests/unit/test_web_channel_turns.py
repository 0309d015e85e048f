"""Connections with many requests at once: one of them a turn, and none before its answers go."""

from feedd.reactor.round_robin import REST_SECONDS, SLICE_SECONDS
from feedd.web.server.channel import IDLE_SECONDS, MAX_BEHIND_BYTES
from tests.browser import Browser, House, WebTestCase
from tests.fast import FastTestCase
from tests.sockets import Socket
from tests.wire import spell

STATUS = spell("GET", "/status")
INIT = spell("GET", "/feed/init?as=bob")
POLL = spell("GET", "/feed/poll?as=bob&wait=0")
POST = spell("POST", "/feed/posts?as=bob", b'{"body":{}}')
LONG = "x" * 60_000  # longer than MAX_BEHIND_BYTES, and a post may be as long


class PipeliningHouse(House):
    """A house in which each look at the time takes as long as a slice."""

    looked = 0.0

    def monotonic(self) -> float:
        """The time, which passes with each look at it."""
        self.looked += SLICE_SECONDS
        return self.looked


class PipeliningTests(WebTestCase):
    """The plain channel."""

    def connect(self, room: int = 10**9) -> tuple[Browser, Socket]:
        """A connection on a socket with so much room."""
        wire = Socket(room)
        return self.browse(wire), wire

    def taken(self, browser: Browser) -> int:
        """How many answers have been sent since the last call."""
        return len(browser.replies())

    def test_one_a_turn(self) -> None:
        """
        However many requests one read brings, one is worked off at once, and of all connections one
        a turn of the reactor: theirs take turns.
        """
        self.use(PipeliningHouse())
        browsers = [self.connect()[0] for _ in range(2)]
        for browser in browsers:
            browser.expect(*["GET"] * 30)
            browser.send(STATUS * 30)
        self.assertEqual([self.taken(browser) for browser in browsers], [1, 1])
        self.house.clock.advance(0)
        self.assertEqual([self.taken(browser) for browser in browsers], [1, 0])
        self.house.clock.advance(REST_SECONDS)
        self.assertEqual([self.taken(browser) for browser in browsers], [0, 1])
        for _ in range(60):
            self.house.clock.advance(REST_SECONDS)
        self.assertEqual([self.taken(browser) for browser in browsers], [28, 28])

    def test_others_between(self) -> None:
        """Another's request is answered before all of them have been."""
        self.use(PipeliningHouse())
        browser, _ = self.connect()
        browser.expect(*["GET"] * 100)
        browser.send(STATUS * 100)
        self.assertEqual(self.web.get("/status").status, 200)
        self.assertEqual(self.taken(browser), 1)
        for _ in range(100):
            self.house.clock.advance(REST_SECONDS)

    def test_bodies(self) -> None:
        """So it is with requests that have a body, whole or in parts, in whatever order."""
        requests = [POST, INIT, POST, spell("HEAD", "/status"), POLL, POST]
        browser, _ = self.connect()
        data = b"".join(requests)
        for cut in range(1, len(data), 7):
            browser.expect("POST", "GET", "POST", "HEAD", "GET", "POST")
            browser.send(data[:cut])
            browser.send(data[cut:])
            self.house.clock.advance(0)
            statuses = [reply.status for reply in browser.replies()]
            self.assertEqual(statuses, [201, 200, 201, 200, 200, 201])

    def test_not_read_meanwhile(self) -> None:
        """While much waits the connection is not read; then it is again."""
        browser, wire = self.connect()
        number = MAX_BEHIND_BYTES // len(STATUS) + 2
        browser.expect(*["GET"] * number)
        browser.send(STATUS * 3)
        self.assertTrue(wire.reads)
        browser.send(STATUS * (number - 3))
        self.assertFalse(wire.reads)
        self.house.clock.advance(0)
        self.assertEqual((self.taken(browser), wire.reads), (number, True))

    def test_not_read_behind_a_slow_one(self) -> None:
        """Nor while what waits stands behind a request whose answer takes its time."""
        browser, wire = self.connect()
        parked = spell("GET", "/feed/poll?as=bob&cursor=" + self.cursor())
        number = MAX_BEHIND_BYTES // len(STATUS) + 2
        browser.expect("GET", "GET", *["GET"] * number)
        browser.send(STATUS + parked + STATUS * number)
        self.house.clock.advance(0)
        self.assertEqual((self.taken(browser), wire.reads), (1, False))
        self.post("alice")
        self.house.clock.advance(0)
        self.assertEqual((self.taken(browser), wire.reads), (number + 1, True))

    def test_long_body_behind(self) -> None:
        """The rest of a long body is read when its beginning has had its turn."""
        browser, wire = self.connect()
        browser.expect("GET", "POST")
        post = spell("POST", "/feed/posts?as=bob", b'{"body":{"text":"%b"}}' % LONG.encode())
        browser.send(STATUS + post[:-9])
        self.assertFalse(wire.reads)
        self.house.clock.advance(0)
        self.assertTrue(wire.reads)
        browser.send(post[-9:])
        self.assertEqual([reply.status for reply in browser.replies()], [200, 201])

    def test_being_closed(self) -> None:
        """A connection that is being closed works off no request that waits."""
        browser, _ = self.connect()
        poll = spell("GET", "/feed/poll?as=bob&cursor=" + self.cursor(), None, {"Origin": "x"})
        browser.send(poll + POST)
        browser.channel.loseConnection()
        self.post("alice")
        self.assertEqual(len(self.house.store.posts), 1)

    def test_closing(self) -> None:
        """A request behind one that closes the connection is not worked off."""
        browser, wire = self.connect()
        browser.expect("GET", "GET")
        browser.send(STATUS + spell("GET", "/status", None, {"Connection": "close"}) + POST)
        self.house.clock.advance(0)
        self.assertEqual((self.taken(browser), len(self.house.store.posts)), (2, 0))
        self.assertTrue(wire.disconnecting)

    def test_gone(self) -> None:
        """Nor what stands behind when the client goes."""
        browser, _ = self.connect()
        browser.send(STATUS + POST)
        browser.lose()
        self.house.clock.advance(0)
        self.assertEqual((len(self.house.store.posts), len(self.house.site.behind)), (0, 0))

    def test_mistake(self) -> None:
        """A mistake of ours ends the connection it happened on, is logged, and stops nobody."""
        browser, _ = self.connect()
        other, _ = self.connect()
        other.expect("GET", "GET")
        browser.send(STATUS * 2)
        other.send(STATUS * 2)
        browser.channel.requestFactory = None
        self.house.clock.advance(0)
        self.assertTrue(browser.dropped)
        self.assertEqual(self.taken(other), 2)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)


class NotTakenTests(PipeliningTests):
    """A peer that does not take its answers."""

    def fill(self, number: int = 20) -> tuple[Browser, Socket]:
        """A connection whose peer has asked so often for a long page, and takes nothing."""
        self.post("alice", LONG)
        self.post("alice", LONG)
        browser, wire = self.connect(0)
        browser.expect(*["GET"] * number)
        browser.send(INIT * number)
        self.house.advance(1)
        return browser, wire

    def test_waits(self) -> None:
        """No more than what is unsent is worked off, and nothing is read, until it is taken."""
        browser, wire = self.fill()
        self.assertLess(wire.unsent, 200_000)
        self.assertFalse(wire.reads)
        for _ in range(3):
            wire.drain(100_000)
            self.house.clock.advance(0)
            self.assertLess(wire.unsent, 200_000)
        wire.drain()
        self.house.clock.advance(0)
        wire.drain()
        self.assertEqual((self.taken(browser), wire.reads), (20, True))

    def test_small_answers(self) -> None:
        """So it is with many small ones."""
        browser, wire = self.connect(0)
        browser.expect(*["GET"] * 1000)
        browser.send(STATUS * 1000)
        self.house.advance(1)
        self.assertLess(wire.unsent, 70_000)
        wire.drain()
        self.house.clock.advance(0)
        wire.drain()
        self.assertEqual(self.taken(browser), 1000)

    def test_time_limit(self) -> None:
        """One that takes nothing for too long is closed, counted, and nothing more is done."""
        browser, wire = self.fill()
        self.house.advance(IDLE_SECONDS - 2)
        self.assertFalse(browser.dropped)
        self.house.advance(3)
        self.assertTrue(browser.dropped)
        self.assertEqual(self.house.counters["http_not_taken"], 1)
        unsent = wire.unsent
        self.house.advance(20)
        self.assertEqual(wire.unsent, unsent)

    def test_idle_is_no_such_peer(self) -> None:
        """One that is idle is not counted there."""
        self.web.get("/status")
        self.house.advance(IDLE_SECONDS + 1)
        self.assertEqual((self.web.dropped, self.house.counters["http_not_taken"]), (True, 0))


class FastPipeliningTests(FastTestCase, NotTakenTests):
    """The same on the fast channel."""

    def connect(self, room: int = 10**9) -> tuple[Browser, Socket]:
        """A connection on a socket with so much room."""
        browser = self.socket(room)
        return browser, browser.wire
