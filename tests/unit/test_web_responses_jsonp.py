"""JSONP: the callback's name, what may stand in a script, and errors that a script tag can see."""

from urllib.parse import quote

from tests.browser import WebTestCase
from tests.wire import Reply

TEXT = "</script><!-- \u2028\u2029 😀 é \\ ' \" \x00 \r\n"


class CallbackTests(WebTestCase):
    """What a callback may be called."""

    def test_names(self) -> None:
        """Identifiers with dots, up to 100 characters."""
        for name in ("f", "$a.b_c", "_", "$", "jQuery1830_17", "A" * 100, "a.b.c", "a..b"):
            reply = self.web.get(f"/feed/init?as=bob&callback={name}")
            self.assertEqual(reply.status, 200)
            self.assertEqual(reply.headers["Content-Type"], "application/javascript; charset=utf-8")
            self.assertEqual(reply.headers["X-Content-Type-Options"], "nosniff")
            self.assertEqual(reply.headers["Cache-Control"], "no-store")
            self.assertEqual(reply.jsonp(name)["me"], "bob")

    def test_no_names(self) -> None:
        """Anything else is a 400 that names the argument and repeats nothing of it."""
        wrong = [
            "alert(1)//",
            "A" * 101,
            "",
            "1a",
            "a-b",
            "a b",
            "a(",
            "a\n",
            "é",
            "a%00",
            "%FF",
            "%EF%BC%A1",
            ".a",
            "a[0]",
            "<b>",
        ]
        wrong += ["alert(document.cookie);f", "a=1", "/**/a"]
        for path in (
            "/feed/init?as=bob",
            "/feed/poll?as=bob",
            "/status?",
            "/nowhere?",
            "/?",
            "/feed/posts?",
        ):
            for name in wrong:
                reply = self.web.get(f"{path}&callback={quote(name, safe='%')}")
                self.assert_refused(
                    reply, 400, "bad_argument", "callback: must be a function's name"
                )
                self.assertNotIn(b"alert", reply.body)
            self.assert_refused(
                self.web.get(f"{path}&callback=f&callback=f"),
                400,
                "bad_argument",
                "callback: given more",
            )

    def test_only_get(self) -> None:
        """A POST is JSON, whatever it says."""
        reply = self.web.request("POST", "/feed/posts?as=bob&callback=f", b'{"body":{}}')
        self.assertEqual((reply.status, reply.headers["Content-Type"]), (201, "application/json"))
        self.assert_refused(
            self.web.request("POST", "/feed/posts?as=bob&callback=f", b""), 400, "bad_body"
        )

    def test_head(self) -> None:
        """A HEAD has the headers of the script."""
        reply = self.web.request("HEAD", "/feed/init?as=bob&callback=f")
        self.assertEqual(reply.headers["Content-Type"], "application/javascript; charset=utf-8")


