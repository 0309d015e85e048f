"""Parts that are away, and the shape of an error."""

import msgspec

from feedd.feed.ports import NotFound, NotYours
from feedd.web.errors import Encoded, NoSuchMethod, NoSuchURL, Refusal, refuse
from tests.browser import KEY, House, WebTestCase


class AwayTests(WebTestCase):
    """503: ask again."""

    def assert_busy(
        self, path: str, part: str, method: str = "GET", body: bytes | None = None
    ) -> None:
        """Assert that `part` is busy, and when to come again."""
        reply = self.web.request(method, path, body, KEY if path.startswith("/api") else {})
        self.assert_refused(reply, 503, "unavailable", part)
        self.assertEqual(reply.headers["Retry-After"], "2")
        self.assertEqual(reply.json["error"]["retry_after"], 2)

    def test_database(self) -> None:
        """Without the database there is no page, no post, no marker."""
        self.house.store.away = True
        self.assert_busy("/feed/init?as=bob", "database")
        self.assert_busy("/feed/friends?as=bob", "database")
        self.assert_busy("/feed/poll?as=bob&cursor=k1.0", "database")
        self.assert_busy("/feed/marker?as=bob", "database", "PUT", b'{"post":1}')
        self.assert_busy("/feed/posts/1?as=bob", "database", "DELETE")
        self.assert_busy("/api/friendships", "database", "POST", b'{"add":[]}')
        self.assertEqual(len(self.house.hub), 0)

    def test_hot_goes_on(self) -> None:
        """A hot poll needs no database."""
        cursor = self.cursor()
        self.house.store.away = True
        self.assertEqual(self.web.get(f"/feed/poll?as=bob&cursor={cursor}&wait=0").status, 200)

    def test_cold_from_memory(self) -> None:
        """Nor does a cold one whose answer is in memory."""
        event = self.post("alice")
        self.cursor()
        self.house.store.away = True
        self.assertEqual(
            self.web.get("/feed/poll?as=bob&cursor=k1.0").json["events"][0]["id"], event
        )

    def test_not_open(self) -> None:
        """Before the database was reached for the first time there is nothing to read."""
        self.house.log.close()
        for path in ("/feed/init?as=bob", "/feed/poll?as=bob", "/feed/poll?as=bob&cursor=k1.0"):
            self.assert_busy(path, "database")

    def test_hub_full(self) -> None:
        """There are so many polls and no more."""
        self.use(House(max_subscriptions=1))
        self.cursor()
        self.assert_busy("/feed/poll?as=alice", "hub")
        self.house.advance(61)
        self.assertEqual(self.web.get("/feed/poll?as=alice&wait=0").status, 200)


class ShapeTests(WebTestCase):
    """``{"error": {…}}``."""

    def test_plain(self) -> None:
        """The code and a text."""
        self.assertEqual(
            Refusal(400, "c", "t").json(False), b'{"error":{"code":"c","message":"t"}}'
        )

    def test_without_text(self) -> None:
        """An error that needs no text of its own has one, which says the same each time."""
        for kind in (NoSuchURL, NoSuchMethod, NotFound, NotYours, Encoded):
            refusal = refuse(kind())
            self.assertIsNotNone(refusal)
            self.assertTrue(refusal.message.endswith("."), kind)
            self.assertEqual(refuse(kind("post 7 of alice")), refusal)

    def test_alike(self) -> None:
        """The post of another is refused as one that is not there."""
        self.assertEqual(refuse(NotYours("post 7 is alice's")), refuse(NotFound("no post 7")))

    def test_all(self) -> None:
        """For a JSONP caller the status, and when to ask again."""
        error = msgspec.json.decode(Refusal(503, "c", "t", 2).json(True))["error"]
        self.assertEqual(error, {"code": "c", "message": "t", "status": 503, "retry_after": 2})

    def test_safe(self) -> None:
        """Whatever the text is, it can stand in a script."""
        self.assertEqual(Refusal(400, "c", "</script>\u2028").json(False).count(b"<"), 0)
        self.assertIn(b"\\u2028", Refusal(400, "c", "\u2028").json(False))
