"""Peers that close their sending side behind the last request, and read on."""

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol

from tests.browser import Browser
from tests.polls import PollTestCase
from tests.wire import spell


class HalfClosedTests(PollTestCase):
    """Requests of twisted.web."""

    def end(self, browser: Browser | None = None) -> None:
        """The peer sends no more."""
        (browser or self.web).channel.readConnectionLost()

    def shut(self) -> Deferred[None]:
        """A database that is busy until the Deferred fires."""
        pace = Deferred[None]()
        self.house.store.pace = lambda: pace
        return pace

    def test_told(self) -> None:
        """The transport knows that a channel may be told of it."""
        self.assertTrue(IHalfCloseableProtocol.providedBy(self.web.channel))
        self.web.channel.writeConnectionLost()
        self.assertFalse(self.web.dropped)

    def test_idle(self) -> None:
        """With nothing to answer the connection is closed."""
        self.web.get("/status")
        self.end()
        self.assertTrue(self.web.dropped)

    def test_within_a_request(self) -> None:
        """So it is when the rest of a request will never come."""
        post = spell("POST", "/feed/posts?as=bob", b'{"body":{}}')
        for size in (3, len(post) - 20, len(post) - 1):
            browser = self.browse()
            browser.send(post[:size])
            self.end(browser)
            self.assertTrue(browser.dropped)
        self.assertEqual(self.house.store.posts, {})

    def test_behind_a_refusal(self) -> None:
        """And when the rest of a body will not come that is refused already."""
        self.web.expect("POST")
        self.web.send(spell("POST", "/feed/posts?as=bob", None, {"Content-Length": "65537"}))
        self.assertEqual(self.web.reply().status, 413)
        self.end()
        self.assertTrue(self.web.dropped)

    def test_answered(self) -> None:
        """A request that waits for the database gets its answer, and then the end."""
        pace = self.shut()
        self.web.ask("GET", "/feed/init?as=bob")
        self.end()
        self.assertFalse(self.web.dropped)
        pace.callback(None)
        self.assertEqual(self.web.reply().status, 200)
        self.assertTrue(self.web.dropped)

    def test_behind(self) -> None:
        """So do those behind it, a poll among them."""
        cursor, pace = self.cursor(), self.shut()
        self.web.ask("GET", "/feed/init?as=bob")
        self.web.ask("GET", "/feed/poll?as=bob&cursor=" + cursor)
        self.web.ask("GET", "/feed/friends?as=bob")
        self.web.send(b"GET /feed/in")
        self.end()
        pace.callback(None)
        self.house.clock.advance(0)
        self.assertEqual([reply.status for reply in self.web.replies()], [200, 200, 200])
        self.assertTrue(self.web.dropped)

    def test_parked(self) -> None:
        """A parked poll is answered at once, as nobody knows whether the peer is still there."""
        for query in ("", "&callback=f"):
            browser = self.park(self.cursor(), query)
            self.end(browser)
            reply = browser.reply()
            self.assertEqual((reply.jsonp("f") if query else reply.json)["events"], [])
            self.assertTrue(browser.dropped)
            self.assertEqual(self.house.hub.parked, 0)

    def test_parked_later(self) -> None:
        """So is one that would be parked after a look at the database."""
        cursor, pace = self.cold_cursor(), self.shut()
        browser = self.park(cursor)
        self.end(browser)
        self.assertFalse(browser.dropped)
        pace.callback(None)
        self.assertEqual(self.ids(browser.reply()), [])
        self.assertTrue(browser.dropped)

    def test_gone(self) -> None:
        """A peer that goes before its answer leaves nothing."""
        pace = self.shut()
        for path in ("/feed/init?as=bob", "/feed/poll?as=bob&cursor=" + self.cold_cursor()):
            browser = self.browse()
            browser.ask("GET", path)
            self.end(browser)
            browser.lose()
        pace.callback(None)
        self.assertEqual(self.house.hub.parked, 0)
