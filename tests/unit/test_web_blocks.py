"""The blocks that the site's own servers send."""

import msgspec

from tests.browser import KEY, WebTestCase
from tests.wire import Reply

PAIR = {"viewer": "bob", "author": "alice"}


class BlocksTests(WebTestCase):
    """``POST /api/blocks``."""

    def call(self, path: str = "blocks", **fields: object) -> Reply:
        """The answer to a call."""
        return self.web.request("POST", f"/api/{path}", msgspec.json.encode(fields), KEY)

    def test_parts(self) -> None:
        """Both are told at once, and hear each other no more."""
        cursor = self.cursor("bob")
        self.web.ask("GET", f"/feed/poll?as=bob&cursor={cursor}")
        reply = self.browse().request(
            "POST", "/api/blocks", msgspec.json.encode({"add": [PAIR]}), KEY
        )
        self.assertEqual((reply.status, reply.json), (200, {"ended": 2}))
        self.house.flush()
        (event,) = self.web.reply().json["events"]
        self.assertEqual((event["kind"], event["body"]), ("unfriend", {"friend": "alice"}))
        told = [(event.kind, event.author) for event in self.house.broker.published]
        self.assertEqual(told, [("unfriend", "alice"), ("unfriend", "bob")])

    def test_no_friendship(self) -> None:
        """What was not added is named; nothing is lost of the rest."""
        self.assertEqual(self.call(add=[PAIR]).json, {"ended": 2})
        pairs = [{"viewer": "alice", "friend": "bob"}, {"viewer": "bob", "friend": "eve"}]
        self.assertEqual(
            self.call("friendships", add=pairs).json,
            {"changed": 2, "blocked": [pairs[0], {"viewer": "bob", "friend": "alice"}]},
        )
        self.assertEqual(self.call(remove=[PAIR]).json, {"ended": 0})
        self.assertEqual(self.call("friendships", add=pairs[:1]).json, {"changed": 2})

    def test_bad(self) -> None:
        """Whoever is no user, and too many pairs, are refused by name, and nothing is done."""
        reply = self.call(add=[PAIR, {"viewer": "bob", "author": "a b"}])
        self.assert_refused(reply, 400, "bad_argument", "add[1].author")
        reply = self.call(remove=[PAIR] * 1_001)
        self.assert_refused(reply, 400, "bad_argument", "remove", "1000")
        self.assertEqual(self.house.store.blocks, set())

    def test_key(self) -> None:
        """It takes the key of the site's servers."""
        self.assertEqual(self.web.request("POST", "/api/blocks", b"{}").status, 401)
