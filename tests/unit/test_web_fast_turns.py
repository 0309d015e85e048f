"""
The fast way and time: readers that are slow, what comes behind a parked poll, and one thing that
leads to another.
"""

import itertools

from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport

from feedd.feed.settings import HTTP
from feedd.web.server.channel import MAX_BEHIND_BYTES
from tests.browser import Browser, House
from tests.fast import FastTestCase
from tests.wire import spell

INIT = spell("GET", "/feed/init?as=bob")


class FastCase(FastTestCase):
    """A house whose fast way is tried."""

    @property
    def taken(self) -> int:
        """The number of polls that took the fast way."""
        return self.tally.taken

    def park_on(self, browser: Browser, cursor: str | None = None) -> None:
        """Park a poll on this connection, by the fast way."""
        taken = self.taken
        browser.ask("GET", "/feed/poll?as=bob&cursor=" + (cursor or self.cursor()))
        self.assertEqual(self.taken, taken + 1)


class SendTests(FastCase):
    """An answer goes out at once, as far as it can."""

    def test_at_once(self) -> None:
        """With nothing queued the answer is sent in one call, and the reactor has nothing to do."""
        browser = self.socket()
        wire = browser.wire
        self.park_on(browser)
        event = self.post("alice")
        self.assertEqual((wire.tries, wire.writes), (1, False))
        self.assertEqual(self.ids(browser.reply()), [event])

    def test_not_at_all(self) -> None:
        """A socket that takes nothing keeps nobody waiting, and gets the answer when it can."""
        slow = self.socket(0)
        wire = slow.wire
        quick = self.socket()
        self.park_on(slow)
        self.park_on(quick)
        event = self.post("alice")
        self.assertEqual((slow.replies(), self.ids(quick.reply())), ([], [event]))
        self.assertTrue(wire.writes)
        wire.drain()
        self.assertEqual(self.ids(slow.reply()), [event])

    def test_in_part(self) -> None:
        """What did not fit follows, wherever the cut was."""
        for room in (1, 100, 300):
            browser = self.socket(room)
            wire = browser.wire
            self.park_on(browser)
            event = self.post("alice")
            self.assertEqual(len(wire.value()), room)
            while wire.writes:
                wire.drain(7)
            self.assertEqual(self.ids(browser.reply()), [event])

    def test_behind_what_is_queued(self) -> None:
        """An answer never overtakes the one before it."""
        browser = self.socket(0)
        wire = browser.wire
        browser.send(INIT)
        browser.expect("GET", "GET")
        browser.send(spell("GET", "/feed/poll?as=bob&cursor=" + self.cursor()))
        self.post("alice")
        self.assertEqual((self.taken, wire.tries), (1, 1))
        wire.drain(10)
        browser.expect("GET")
        browser.send(spell("GET", "/feed/poll?as=bob&cursor=" + self.cursor()))
        self.post("alice")
        self.assertEqual((self.taken, wire.tries), (2, 2))
        wire.drain()
        init, *polls = browser.replies()
        self.assertEqual(
            [init.json["me"], *(self.ids(reply) for reply in polls)], ["bob", [1], [2]]
        )

    def test_lost(self) -> None:
        """
        A connection that turns out to be lost is left to the reactor, which finds out; nobody else
        is hurt.
        """
        gone = self.socket()
        wire = gone.wire
        other = self.socket()
        self.park_on(gone)
        self.park_on(other)
        wire.lost = True
        event = self.post("alice")
        self.assertEqual(self.ids(other.reply()), [event])
        self.assertTrue(wire.writes)
        self.assertIsNotNone(wire.drain())
        gone.lose()

    def test_pausing(self) -> None:
        """
        A peer that takes no answers is not asked for more requests, and goes on when it has taken
        them.
        """
        browser = self.socket(0)
        wire = browser.wire
        cursor, text = self.cursor(), "x" * 65_000
        for _ in range(2):
            self.park_on(browser, cursor)
            self.post("alice", text)
            cursor = next(iter(self.house.hub)).issued
        self.assertFalse(wire.reads)
        wire.drain()
        self.assertTrue(wire.reads)
        self.assertEqual([self.ids(reply) for reply in browser.replies()], [[1], [2]])

    def test_no_socket(self) -> None:
        """A transport that is none, as TLS is, gets what twisted.web would give it."""
        self.assertIsInstance(self.web.wire, StringTransport)
        self.park_on(self.web)
        event = self.post("alice")
        self.assertEqual(self.ids(self.web.reply()), [event])


