"""The friend list of the user who asks."""

from tests.browser import KEY, WebTestCase


class FriendsTests(WebTestCase):
    """``GET /feed/friends``."""

    def test_sorted(self) -> None:
        """The names, sorted."""
        self.house.store.friendships |= {("bob", "zoe"), ("bob", "Adam")}
        self.assertEqual(
            self.web.get("/feed/friends?as=bob").json, {"friends": ["Adam", "alice", "zoe"]}
        )

    def test_changed_a_moment_ago(self) -> None:
        """A change is in the list at once, also while a cache still holds the old one."""
        self.web.get("/feed/friends?as=bob")
        self.web.request(
            "POST", "/api/friendships", b'{"add":[{"viewer":"bob","friend":"dora"}]}', KEY
        )
        self.assertIn("bob", self.house.friends.lists)
        self.assertEqual(self.web.get("/feed/friends?as=bob").json, {"friends": ["alice", "dora"]})
