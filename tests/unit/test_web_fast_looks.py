"""Polls of the fast way that need a closer look: at who asks, or at what they have missed."""

from twisted.internet.defer import CancelledError, Deferred

from feedd.feed.ports import Unavailable
from tests.browser import House
from tests.fast import FastTestCase
from tests.unit.core import Gate


class LookTests(FastTestCase):
    """A database whose answers come when the test says so."""

    def use(self, house: House) -> None:
        """Let `house`, with fast channels, be the house of this test."""
        super().use(house)
        self.gate = Gate()
        house.store.pace = self.gate

    def ask(self, query: str = "") -> None:
        """A cold poll whose questions are held back."""
        self.gate.shut = True
        self.web.ask("GET", f"/feed/poll?as=bob&cursor={self.cold_cursor()}{query}")
        self.assertEqual((self.web.replies(), self.web.channel.requests), ([], []))

    def test_parked(self) -> None:
        """It is parked when the look is over, and its repeat is recognised."""
        self.ask()
        self.gate.open()
        event = self.post("alice")
        reply = self.web.reply()
        self.assertEqual(self.ids(reply), [event])
        self.web.ask("GET", "/feed/poll?as=bob&cursor=" + reply.json["cursor"])
        self.assertEqual(self.tally.repeated, 1)

    def test_answered(self) -> None:
        """What was missed is its answer."""
        event = self.post("alice")
        self.ask()
        self.gate.open()
        self.assertEqual(self.ids(self.web.reply()), [event])

    def test_not_idle(self) -> None:
        """While it lasts the connection is not idle."""
        self.ask()
        self.house.advance(70)
        self.assertFalse(self.web.dropped)
        self.gate.open()
        self.post("alice")
        self.assertEqual(len(self.web.replies()), 1)

    def test_behind(self) -> None:
        """What comes meanwhile waits for its answer."""
        self.ask()
        self.web.ask("GET", "/feed/friends?as=bob")
        self.gate.open()
        self.post("alice")
        poll, friends = self.web.replies()
        self.assertEqual((len(self.ids(poll)), friends.json["friends"]), (1, ["alice"]))

    def test_refused(self) -> None:
        """
        A refusal says what it says elsewhere, as a script too; the next request is answered as
        ever.
        """
        for query in ("", "&callback=f"):
            self.ask(query)
            self.house.store.away = True
            self.gate.open()
            reply = self.web.reply()
            error = (reply.jsonp("f") if query else reply.json)["error"]
            self.assertEqual((reply.status, error["code"]), (200 if query else 503, "unavailable"))
            self.assertEqual(reply.headers["Retry-After"], "2")
            self.house.store.away = False
            self.assertEqual(self.web.get("/feed/friends?as=bob").json["friends"], ["alice"])

    def test_gone(self) -> None:
        """Of a client that goes meanwhile nothing is left."""
        self.ask()
        self.web.lose()
        self.assertEqual(
            (len(self.house.hub), len(self.house.deadlines), len(self.house.idle)), (0, 0, 0)
        )
        self.gate.open()
        self.assertEqual(len(self.house.hub), 0)

    def test_gone_too_late_to_stop(self) -> None:
        """Nor when the answer can no longer be stopped."""
        self.post("alice")
        pace: Deferred[None] = Deferred(lambda pace: pace.callback(None))
        self.house.friends.lists.clear()
        self.house.store.pace = lambda: pace
        self.web.ask("GET", "/feed/poll?as=bob&cursor=k1.0")
        self.web.lose()
        self.assertEqual((self.house.hub.parked, self.web.channel.due), (0, 0))

    def test_gone_and_refused(self) -> None:
        """Nothing is sent on a socket that is no more, whatever becomes of the look."""

        async def identify(credentials: object) -> None:
            try:
                await Deferred()
            except CancelledError:
                raise Unavailable("site", "away") from None

        self.house.authenticator.instead = identify
        browser = self.socket()
        browser.ask("GET", "/feed/poll?as=bob&cursor=k1.0")
        browser.wire.lost = True
        browser.lose()
        self.assertEqual(browser.wire.tries, 0)

    def test_cancelled_by_somebody_else(self) -> None:
        """A look that is cancelled though its client is there is our mistake, and answered."""
        waits: Deferred[None] = Deferred()
        self.house.authenticator.waits = waits
        self.web.ask("GET", "/feed/poll?as=bob&cursor=k1.0")
        waits.cancel()
        self.assertEqual(self.web.reply().error, (500, "internal"))
        self.assertEqual(len(self.flushLoggedErrors(CancelledError)), 1)

    def test_our_mistake(self) -> None:
        """What nobody expected is logged once, and answered with 500."""
        self.house.friends.of = None  # type: ignore[method-assign,assignment]
        self.web.ask("GET", "/feed/poll?as=bob&cursor=k1.0")
        self.assertEqual(self.web.reply().error, (500, "internal"))
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_who_asks(self) -> None:
        """Who is not known is asked for first; who is nobody is told so."""
        self.house.authenticator.waits = Deferred()
        self.web.ask("GET", f"/feed/poll?as=bob&cursor={'k1.0'}")
        self.assertEqual(self.web.replies(), [])
        waits, self.house.authenticator.waits = self.house.authenticator.waits, None
        waits.callback(None)
        self.post("alice")
        self.assertEqual(len(self.ids(self.web.reply())), 1)
        self.web.ask("GET", "/feed/poll?cursor=k1.0")
        reply = self.web.reply()
        self.assertEqual(
            (reply.error, reply.headers["WWW-Authenticate"]), ((401, "unauthorized"), "Bearer")
        )

    def test_site_away(self) -> None:
        """Where the site cannot be asked who it is, the answer says when to ask again."""

        async def identify(credentials: object) -> None:
            raise Unavailable("site", "away", 7)

        self.house.authenticator.instead = identify
        self.web.ask("GET", "/feed/poll?as=bob&cursor=k1.0")
        reply = self.web.reply()
        self.assertEqual((reply.status, reply.headers["Retry-After"]), (503, "7"))
