"""
The page, the friends, the marker, what the site's own servers ask, the status, the static files.
"""

import msgspec

from tests.browser import KEY, Reply, WebTestCase


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
        self.assertEqual(
            self.web.get("/feed/init?as=bob").json["cursor"], f"k1.0.{ids[0]}.{ids[2]}"
        )
        self.house.settle()
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


class MarkerTests(WebTestCase):
    """``PUT /feed/marker``."""

    def test_forward(self) -> None:
        """The marker only moves forward; the answer says where it stands."""
        for post, stands in ((5, 5), (3, 5), (7, 7)):
            reply = self.web.request("PUT", "/feed/marker?as=bob", b'{"post":%d}' % post)
            self.assertEqual((reply.status, reply.json), (200, {"post": stands}))


class BackendTests(WebTestCase):
    """``/api``."""

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
        self.assertEqual(self.change(add=pairs).json, {"changed": 20_000})

    def test_sessions(self) -> None:
        """
        All tabs of the user end, parked or not, and their cursors are good for a login after it.
        """
        tabs = [self.cursor() for _ in range(3)]
        self.web.ask("GET", f"/feed/poll?as=bob&cursor={tabs[0]}")
        reply = self.browse().request("DELETE", "/api/sessions/bob", None, KEY)
        self.assertEqual((reply.status, reply.json), (200, {"ended": 3}))
        self.assertEqual(self.web.reply().json, {"events": [], "cursor": tabs[0]})
        event = self.post("alice")
        self.assertEqual(
            self.web.get(f"/feed/poll?as=bob&cursor={tabs[0]}").json["events"][0]["id"], event
        )


class StatusTests(WebTestCase):
    """``GET /status``."""

    def test_ready(self) -> None:
        """Everything is there."""
        self.house.counters.add("some_count", 3)
        self.web.ask("GET", f"/feed/poll?as=bob&cursor={self.cursor()}")
        reply = self.browse().get("/status")
        self.assertEqual(reply.status, 200)
        expected = {"live": True, "ready": True, "version": "1.2.3", "polls": 1, "subscriptions": 1}
        expected["parts"] = {
            name: {"up": True, "trouble": ""} for name in ("database", "broker", "cache")
        }
        expected["counters"] = {"some_count": 3}
        self.assertEqual(reply.json, expected)

    def test_not_ready(self) -> None:
        """A part is away: 503, and which, and why."""
        self.house.troubles["broker"] = "connection refused"
        reply = self.web.get("/status")
        self.assertEqual(
            (reply.status, reply.json["live"], reply.json["ready"]), (503, True, False)
        )
        self.assertEqual(
            reply.json["parts"]["broker"], {"up": False, "trouble": "connection refused"}
        )
        self.assertEqual(reply.json["parts"]["cache"], {"up": True, "trouble": ""})


class FileTests(WebTestCase):
    """The files of the demo page."""

    def test_types(self) -> None:
        """Each has its type, and a policy that lets nothing foreign run."""
        for path, kind, content in (
            ("/", "html", b"<p>hello"),
            ("/demo.css", "css", b"p{}"),
            ("/demo.js", "javascript", b"1"),
        ):
            reply = self.web.get(path)
            self.assertEqual((reply.status, reply.body), (200, content))
            self.assertEqual(reply.headers["Content-Type"], f"text/{kind}; charset=utf-8")
            self.assertEqual(reply.headers["X-Content-Type-Options"], "nosniff")
            self.assertIn("default-src 'self'", reply.headers["Content-Security-Policy"])
            self.assertEqual(reply.headers["Cache-Control"], "no-cache")

    def test_head(self) -> None:
        """A HEAD says how long it is."""
        reply = self.web.request("HEAD", "/")
        self.assertEqual(
            (reply.status, reply.headers["Content-Length"], reply.body), (200, "8", b"")
        )
        self.assertEqual(self.web.get("/").status, 200)
