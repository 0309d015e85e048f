"""URLs and methods that are not there, HEAD and OPTIONS, and errors that nobody expected."""

from twisted.internet.defer import CancelledError, Deferred

from tests.browser import KEY, SITE, URLS, WebTestCase


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
        for path, method in URLS.items():
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
        for path, method in URLS.items():
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
        for path, method in URLS.items():
            reply = self.web.request("OPTIONS", path)
            self.assertEqual((reply.status, reply.body), (204, b""))
            self.assertIn(method, reply.headers["Allow"].split(", "))
            self.assertIn("OPTIONS", reply.headers["Allow"].split(", "))
        self.assertEqual(self.web.request("OPTIONS", "*").status, 200)


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
