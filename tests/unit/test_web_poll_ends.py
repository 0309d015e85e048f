"""Polls whose client goes, and polls that end more than once."""

from twisted.internet.defer import Deferred

from tests.browser import LINGER_SECONDS
from tests.memory import at_once
from tests.polls import PollTestCase


class LostTests(PollTestCase):
    """The client goes before it is answered."""

    def test_parked_hot(self) -> None:
        """
        A poll that was parked at once is forgotten, and what comes then is pending for the next
        one.
        """
        cursor = self.cursor()
        self.park(cursor).lose()
        self.assertEqual(self.house.hub.parked, 0)
        self.assertEqual(len(self.house.deadlines), 0)
        event = self.post("alice")
        self.assertEqual(self.ids(self.poll(cursor)), [event])

    def test_parked_cold(self) -> None:
        """So is one that was parked after a look at the database."""
        waits = Deferred[None]()
        self.house.authenticator.waits = waits
        browser = self.park(self.cold_cursor())
        waits.callback(None)
        self.assertEqual(self.house.hub.parked, 1)
        browser.lose()
        self.assertEqual(self.house.hub.parked, 0)
        self.assertEqual(len(self.house.deadlines), 0)

    def test_lingers(self) -> None:
        """The subscription is kept for the linger time, not longer."""
        self.park(self.cursor()).lose()
        self.house.advance(LINGER_SECONDS - 1)
        self.assertEqual(len(self.house.hub), 1)
        self.house.advance(2)
        self.assertEqual(len(self.house.hub), 0)

    def test_while_logging_in(self) -> None:
        """A client that goes while it is being asked who it is leaves nothing."""
        self.house.authenticator.waits = Deferred()
        self.park(self.cold_cursor()).lose()
        self.assertEqual(len(self.house.hub), 0)

    def test_while_reading(self) -> None:
        """A client that goes while the database is asked leaves no subscription."""
        cursor, pace = self.cold_cursor(), Deferred[None]()
        self.house.store.pace = lambda: pace
        browser = self.park(cursor)
        self.assertEqual(len(self.house.hub), 1)
        browser.lose()
        self.assertEqual(len(self.house.hub), 0)

    def test_while_reading_at_last(self) -> None:
        """Also when the friends are known and only the history is missing."""
        self.post("alice")
        self.house.log.fill("k1", 1, [])
        self.post("alice")
        paces = [Deferred[None](), Deferred[None]()]
        held = list(paces)
        self.house.friends.lists["bob"] = ("alice",)
        self.house.store.pace = lambda: held.pop(0)
        browser = self.park("k1.0")
        paces[0].callback(None)
        self.assertEqual(self.house.store.asked["events_after"], 1)
        browser.lose()
        self.assertEqual(len(self.house.hub), 0)

    def test_too_late_to_stop(self) -> None:
        """A client that goes when its answer can no longer be stopped is not parked."""
        held = [Deferred[None](lambda pace: pace.callback(None))]
        self.house.store.pace = lambda: held.pop() if held else at_once()
        self.park(self.cold_cursor()).lose()
        self.assertEqual((len(self.house.hub), self.house.hub.parked), (1, 0))
        self.assertEqual(len(self.house.deadlines), 0)

    def test_told_afterwards(self) -> None:
        """Who wants to be told that a client has gone is told also when it has gone already."""
        browser = self.browse()
        browser.ask("GET", "/feed/poll?as=bob")
        (request,) = browser.channel.requests
        browser.lose()
        calls: list[str] = []
        request.when_lost(lambda: calls.append("gone"))
        self.assertEqual(calls, ["gone"])


class TwiceTests(PollTestCase):
    """A poll ends once."""

    def test_neighbours(self) -> None:
        """
        One deadline may end a poll whose own deadline is now: behind the first poll stands a
        request that ends the other.
        """
        first, second = self.cursor(), self.cursor()
        browser = self.park(first)
        other = self.park(second)
        browser.ask("GET", f"/feed/poll?as=bob&wait=0&cursor={second}")
        self.house.advance(51)
        self.assertEqual([reply.json["cursor"] for reply in browser.replies()], [first, second])
        self.assertEqual(other.reply().json["cursor"], second)

    def test_next_of_the_same(self) -> None:
        """Nor does that deadline end the next poll of the same chain."""
        first, second = self.cursor(), self.cursor()
        browser, other = self.park(first), self.park(second)
        browser.ask("GET", f"/feed/poll?as=bob&cursor={second}")
        self.house.advance(51)
        self.assertEqual(
            [reply.json["cursor"] for reply in (browser.reply(), other.reply())], [first, second]
        )
        event = self.post("alice")
        self.assertEqual(self.ids(browser.reply()), [event])
