"""
Which pages may ask: CORS for exactly the allowed origins, and the rule that a cookie alone opens
nothing to the others.
"""

from feedd.web.origin import Origins
from tests.browser import SITE, WebTestCase
from tests.wire import Reply

EVIL = "https://evil.example"
COOKIE = {"Cookie": "user=bob"}
CORS = (
    "Access-Control-Allow-Origin",
    "Access-Control-Allow-Credentials",
    "Access-Control-Allow-Methods",
)
FOREIGN = (
    EVIL,
    "null",
    "",
    SITE + ".evil.example",
    SITE + ":444",
    "http://www.example.org",
    "https://evil.example/" + SITE,
    SITE + "@evil.example",
    SITE + "/",
    "https://example.org",
    f"{SITE} {EVIL}",
    "*",
    "\xe9",
)


class CORSTests(WebTestCase):
    """The Access-Control headers."""

    def preflight(self, origin: str, path: str = "/feed/posts") -> Reply:
        """The answer to what a browser asks before it asks."""
        wanted = {
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        }
        return self.web.request("OPTIONS", path, None, {"Origin": origin} | wanted)

    def test_allowed(self) -> None:
        """An allowed origin may read answers, with its cookies."""
        for path, status in (
            ("/feed/init?as=bob", 200),
            ("/feed/init", 401),
            ("/nowhere", 404),
            ("/feed/posts", 405),
        ):
            reply = self.web.get(path, {"Origin": SITE})
            self.assertEqual(reply.status, status)
            self.assertEqual(reply.headers.get_all("Access-Control-Allow-Origin"), [SITE])
            self.assertEqual(reply.headers["Access-Control-Allow-Credentials"], "true")
            self.assertEqual(reply.headers["Vary"], "Origin")

    def test_default_port(self) -> None:
        """The default port of a scheme says nothing, in the settings and in a request."""
        self.assertEqual(Origins([SITE]).allows(SITE + ":443"), SITE + ":443")
        self.assertEqual(Origins([SITE + ":443"]).allows(SITE), SITE)
        self.assertEqual(
            Origins(["http://Own.example:80"]).allows("http://own.example"), "http://own.example"
        )
        for origin in (SITE + ":80", SITE + ":4443", "http://www.example.org:443"):
            self.assertIsNone(Origins([SITE]).allows(origin))

    def test_parked(self) -> None:
        """Also the answer to a parked poll."""
        self.web.ask("GET", f"/feed/poll?as=bob&cursor={self.cursor()}", None, {"Origin": SITE})
        self.post("alice")
        self.assertEqual(self.web.reply().headers["Access-Control-Allow-Origin"], SITE)

    def test_retry_after(self) -> None:
        """When to ask again can be read by the page's script, in the header as well."""
        self.house.store.away = True
        exposed = "Access-Control-Expose-Headers"
        reply = self.web.get("/feed/init?as=bob", {"Origin": SITE})
        self.assertEqual((reply.status, reply.headers[exposed]), (503, "Retry-After"))
        self.assertIsNone(self.web.get("/feed/init?as=bob").headers[exposed])
        self.assertIsNone(self.web.get("/feed/init", {"Origin": SITE}).headers[exposed])

    def test_foreign(self) -> None:
        """Any other is not even named, and the answer is not kept for another."""
        for origin in FOREIGN:
            reply = self.web.get("/feed/init?as=bob", {"Origin": origin})
            self.assertEqual([reply.headers[name] for name in CORS], [None] * 3)
            self.assertEqual(reply.headers["Vary"], "Origin")

    def test_none(self) -> None:
        """No origin, no header; but the cache has to know."""
        reply = self.web.get("/feed/init?as=bob")
        self.assertEqual([reply.headers[name] for name in CORS], [None] * 3)
        self.assertEqual(reply.headers["Vary"], "Origin")

    def test_preflight(self) -> None:
        """A preflight of an allowed origin says what it may send."""
        reply = self.preflight(SITE)
        self.assertEqual((reply.status, reply.body), (204, b""))
        self.assertEqual(reply.headers["Access-Control-Allow-Origin"], SITE)
        self.assertEqual(reply.headers["Access-Control-Allow-Credentials"], "true")
        self.assertEqual(reply.headers["Access-Control-Allow-Methods"], "OPTIONS, POST")
        for name in ("Authorization", "Content-Type", "Idempotency-Key"):
            self.assertIn(name, reply.headers["Access-Control-Allow-Headers"])
        self.assertEqual(reply.headers["Access-Control-Max-Age"], "600")

    def test_preflight_methods(self) -> None:
        """The methods are those of the URL."""
        self.assertEqual(
            self.preflight(SITE, "/feed/posts/1").headers["Access-Control-Allow-Methods"],
            "DELETE, OPTIONS, PATCH",
        )
        self.assertEqual(
            self.preflight(SITE, "/feed/poll").headers["Access-Control-Allow-Methods"],
            "GET, HEAD, OPTIONS",
        )

    def test_foreign_preflight(self) -> None:
        """A preflight of any other origin says nothing."""
        for origin in FOREIGN:
            reply = self.preflight(origin)
            self.assertEqual(reply.status, 204)
            self.assertEqual(
                [name for name in reply.headers if name.lower().startswith("access-control")], []
            )

    def test_split_header(self) -> None:
        """Nothing of a request gets into the headers of its answer."""
        path = "/feed/init?as=bob&callback=f%0d%0aSet-Cookie:%20a=b&x=%0d%0aX-Evil:%201"
        reply = self.web.get(path, {"Origin": SITE + "%0d%0aX-Evil: 1"})
        self.assertEqual(reply.status, 400)
        allowed = {
            "server",
            "date",
            "vary",
            "content-type",
            "content-length",
            "cache-control",
            "x-content-type-options",
        }
        self.assertEqual({name.lower() for name in reply.headers}, allowed)