class BehindTests(FastCase):
    """Requests behind a parked poll."""

    def test_order(self) -> None:
        """It is answered after the poll, in its order, in whatever pieces it came."""
        self.park_on(self.web)
        self.web.expect("GET", "HEAD", "GET")
        for byte in INIT + spell("HEAD", "/status") + INIT:
            self.web.send(bytes([byte]))
        self.assertEqual(self.web.wire.value(), b"")
        self.post("alice")
        poll, *others = self.web.replies()
        self.assertEqual(len(self.ids(poll)), 1)
        self.assertEqual([reply.status for reply in others], [200, 200, 200])

    def test_bounded(self) -> None:
        """
        The connection is not read any further when there is much of it, and is when the poll is
        answered.
        """
        browser = self.socket()
        wire = browser.wire
        self.park_on(browser)
        browser.send(b"\r\n" + INIT[:-2] + b"X-Long: " + b"x" * (MAX_BEHIND_BYTES - len(INIT) - 8))
        self.assertTrue(wire.reads)
        browser.send(b"x")
        self.assertFalse(wire.reads)
        self.post("alice")
        self.assertTrue(wire.reads)

    def test_bounded_behind_a_look(self) -> None:
        """The same while a closer look is taken, whatever it finds; and then one reads, not two."""
        for missed in (False, True):
            browser = self.socket()
            wire = browser.wire
            cursor = self.cursor()
            if missed:
                self.post("alice")
            self.house.authenticator.waits = waits = Deferred()
            self.park_on(browser, cursor)
            browser.send(b"x" * (MAX_BEHIND_BYTES + 1))
            self.assertFalse(wire.reads)
            self.house.authenticator.waits = None
            waits.callback(None)
            self.house.clock.advance(0)
            self.assertEqual(wire.reads, missed)

    def test_bounded_and_slow(self) -> None:
        """Nor is it read while the peer does not take the answer."""
        browser = self.socket(0)
        wire = browser.wire
        self.park_on(browser)
        number = MAX_BEHIND_BYTES // len(INIT) + 1
        browser.expect(*["GET"] * number)
        browser.send(INIT * number)
        self.post("alice", "x" * 65_400)
        self.house.clock.advance(0)
        self.assertEqual((wire.tries, wire.reads), (1, False))
        wire.drain()
        self.house.clock.advance(0)
        self.assertTrue(wire.reads)
        poll, *others = browser.replies()
        self.assertEqual((self.ids(poll), len(others)), ([1], number))

    def test_poll_behind_and_slow(self) -> None:
        """A poll that came behind is parked when the peer has taken the answer, and not before."""
        browser = self.socket(0)
        wire = browser.wire
        self.park_on(browser)
        browser.ask("GET", "/feed/poll?as=carol&cursor=" + self.cursor("carol"))
        self.post("alice", "x" * 65_400)
        self.house.clock.advance(0)
        self.assertEqual((self.taken, self.house.hub.parked, wire.reads), (1, 0, False))
        wire.drain()
        self.house.clock.advance(0)
        self.assertEqual((self.taken, self.house.hub.parked, wire.reads), (2, 1, True))

    def test_bounded_when_the_peer_goes_on(self) -> None:
        """Nor when the peer has taken it, until what is behind has had its turn."""
        browser = self.socket(0)
        wire = browser.wire
        self.park_on(browser)
        browser.send(b"x" * (MAX_BEHIND_BYTES + 1))
        self.post("alice", "x" * 65_400)
        self.assertFalse(wire.reads)
        wire.drain()
        self.assertFalse(wire.reads)
        self.house.clock.advance(0)
        self.assertTrue(wire.reads)

    def test_a_turn_later(self) -> None:
        """
        It waits for the next turn of the reactor, and what arrives until then waits behind it.
        """
        self.park_on(self.web)
        self.web.expect("GET")
        self.web.send(INIT[:20])
        self.house.hub.close_viewer("bob")
        self.assertEqual(len(self.web.replies()), 1)
        self.web.send(INIT[20:])
        self.assertEqual(self.web.replies(), [])
        self.house.clock.advance(0)
        self.assertEqual(self.web.reply().json["me"], "bob")

    def test_order_of_two(self) -> None:
        """What came behind two polls has its turn in the order of the answers, either way."""
        for plain_first in (True, False):
            browsers = [self.browse(), self.browse()]
            for number, browser in enumerate(browsers):
                plain = {"Origin": "https://www.example.org"} if plain_first != number else {}
                path = "/feed/poll?as=bob&cursor=" + self.cursor()
                browser.ask("GET", path, None, plain)
                browser.ask("POST", f"/feed/posts?as=v{number}", b'{"body":{}}')
            self.post("alice")
            self.house.clock.advance(0)
            first, second = [browser.replies()[1].json["post"] for browser in browsers]
            self.assertLess(first, second)

    def test_poll_behind_what_waits(self) -> None:
        """A poll that arrives before what is behind has had its turn does not overtake it."""
        self.park_on(self.web)
        self.web.ask("GET", "/feed/init?as=bob")
        self.house.hub.close_viewer("bob")
        self.web.ask("GET", "/feed/poll?as=bob&cursor=" + self.cursor())
        self.house.clock.advance(0)
        self.post("alice")
        _, init, poll = self.web.replies()
        self.assertEqual((init.json["posts"], self.ids(poll)), ([], [1]))

    def test_gone_before_its_turn(self) -> None:
        """Of a client that goes before that nothing is done."""
        self.park_on(self.web)
        self.web.send(spell("POST", "/feed/posts?as=bob", b'{"body":{}}'))
        self.house.hub.close_viewer("bob")
        self.web.lose()
        self.house.clock.advance(0)
        self.assertEqual(self.house.store.posts, {})

    def test_chain(self) -> None:
        """
        A poll that ends another's poll, behind which there is one that ends a third one's: no chain
        is too long.
        """
        self.use(House(http=HTTP(max_connections=2000)))
        cursors = [self.cursor() for _ in range(400)]
        for cursor, following in itertools.pairwise(cursors):
            self.park_on(self.browse(), cursor)
            self.browsers[-1].ask("GET", "/feed/poll?as=bob&cursor=" + following)
        self.park_on(self.web, cursors[0])
        self.house.clock.advance(0)
        answers = [len(browser.replies()) for browser in self.browsers[-399:]]
        self.assertEqual((answers, self.house.hub.parked), ([1] * 399, 400))


