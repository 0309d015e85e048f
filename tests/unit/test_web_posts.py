"""Posts: made, edited, taken back; and a client that vanishes has posted all the same."""

import json
from decimal import Decimal
from typing import Any

import msgspec
from twisted.internet.defer import Deferred

from tests.browser import KEY, WebTestCase


class PostsTestCase(WebTestCase):
    """A house in which alice posts."""

    def publish(
        self, value: Any, headers: dict[str, str] | None = None, author: str = "alice"
    ) -> Any:
        """The answer to a post of `value`."""
        return self.web.request(
            "POST", f"/feed/posts?as={author}", msgspec.json.encode({"body": value}), headers
        )


class PostTests(PostsTestCase):
    """``POST /feed/posts``."""

    def test_made(self) -> None:
        """
        The answer is 201 with the ids of the post and its event; it is in the log and on the bell.
        """
        reply = self.publish({"text": "hi"})
        self.assertEqual((reply.status, reply.json), (201, {"post": 1, "event": 1}))
        self.assertEqual(reply.headers["Content-Type"], "application/json")
        self.assertEqual(self.house.store.posts, {1: ("alice", b'{"text":"hi"}')})
        self.assertEqual([event.id for event in self.house.broker.published], [1])

    def test_text_of_any_kind(self) -> None:
        """A body comes out as it went in, whatever is in it."""
        value: Any = {
            "text": "héllo 😀 \u2028\u2029 </script> \"'\\ \x00 \r\n",
            "deep": [[{}]],
            "": None,
            "n": [1.5, -(2**60), 10**30],
        }
        cursor = self.cursor()
        self.assertEqual(self.publish(value).status, 201)
        answer = self.web.get(f"/feed/poll?as=bob&cursor={cursor}")
        self.assertEqual(answer.json["events"][0]["body"], value)
        self.assertEqual(self.web.get("/feed/init?as=bob").json["posts"][0]["body"], value)

    def test_numbers(self) -> None:
        """Numbers come out as the numbers that went in, to the last digit."""
        written = b"[0.1,0.10,1E2,5e-324,1.7976931348623157e308,0.0,-2.5,12345678901234567890]"
        body = b'{"body":{"n":%s}}' % written
        self.assertEqual(self.web.request("POST", "/feed/posts?as=alice", body).status, 201)
        (stored,) = [body for _, body in self.house.store.posts.values()]
        self.assertEqual(
            json.loads(stored, parse_float=Decimal)["n"], json.loads(written, parse_float=Decimal)
        )

    def test_deep(self) -> None:
        """A body may be nested 100 deep, itself counted, and no deeper."""
        for depth, status in ((99, 201), (100, 400)):
            body = b'{"body":{"a":%s%s}}' % (b"[" * depth, b"]" * depth)
            answer = self.web.request("POST", "/feed/posts?as=bob", body)
            self.assertEqual(answer.status, status)

    def test_key_repeated(self) -> None:
        """A repeated Idempotency-Key gets the first answer, and nobody is told again."""
        key = {"Idempotency-Key": "k" * 128}
        first, second = self.publish({"n": 1}, key), self.publish({"n": 2}, key)
        self.assertEqual((second.status, second.json), (first.status, first.json))
        self.assertEqual(len(self.house.store.posts), 1)
        self.assertEqual(len(self.house.broker.published), 1)

    def test_key_of_another(self) -> None:
        """A key is its author's own."""
        key = {"Idempotency-Key": "k"}
        self.assertNotEqual(self.publish({}, key).json, self.publish({}, key, "bob").json)

    def test_broker_away(self) -> None:
        """A broker that is away does not fail the post."""
        self.house.broker.up = False
        self.assertEqual(self.publish({}).status, 201)

    def test_database_away(self) -> None:
        """A database that is away does: nothing is stored, nothing is told."""
        self.house.store.away = True
        reply = self.publish({})
        self.assert_refused(reply, 503, "unavailable", "database")
        self.assertEqual(reply.headers["Retry-After"], "2")
        self.assertEqual((self.house.store.posts, self.house.broker.published), ({}, []))

    def test_on_behalf(self) -> None:
        """The site posts on behalf of a user."""
        cursor = self.cursor()
        body = b'{"author":"alice","body":{"text":"hi"}}'
        reply = self.web.request("POST", "/api/posts", body, KEY | {"Idempotency-Key": "k"})
        self.assertEqual((reply.status, reply.json), (201, {"post": 1, "event": 1}))
        self.assertEqual(
            self.web.get(f"/feed/poll?as=bob&cursor={cursor}").json["events"][0]["author"], "alice"
        )
        self.assertEqual(
            self.web.request("POST", "/api/posts", body, KEY | {"Idempotency-Key": "k"}).json,
            reply.json,
        )


