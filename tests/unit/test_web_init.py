"""The first page: posts, friends and the cursor."""

from tests.browser import WebTestCase


class InitTests(WebTestCase):
    """``GET /feed/init``."""

    def test_shape(self) -> None:
        """Everything that a page load shows."""
        self.post("alice", "one")
        self.post("bob", "two")
        self.post("carol", "not for bob")
        page = self.web.get("/feed/init?as=bob").json
        self.assertEqual(set(page), {"me", "posts", "friends", "cursor", "more"})
        self.assertEqual((page["me"], page["friends"], page["more"]), ("bob", ["alice"], False))
        self.assertEqual(
            [(post["author"], post["body"]["text"]) for post in page["posts"]],
            [("bob", "two"), ("alice", "one")],
        )

    def test_cursor(self) -> None:
        """The cursor has what is on the page, and nothing after it."""
        self.house.settle()
        ids = [self.post("alice"), self.post("carol"), self.post("bob")]
        self.assertEqual(self.web.get("/feed/init?as=bob").json["cursor"], f"k1.{ids[2]}")

    def test_empty(self) -> None:
        """A user without posts and friends has a page as well."""
        page = self.web.get("/feed/init?as=nobody").json
        self.assertEqual(
            page, {"me": "nobody", "posts": [], "friends": [], "cursor": "k1.0", "more": False}
        )

    def test_pages(self) -> None:
        """Older posts are asked for by the last one that is known."""
        for _ in range(5):
            self.post("alice")
        shown, before, more = list[int](), "", True
        while more:
            page = self.web.get(f"/feed/init?as=bob&limit=2{before}").json
            shown += [post["id"] for post in page["posts"]]
            before, more = f"&before={shown[-1]}", page["more"]
        self.assertEqual(shown, [5, 4, 3, 2, 1])

    def test_default(self) -> None:
        """50 posts are a page."""
        for _ in range(51):
            self.post("alice")
        page = self.web.get("/feed/init?as=bob").json
        self.assertEqual((len(page["posts"]), page["more"]), (50, True))
