"""Polls that wait when their token ends."""

from feedd.auth.token import TokenAuth, make_token
from feedd.core.counters import Counters
from feedd.feed.settings import Auth
from tests.browser import House
from tests.fast import FastTestCase
from tests.polls import PollTestCase
from tests.sides import SECRET


class PlainTests(PollTestCase):
    """Polls that twisted.web reads."""

    path = "/feed/poll?x=%20&token="

    def setUp(self) -> None:
        settings = Auth(leeway_seconds=2)
        self.use(
            House(
                authenticator=TokenAuth(
                    SECRET, settings, lambda: self.house.clock.seconds(), Counters()
                )
            )
        )
        self.token = make_token(SECRET, "bob", 20)

    def test_at_its_end(self) -> None:
        """A parked poll is answered with nothing when its token ends, leeway included."""
        url = self.path + self.token + "&cursor="
        cursor = self.browse().get(f"{self.path}{self.token}&wait=0").json["cursor"]
        self.web.ask("GET", url + cursor)
        self.house.advance(21.5)
        self.assertEqual(self.web.replies(), [])
        self.house.advance(1)
        reply = self.web.reply()
        self.assertEqual((reply.status, reply.json["events"]), (200, []))
        self.assertEqual(self.web.get(url + reply.json["cursor"]).status, 401)

    def test_asked_again(self) -> None:
        """So is one that has been asked again."""
        url = self.path + self.token + "&wait=15&cursor="
        cursor = self.browse().get(f"{self.path}{self.token}&wait=0").json["cursor"]
        self.web.ask("GET", url + cursor)
        self.house.advance(16)
        self.web.ask("GET", url + self.web.reply().json["cursor"])
        self.house.advance(5.5)
        self.assertEqual(self.web.replies(), [])
        self.house.advance(1)
        self.assertEqual(self.web.reply().json["events"], [])


class FastTests(FastTestCase, PlainTests):
    """Polls of the fast way."""

    path = "/feed/poll?token="

    def test_taken(self) -> None:
        """They take it, and the next one is recognised."""
        self.test_asked_again()
        self.assertEqual(self.tally.repeated, 1)