class OwnPostTests(PostsTestCase):
    """``PATCH`` and ``DELETE /feed/posts/<id>``."""

    def test_edited(self) -> None:
        """An edit answers with its event and changes the post."""
        self.publish({})
        reply = self.web.request("PATCH", "/feed/posts/1?as=alice", b'{"body":{"n":2}}')
        self.assertEqual((reply.status, reply.json), (200, {"event": 2}))
        self.assertEqual(self.house.store.posts[1], ("alice", b'{"n":2}'))
        self.assertEqual(self.house.broker.published[-1].kind, "edit")

    def test_deleted(self) -> None:
        """So does a deletion, after which there is no such post."""
        self.publish({})
        reply = self.web.request("DELETE", "/feed/posts/1?as=alice")
        self.assertEqual((reply.status, reply.json), (200, {"event": 2}))
        self.assertEqual(self.house.broker.published[-1].kind, "delete")
        self.assert_refused(self.web.request("DELETE", "/feed/posts/1?as=alice"), 404, "not_found")

    def test_of_another(self) -> None:
        """The post of another is not touched, and refused as one that is not there."""
        self.publish({"n": 1})
        for method, body in (("PATCH", b'{"body":{}}'), ("DELETE", None)):
            reply = self.web.request(method, "/feed/posts/1?as=bob", body)
            self.assert_refused(reply, 404, "not_found")
            nothing = self.web.request(method, "/feed/posts/2?as=bob", body)
            self.assertEqual(reply.body, nothing.body)
        self.assertEqual(self.house.store.posts, {1: ("alice", b'{"n":1}')})

    def test_none(self) -> None:
        """
        A post that is not there, or whose id cannot be one, is not found, whatever is asked of it.
        """
        for path in ("99", "0", str(2**53 - 1)):
            self.assert_refused(
                self.web.request("PATCH", f"/feed/posts/{path}?as=bob", b'{"body":{}}'),
                404,
                "not_found",
            )
        for path in ("abc", "-1", "1.5", "", str(2**53), "9" * 30, "%3Cb%3E", "1/2"):
            for method in ("GET", "PATCH", "DELETE", "OPTIONS"):
                reply = self.web.request(method, f"/feed/posts/{path}?as=bob", b'{"body":{}}')
                self.assert_refused(reply, 404, "not_found")


class VanishedTests(PostsTestCase):
    """The client goes before it is answered."""

    def vanish(self, method: str, path: str, body: bytes | None) -> None:
        """A request whose client goes while the database is busy with it."""
        pace = Deferred[None]()
        self.house.store.pace = lambda: pace
        browser = self.browse()
        browser.ask(method, path, body, KEY if path.startswith("/api") else {})
        browser.lose()
        self.assertEqual(self.house.broker.published, [])
        pace.callback(None)

    def test_post(self) -> None:
        """A post is committed, and its friends are told."""
        cursor = self.cursor()
        self.web.ask("GET", f"/feed/poll?as=bob&cursor={cursor}")
        self.vanish("POST", "/feed/posts?as=alice", b'{"body":{"n":1}}')
        self.assertEqual(self.house.store.posts, {1: ("alice", b'{"n":1}')})
        self.assertEqual([event.id for event in self.house.broker.published], [1])
        self.house.clock.advance(0)
        self.assertEqual(len(self.web.reply().json["events"]), 1)

    def test_on_behalf(self) -> None:
        """So is one on behalf of a user."""
        self.vanish("POST", "/api/posts", b'{"author":"alice","body":{}}')
        self.assertEqual(len(self.house.broker.published), 1)

    def test_friendships(self) -> None:
        """So are friendships."""
        self.vanish("POST", "/api/friendships", b'{"add":[{"viewer":"bob","friend":"dora"}]}')
        self.assertEqual(len(self.house.broker.published), 2)

    def test_edit(self) -> None:
        """So is an edit."""
        self.house.store.posts[1] = ("alice", b"{}")
        self.vanish("PATCH", "/feed/posts/1?as=alice", b'{"body":{"n":2}}')
        self.assertEqual(self.house.store.posts, {1: ("alice", b'{"n":2}')})

    def test_marker(self) -> None:
        """So is a read marker."""
        self.vanish("PUT", "/feed/marker?as=alice", b'{"post":7}')
        self.house.store.pace = lambda: self.successful()
        self.assertEqual(
            self.web.request("PUT", "/feed/marker?as=alice", b'{"post":1}').json, {"post": 7}
        )

    def test_while_logging_in(self) -> None:
        """A post whose client goes while the site is asked who that was is committed too."""
        waits = self.house.authenticator.waits = Deferred()
        for method, path, body in (
            ("POST", "/feed/posts?as=alice", b'{"body":{}}'),
            ("PATCH", "/feed/posts/1?as=alice", b'{"body":{"n":2}}'),
            ("PUT", "/feed/marker?as=alice", b'{"post":1}'),
        ):
            browser = self.browse()
            browser.ask(method, path, body)
            browser.lose()
        waits.callback(None)
        self.assertEqual(self.house.store.posts, {1: ("alice", b'{"n":2}')})
        self.assertEqual(self.house.store.asked["mark"], 1)

    def test_refused(self) -> None:
        """One that is refused then has nobody to be refused to, which is no failure of ours."""
        self.vanish("DELETE", "/feed/posts/1?as=alice", None)
        self.assertEqual(self.house.broker.published, [])

    @staticmethod
    async def successful() -> None:
        """The pace of a database that is not busy."""
