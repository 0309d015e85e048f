"""
Every error: its status, its shape, and what else the protocol wants said with it; HEAD and OPTIONS.
"""

import msgspec
from twisted.internet.defer import CancelledError, Deferred

from feedd.web.errors import Refusal
from tests.browser import KEY, SITE, House, WebTestCase

HTTP_URLS = {
    "/feed/init": "GET",
    "/feed/poll": "GET",
    "/feed/friends": "GET",
    "/status": "GET",
    "/": "GET",
    "/feed/posts": "POST",
    "/feed/posts/1": "PATCH",
    "/feed/marker": "PUT",
    "/api/friendships": "POST",
    "/api/posts": "POST",
    "/api/sessions/bob": "DELETE",
}


class WhoTests(WebTestCase):
    """401: who is asking."""

    def test_nobody(self) -> None:
        """Nobody gets nothing of a user's."""
        for path, method in HTTP_URLS.items():
            if path not in ("/status", "/"):
                reply = self.web.request(method, path, b"{}")
                self.assert_refused(reply, 401, "unauthorized")
                self.assertEqual(reply.headers["WWW-Authenticate"], "Bearer")

    def test_wrong_key(self) -> None:
        """A user, or a wrong key, is not the site's server."""
        for header in ("Bearer alice", "Bearer backend-ke", "backend-key", ""):
            reply = self.web.request("POST", "/api/friendships", b"{}", {"Authorization": header})
            self.assert_refused(reply, 401, "unauthorized", "backend key")
            self.assertNotIn(b"backend-k", reply.body)

    def test_ways(self) -> None:
        """A token in the header or in the query, a name, or a cookie; also one of several."""
        for path, headers in (
            ("?token=bob", {}),
            ("?as=bob", {}),
            ("", {"Authorization": "Bearer bob"}),
            ("", {"Cookie": "a=b; user=bob"}),
        ):
            self.assertEqual(self.web.get("/feed/init" + path, headers).json["me"], "bob")

    def test_form(self) -> None:
        """Nothing in a body proves anything."""
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        self.assert_refused(
            self.web.request("POST", "/feed/posts", b"as=bob&token=bob", form), 401, "unauthorized"
        )

    def test_cookie_headers(self) -> None:
        """Several Cookie headers are one."""
        self.web.expect("GET")
        self.web.send(b"GET /feed/init HTTP/1.1\r\nCookie: a=b\r\nCookie: user=bob\r\n\r\n")
        self.assertEqual(self.web.reply().json["me"], "bob")


class WhereTests(WebTestCase):
    """404 and 405: what is there."""

    def test_nothing(self) -> None:
        """What is not there is not found, whatever is asked of it."""
        paths = (
            "/feed /feed/ /feed/x /feed/poll/x /feed/init/x/y /api /api/ /api/sessions "
            "/status/x /x /index.html //feed/poll"
        )
        for path in (
            f"{paths} /api/sessions/a/b /api/sessions/a/b/c /demo.js/x /%00 /%ff/%3Cb%3E "
            f"/feed%2Fpoll".split()
        ):
            for method in ("GET", "POST", "DELETE", "OPTIONS"):
                self.assert_refused(self.web.request(method, path, None, KEY), 404, "not_found")
            self.assertEqual(self.web.request("HEAD", path).status, 404)

    def test_method(self) -> None:
        """A method that a URL does not have is refused with those that it has."""
        for path, method in HTTP_URLS.items():
            allow = (
                {"GET", "HEAD"}
                if method == "GET"
                else {"PATCH", "DELETE"}
                if path.endswith("/1")
                else {method}
            )
            for wrong in {
                "GET",
                "POST",
                "PUT",
                "PATCH",
                "DELETE",
                "get",
                "TRACE",
                "CONNECT",
                "X",
            } - allow:
                reply = self.web.request(wrong, path, b"{}")
                self.assert_refused(reply, 405, "method_not_allowed")
                self.assertEqual(set(reply.headers["Allow"].split(", ")), allow | {"OPTIONS"})

    def test_head(self) -> None:
        """A HEAD has the status and headers of the GET, and no body."""
        for path, method in HTTP_URLS.items():
            get = self.web.get(path + "?as=bob&wait=0")
            head = self.web.request("HEAD", path + "?as=bob&wait=0")
            self.assertEqual(
                (head.status, head.body), (get.status if method == "GET" else 405, b"")
            )
            for name in ("Content-Type", "Cache-Control", "X-Content-Type-Options"):
                self.assertEqual(head.headers[name], get.headers[name])

    def test_head_is_not_parked(self) -> None:
        """A HEAD of a poll is answered at once, hot or cold."""
        for cursor in (self.cursor(), "k1.0"):
            self.assertEqual(
                self.web.request("HEAD", f"/feed/poll?as=bob&cursor={cursor}").status, 200
            )
        self.assertEqual(self.house.hub.parked, 0)

    def test_options(self) -> None:
        """OPTIONS says what there is, to anybody."""
        for path, method in HTTP_URLS.items():
            reply = self.web.request("OPTIONS", path)
            self.assertEqual((reply.status, reply.body), (204, b""))
            self.assertIn(method, reply.headers["Allow"].split(", "))
            self.assertIn("OPTIONS", reply.headers["Allow"].split(", "))
        self.assertEqual(self.web.request("OPTIONS", "*").status, 200)


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