class CookieTests(WebTestCase):
    """A cookie goes with whatever a foreign page's script tag or form asks for."""

    def asked(self, path: str, headers: dict[str, str], method: str = "GET") -> int:
        """The status of the answer, as JSON says it or as JSONP does."""
        body = b'{"body":{}}' if method == "POST" else None
        reply = self.web.request(method, path, body, COOKIE | headers)
        if "callback" not in path:
            return reply.status
        answer = reply.jsonp("f")
        status: int = answer["error"]["status"] if "error" in answer else 200
        if status == 403:
            self.assertEqual(answer["error"]["code"], "forbidden")
            self.assertNotIn(b"bob", reply.body)
        return status

    def assert_open(self, headers: dict[str, str], is_open: bool) -> None:
        """
        Assert that a request with a cookie and these headers gets in, or not: as a script tag and
        as a form.
        """
        self.assertEqual(
            (headers, self.asked("/feed/init?callback=f", headers)),
            (headers, 200 if is_open else 403),
        )
        self.assertEqual(
            (headers, self.asked("/feed/poll?callback=f&wait=0", headers)),
            (headers, 200 if is_open else 403),
        )
        self.assertEqual(
            (headers, self.asked("/feed/posts", headers, "POST")),
            (headers, 201 if is_open else 403),
        )

    def test_fetch_site(self) -> None:
        """
        A browser that says where the request comes from is believed: scripts cannot set that
        header.
        """
        for site, is_open in (
            ("same-origin", True),
            ("none", True),
            ("same-site", False),
            ("cross-site", False),
            ("", False),
        ):
            self.assert_open({"Sec-Fetch-Site": site}, is_open)

    def test_allowed_origin(self) -> None:
        """A page of an allowed origin gets in, from wherever."""
        for site in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
            self.assert_open({"Origin": SITE} | site, True)
            self.assert_open({"Referer": SITE + "/feed.html?x=" + EVIL} | site, True)

    def test_foreign(self) -> None:
        """No other page does."""
        for site in ({}, {"Sec-Fetch-Site": "cross-site"}):
            self.assert_open(site, False)
            for origin in FOREIGN:
                if origin not in ("", SITE + "/", "http://www.example.org"):
                    self.assert_open({"Origin": origin, "Referer": SITE + "/"} | site, False)
                if origin not in (SITE + "/", "http://www.example.org"):
                    self.assert_open({"Referer": origin + "/"} | site, False)

    def test_old_browser(self) -> None:
        """
        A browser without Sec-Fetch-Site is asked for its Origin or Referer, which may also be the
        host that was asked.
        """
        for own in ("http://www.example.org", "http://WWW.Example.org"):
            self.assert_open({"Origin": own}, True)
            self.assert_open({"Referer": own + "/a/b?c#d"}, True)
        self.assert_open(
            {"Sec-Fetch-Site": "cross-site", "Origin": "http://www.example.org"}, False
        )
        self.assert_open({"Origin": "http://www.example.org:8080"}, False)

    def test_default_port(self) -> None:
        """A Host with the default port of the page's scheme is the page's own."""
        for origin, host in (
            ("http://a.example", "a.example:80"),
            ("http://a.example:80", "A.example"),
            ("https://a.example", "a.example:443"),
            ("https://[::1]/page", "[::1]:443"),
        ):
            self.assertTrue(Origins([]).is_own(None, origin, None, host), (origin, host))
        for origin, host in (
            ("http://a.example", "a.example:443"),
            ("https://a.example", "a.example:80"),
            ("https://a.example", "a.example:4430"),
            ("https://a.example:4430", "a.example"),
        ):
            self.assertFalse(Origins([]).is_own(None, origin, None, host), (origin, host))

    def test_token(self) -> None:
        """Proof that a foreign page does not have opens everything, whatever page it is on."""
        headers = {"Sec-Fetch-Site": "cross-site", "Origin": EVIL}
        for proof in ("?token=bob", "?as=bob"):
            self.assertEqual(self.asked(f"/feed/init{proof}&callback=f", headers), 200)
            self.assertEqual(self.asked(f"/feed/posts{proof}", headers, "POST"), 201)
        self.assertEqual(
            self.asked("/feed/init?callback=f", headers | {"Authorization": "Bearer bob"}), 200
        )

    def test_plain_get(self) -> None:
        """A GET of JSON is open: a foreign page cannot read it."""
        for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": EVIL}):
            self.assertEqual(self.asked("/feed/init", headers), 200)
        self.assertIsNone(
            self.web.get("/feed/init", COOKIE | {"Origin": EVIL}).headers[
                "Access-Control-Allow-Origin"
            ]
        )

    def test_every_change(self) -> None:
        """No change is open to a foreign page, whatever its method."""
        for method, path, body in (
            ("POST", "/feed/posts", b'{"body":{}}'),
            ("PATCH", "/feed/posts/1", b'{"body":{}}'),
            ("DELETE", "/feed/posts/1", None),
            ("PUT", "/feed/marker", b'{"post":1}'),
        ):
            reply = self.web.request(method, path, body, COOKIE | {"Sec-Fetch-Site": "cross-site"})
            self.assert_refused(reply, 403, "forbidden", "cookie alone")
        self.assertEqual(self.house.store.asked.total(), 0)

    def test_no_host(self) -> None:
        """Without a Host nothing is its own."""
        self.assertFalse(Origins([]).is_own(None, "http://www.example.org", None, None))
