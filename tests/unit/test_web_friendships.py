"""The changes of friendships that the site's own servers send."""

import msgspec

from tests.browser import KEY, WebTestCase
from tests.wire import Reply


class FriendshipsTests(WebTestCase):
    """``POST /api/friendships``."""

    def change(self, **fields: object) -> Reply:
        """The answer to a change of friendships."""
        return self.web.request("POST", "/api/friendships", msgspec.json.encode(fields), KEY)

    def test_mutual(self) -> None:
        """A friendship goes both ways unless told otherwise."""
        self.assertEqual(
            self.change(add=[{"viewer": "bob", "friend": "dora"}]).json, {"changed": 2}
        )
        self.assertTrue({("bob", "dora"), ("dora", "bob")} <= self.house.store.friendships)
        reply = self.change(remove=[{"viewer": "dora", "friend": "bob"}], mutual=False)
        self.assertEqual((reply.status, reply.json), (200, {"changed": 1}))
        self.assertIn(("bob", "dora"), self.house.store.friendships)
        self.assertNotIn(("dora", "bob"), self.house.store.friendships)

    def test_told(self) -> None:
        """Every real change is told, once."""
        for _ in range(2):
            self.change(add=[{"viewer": "bob", "friend": "dora"}])
        told = [(event.kind, event.author, event.friend) for event in self.house.broker.published]
        self.assertEqual(told, [("friend", "bob", "dora"), ("friend", "dora", "bob")])

    def test_nothing(self) -> None:
        """Nothing to change is fine."""
        self.assertEqual(self.change().json, {"changed": 0})

    def test_as_many_as_may_be(self) -> None:
        """10,000 pairs of the longest names fit into one request."""
        pairs = [{"viewer": f"{n:064}", "friend": f"{n:a>64}"} for n in range(10_000)]
        self.web.ask("POST", "/api/friendships", msgspec.json.encode({"add": pairs}), KEY)
        self.assertLess(len(self.house.broker.published), 1000)  # the others come in later turns
        self.house.clock.pump([0] * 1000)
        self.assertEqual(self.web.reply().json, {"changed": 20_000})
        self.assertEqual(len(self.house.broker.published), 20_000)