class OurMistakeTests(WebTestCase):
    """500: something unexpected."""

    def test_logged_once(self) -> None:
        """The client learns nothing of it, the log all, and the next request is answered."""
        for path, headers in (
            ("/feed/init?as=bob", {}),
            ("/feed/init?as=bob&callback=f", {}),
            ("/feed/init?as=bob", {"Origin": SITE}),
        ):
            self.house.store.pace = self.fail_oddly
            reply = self.web.get(path, headers)
            if "callback" in path:
                error = reply.jsonp("f")["error"]
                self.assertEqual((error["status"], error["code"]), (500, "internal"))
            else:
                self.assert_refused(reply, 500, "internal")
            self.assertNotIn(b"secret", reply.body)
            self.assertNotIn(b"Traceback", reply.body)
            (failure,) = self.flushLoggedErrors(ZeroDivisionError)
            self.assertIn("secret", failure.getTraceback())
            self.house.store.pace = self.in_time
            self.assertEqual(self.web.get("/feed/init?as=bob").status, 200)

    def test_poll(self) -> None:
        """A poll that fails leaves no subscription."""
        self.house.store.pace = self.fail_oddly
        self.assertEqual(self.web.get("/feed/poll?as=bob").error, (500, "internal"))
        self.assertEqual(len(self.house.hub), 0)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_cancelled_by_somebody_else(self) -> None:
        """
        A question that somebody cancelled, though the client is still there, is a mistake like any
        other.
        """
        pace = Deferred[None]()
        self.house.store.pace = lambda: pace
        for method, path, body in (
            ("GET", "/feed/init?as=bob", None),
            ("POST", "/feed/posts?as=bob", b'{"body":{}}'),
        ):
            self.web.ask(method, path, body)
            pace.cancel()
            self.assertEqual(self.web.reply().error, (500, "internal"))
            pace = Deferred()
        self.assertEqual(len(self.flushLoggedErrors(CancelledError)), 2)

    def test_nobody_to_tell(self) -> None:
        """It is logged also when the client has gone."""
        pace = Deferred[None]()
        self.house.store.pace = lambda: pace
        self.web.ask("POST", "/feed/posts?as=bob", b'{"body":{}}')
        self.web.lose()
        pace.errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    @staticmethod
    async def fail_oddly() -> None:
        """A database that is broken in a way nobody thought of."""
        raise ZeroDivisionError("secret")

    @staticmethod
    async def in_time() -> None:
        """A database that works."""


class ShapeTests(WebTestCase):
    """``{"error": {…}}``."""

    def test_plain(self) -> None:
        """The code and a text."""
        self.assertEqual(
            Refusal(400, "c", "t").json(False), b'{"error":{"code":"c","message":"t"}}'
        )

    def test_all(self) -> None:
        """For a JSONP caller the status, and when to ask again."""
        error = msgspec.json.decode(Refusal(503, "c", "t", 2).json(True))["error"]
        self.assertEqual(error, {"code": "c", "message": "t", "status": 503, "retry_after": 2})

    def test_safe(self) -> None:
        """Whatever the text is, it can stand in a script."""
        self.assertEqual(Refusal(400, "c", "</script>\u2028").json(False).count(b"<"), 0)
        self.assertIn(b"\\u2028", Refusal(400, "c", "\u2028").json(False))
