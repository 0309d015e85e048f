"""
The next poll of a connection, recognised because it is the last one with the cursor that it was
answered with.
"""

from feedd.auth.token import TokenAuth, make_token
from feedd.core.counters import Counters
from feedd.feed.settings import Auth
from tests.browser import Browser, House
from tests.fast import FastTestCase
from tests.sides import SECRET

QUERY = "/feed/poll?callback=f&as=bob&cursor="


class RepeatTests(FastTestCase):
    """Polls of bob, over and over on one connection."""

    path = QUERY

    @property
    def taken(self) -> tuple[int, int]:
        """The number of polls that took the fast way, and of repeats among them."""
        return self.tally.taken, self.tally.repeated

    def answer(self, browser: Browser) -> str:
        """Alice posts; the cursor of the poll's answer."""
        event = self.post("alice")
        answer = browser.reply().jsonp("f")
        self.assertEqual([each["id"] for each in answer["events"]], [event])
        cursor: str = answer["cursor"]
        return cursor

    def begin(self) -> str:
        """One poll by the fast way, answered."""
        self.web.ask("GET", self.path + self.cursor())
        cursor = self.answer(self.web)
        self.assertEqual(self.taken, (1, 0))
        return cursor

    def test_repeated(self) -> None:
        """It is parked again and answered as ever, as often as it comes."""
        cursor = self.begin()
        for number in range(3):
            self.web.ask("GET", self.path + cursor)
            cursor = self.answer(self.web)
            self.assertEqual(self.taken, (2 + number, 1 + number))
        self.assertEqual(len(self.house.deadlines), 0)

    def test_arguments_behind_the_cursor(self) -> None:
        """The cursor may stand anywhere in the query."""
        self.path = "/feed/poll?wait=20&cursor={}&callback=f&as=bob"
        cursor = self.cursor()
        for repeated in (0, 1):
            self.web.ask("GET", self.path.format(cursor))
            cursor = self.answer(self.web)
            self.assertEqual(self.taken, (1 + repeated, repeated))

    def test_deadline(self) -> None:
        """Each time it is held for as long as it asks, from then on."""
        self.path = "/feed/poll?wait=20&callback=f&as=bob&cursor="
        cursor = self.begin()
        self.house.advance(15)
        self.web.ask("GET", self.path + cursor)
        self.assertEqual(self.taken, (2, 1))
        self.house.advance(19)
        self.assertEqual(self.web.replies(), [])
        self.house.advance(2)
        self.assertEqual(self.web.reply().jsonp("f")["events"], [])

    def test_something_pending(self) -> None:
        """What came in between answers at once, and the poll after that is a repeat again."""
        cursor = self.begin()
        event = self.post("alice")
        self.web.ask("GET", self.path + cursor)
        answer = self.web.reply().jsonp("f")
        self.assertEqual(([each["id"] for each in answer["events"]], self.taken), ([event], (2, 0)))
        self.web.ask("GET", self.path + answer["cursor"])
        self.assertEqual(self.taken, (3, 1))

    def test_other_requests(self) -> None:
        """Another callback, other header lines or another cursor are looked at as ever."""
        cursor = self.begin()
        self.web.ask("GET", self.path.replace("=f", "=g") + cursor)
        self.assertEqual(self.taken, (2, 0))
        self.post("alice")
        cursor = self.web.reply().jsonp("g")["cursor"]
        self.web.ask("GET", self.path.replace("=f", "=g") + cursor, None, {"X": "1"})
        self.assertEqual(self.taken, (3, 0))
        self.post("alice")
        self.web.replies()
        self.web.ask("GET", self.path.replace("=f", "=g") + cursor, None, {"X": "1"})
        self.assertEqual((self.taken, len(self.web.reply().jsonp("g")["events"])), ((4, 0), 1))

    def test_after_another_request(self) -> None:
        """After anything else on the connection the poll is looked at anew."""
        cursor = self.begin()
        self.web.get("/feed/friends?as=bob")
        self.web.ask("GET", self.path + cursor)
        self.assertEqual(self.taken, (2, 0))

    def test_ended(self) -> None:
        """A subscription that has ended meanwhile is begun anew."""
        cursor = self.begin()
        self.house.hub.close_viewer("bob")
        self.web.ask("GET", self.path + cursor)
        self.assertEqual((self.taken, self.house.hub.parked), ((2, 0), 1))

    def test_another_connection(self) -> None:
        """A poll of the same subscription that waits elsewhere is ended, as ever."""
        cursor = self.begin()
        other = self.browse()
        other.ask("GET", self.path + cursor)
        self.web.ask("GET", self.path + cursor)
        self.assertEqual((other.reply().jsonp("f")["events"], self.taken), ([], (3, 0)))
        self.answer(self.web)

    def test_token_over(self) -> None:
        """A token that has expired meanwhile is refused."""
        self.use(
            House(
                authenticator=TokenAuth(
                    SECRET,
                    Auth(leeway_seconds=0),
                    lambda: self.house.clock.seconds(),
                    Counters(),
                )
            )
        )
        token = make_token(SECRET, "bob", 60)
        path = f"/feed/poll?token={token}&cursor="
        cursor = self.browse().get(f"/feed/poll?token={token}&wait=0").json["cursor"]
        (subscription,) = self.house.hub
        for number, seconds in enumerate((0, 59)):
            self.house.advance(seconds)
            self.web.ask("GET", path + cursor)
            self.assertEqual(self.taken, (1 + number, number))
            self.house.hub.end(subscription)
            self.assertEqual(self.web.reply().status, 200)
        self.house.advance(1)
        self.web.ask("GET", path + cursor)
        self.assertEqual((self.web.reply().status, self.taken), (401, (3, 1)))