class AnswerTests(WebTestCase):
    """Every GET as JSONP."""

    def get(self, path: str) -> Reply:
        """The script at `path`, for bob."""
        return self.web.get(f"{path}{'&' if '?' in path else '?'}as=bob&callback=f")

    def test_success(self) -> None:
        """The same as the JSON, in a call."""
        self.post("alice")
        for path in ("/feed/init", "/feed/friends", "/status"):
            self.assertEqual(self.get(path).jsonp("f"), self.web.get(path + "?as=bob").json)

    def test_poll(self) -> None:
        """A poll that was parked, too."""
        self.web.ask("GET", f"/feed/poll?as=bob&callback=feed.poll&cursor={self.cursor()}")
        self.post("alice", TEXT)
        reply = self.web.reply()
        (event,) = reply.jsonp("feed.poll")["events"]
        self.assertEqual(event["body"], {"text": TEXT})
        self.assertEqual(reply.headers["Content-Type"], "application/javascript; charset=utf-8")

    def test_deadline(self) -> None:
        """And one whose time was over."""
        self.web.ask("GET", f"/feed/poll?as=bob&callback=f&cursor={self.cursor()}")
        self.house.advance(51)
        self.assertEqual(self.web.reply().jsonp("f")["events"], [])

    def test_errors(self) -> None:
        """A script tag sees no status: the answer is 200, and the error has it."""
        for path, status, code in (
            ("/feed/init?limit=0", 400, "bad_argument"),
            ("/feed/poll?cursor=x", 400, "bad_cursor"),
            ("/feed/init?as=bob", 400, "bad_argument"),
            ("/nowhere", 404, "not_found"),
            ("/feed/posts/abc", 404, "not_found"),
            ("/feed/posts/1", 405, "method_not_allowed"),
            ("/api/posts", 405, "method_not_allowed"),
        ):
            reply = self.get(path)
            self.assertEqual((path, reply.status), (path, 200))
            error = reply.jsonp("f")["error"]
            self.assertEqual(set(error), {"code", "message", "status"})
            self.assertEqual((error["status"], error["code"]), (status, code))

    def test_nobody(self) -> None:
        """So it is for who is nobody."""
        error = self.web.get("/feed/init?callback=f").jsonp("f")["error"]
        self.assertEqual((error["status"], error["code"]), (401, "unauthorized"))

    def test_too_large(self) -> None:
        """And for who sends too much."""
        reply = self.web.request("GET", "/feed/init?callback=f", b"x" * 70_000)
        self.assertEqual((reply.status, reply.jsonp("f")["error"]["status"]), (200, 413))

    def test_away(self) -> None:
        """When to ask again is in the error as well as in the header."""
        self.house.store.away = True
        reply = self.get("/feed/init")
        error = reply.jsonp("f")["error"]
        self.assertEqual(
            (error["status"], error["retry_after"], reply.headers["Retry-After"]), (503, 2, "2")
        )

    def test_not_ready(self) -> None:
        """A status that is not ready is no error, and can be read as well."""
        self.house.troubles["broker"] = "refused"
        reply = self.get("/status")
        self.assertEqual((reply.status, reply.jsonp("f")["ready"]), (200, False))


class EscapeTests(WebTestCase):
    """What users write can stand in a script or a page."""

    def assert_safe(self, reply: Reply) -> None:
        """Assert that nothing in `reply` ends a script or a line of one."""
        for raw in (b"<", b"\n", b"\r", b"\x00", "\u2028".encode(), "\u2029".encode()):
            self.assertNotIn(raw, reply.body)

    def test_page(self) -> None:
        """The posts of a page."""
        self.post("alice", TEXT)
        for callback in ("", "&callback=f"):
            reply = self.web.get(f"/feed/init?as=bob{callback}")
            self.assert_safe(reply)
        self.assertEqual(self.web.get("/feed/init?as=bob").json["posts"][0]["body"]["text"], TEXT)

    def test_poll(self) -> None:
        """The events of a poll, hot and cold."""
        cursor = self.cursor()
        self.post("alice", TEXT)
        for path in (f"/feed/poll?as=bob&cursor={cursor}", "/feed/poll?as=bob&cursor=k1.0"):
            for callback in ("", "&callback=f"):
                reply = self.web.get(path + callback)
                self.assert_safe(reply)
                self.assertIn("😀".encode(), reply.body)

    def test_keys(self) -> None:
        """The names of fields."""
        self.web.request("POST", "/feed/posts?as=bob", '{"body":{"</script>\u2028":"<"}}'.encode())
        self.assert_safe(self.web.get("/feed/init?as=bob&callback=f"))

    def test_foreign_layout(self) -> None:
        """
        A body with line breaks between its tokens, as a site's own writer may put it into the log.
        """
        cursor = self.cursor()
        transaction = self.house.store.begin()
        self.house.store.insert_post(transaction, "alice", b'{\r\n "text":\n"<"}')
        for event in transaction.commit():
            self.house.log.offer(event)
        self.house.clock.advance(0)
        reply = self.web.get(f"/feed/poll?as=bob&callback=f&cursor={cursor}")
        self.assert_safe(reply)
        self.assertEqual(reply.jsonp("f")["events"][0]["body"], {"text": "<"})

    def test_status(self) -> None:
        """The reason of a trouble."""
        self.house.troubles["cache"] = "</script>\u2028"
        self.assert_safe(self.web.get("/status?callback=f"))