class FullTests(FastCase):
    """A kernel that has no room for more."""

    def test_reactor_reads(self) -> None:
        """Then the reactor goes on reading, and the polls are answered all the same."""
        self.kernel.most = 1
        browsers = [self.socket() for _ in range(3)]
        for browser in browsers:
            self.park_on(browser)
        self.assertEqual(
            [(browser.wire.is_batched, browser.wire.reads) for browser in browsers],
            [(True, True)] + [(False, True)] * 2,
        )
        event = self.post("alice")
        self.assertEqual([self.ids(browser.reply()) for browser in browsers], [[event]] * 3)


class EndTests(FastCase):
    """A connection that ends while the batch reader reads."""

    def test_hung_up(self) -> None:
        """Nothing is left of it, whether its poll was parked or had been answered."""
        for answered in (False, True):
            browser = self.socket()
            wire = browser.wire
            self.park_on(browser)
            if answered:
                self.post("alice")
            self.assertTrue(wire.is_batched)
            connections = self.house.site.connections
            browser.send(b"")
            self.assertEqual((wire.is_batched, wire.reads), (False, True))
            browser.lose()
            self.assertEqual(
                (self.house.site.connections, self.house.hub.parked), (connections - 1, 0)
            )

    def test_idle(self) -> None:
        """When the site closes it, nobody reads from it any more."""
        browser = self.socket()
        wire = browser.wire
        self.park_on(browser)
        self.post("alice")
        self.assertTrue(wire.is_batched)
        self.house.advance(66)
        self.assertEqual((browser.dropped, wire.is_batched, wire.reads), (True, False, False))


class IdleTests(FastCase):
    """The idle timeout, which all connections share a wheel for."""

    def test_parked(self) -> None:
        """A connection with a parked poll is not idle, and has no deadline of its own."""
        self.park_on(self.web, self.cursor())
        self.assertEqual(self.web.channel.due, 0)

    def test_answered(self) -> None:
        """After the answer it is idle from then on."""
        self.park_on(self.web)
        self.house.advance(40)
        self.post("alice")
        self.house.advance(64)
        self.assertFalse(self.web.dropped)
        self.house.advance(2)
        self.assertTrue(self.web.dropped)

    def test_answered_at_once(self) -> None:
        """So it is after a poll that was answered at once."""
        cursor = self.cursor()
        self.post("alice")
        self.house.advance(30)
        self.park_on(self.web, cursor)
        self.assertEqual(len(self.web.replies()), 1)
        self.house.advance(64)
        self.assertFalse(self.web.dropped)
        self.house.advance(2)
        self.assertTrue(self.web.dropped)

    def test_byte(self) -> None:
        """Any byte begins the wait anew."""
        self.house.advance(60)
        self.web.send(b"\r\n")
        self.house.advance(60)
        self.assertFalse(self.web.dropped)

    def test_over(self) -> None:
        """A byte that comes when it is over changes nothing."""
        self.house.advance(66)
        self.web.send(b"\r\n")
        self.assertEqual(len(self.house.idle), 0)
        self.house.advance(16)
        self.assertTrue(self.web.wire.disconnected)

    def test_off(self) -> None:
        """Setting it to None turns it off; what was set before is returned."""
        channel = self.web.channel
        self.assertEqual(
            (channel.setTimeout(None), channel.setTimeout(None), channel.timeOut),
            (65.0, None, None),
        )
        channel.resetTimeout()
        self.house.advance(70)
        self.assertFalse(self.web.dropped)
        self.assertIsNone(channel.setTimeout(5))
        self.house.advance(6)
        self.assertTrue(self.web.dropped)

    def test_disconnecting(self) -> None:
        """A poll that arrives on a connection that is being closed is not for the fast way."""
        self.house.advance(66)
        self.assertTrue(self.web.dropped)
        self.web.ask("GET", "/feed/poll?as=bob&cursor=" + self.cursor())
        self.assertEqual((self.taken, self.web.wire.value()), (0, b""))
