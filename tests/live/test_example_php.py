"""
The site of ``etc/examples/php`` behind a real Apache with PHP, driven by real HTTP, and feedd
beside it: a form, a transaction, the bell, and a friend's JSONP poll that the cookie of PHP's
session opens.
"""

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from tests.live import servers
from tests.live.chromium import Window
from tests.live.php_site import KEY, PASSWORD, SiteCase, Visitor
from tests.live.test_demo_page import chromium
from tests.live.test_end_to_end import HOSTILE

_WAITING = """
SELECT 1 FROM information_schema.processlist
WHERE state LIKE '%metadata lock%' AND info LIKE 'INSERT INTO articles%'
"""


class PublishTests(SiteCase):
    """The flow of 2011: a transaction, and the bell."""

    async def test_bell(self) -> None:
        """What php-amqp publishes after the COMMIT answers a friend's poll, without the net."""
        await self.told(HOSTILE, self.place.bell)
        self.assert_written(1, 1)
        self.assertGreater(self.place.bell.details(KEY)["counters"]["amqp_hints"], 0)


class PostingTests(SiteCase):
    """The other ways, and what may be away."""

    async def test_rows_only(self) -> None:
        """Without a bell the net brings the rows."""
        self.configure("insert")
        await self.told(HOSTILE, self.place.feed)
        self.assert_written(1, 1)

    async def test_own_table_only(self) -> None:
        """With triggers to come the site writes its own row, and nothing else."""
        self.configure("table")
        self.assertEqual((await self.alice.write("mine")).status, 303)
        self.assert_written(1, 0)

    async def test_broker_away(self) -> None:
        """A broker that is away does not fail the post: the net brings it."""
        self.configure("publish", broker={"port": servers.free_port()})
        await self.told("no bell", self.place.feed)
        self.assertIn("no bell, the log has it", self.site.errors())

    async def test_database_away(self) -> None:
        """
        A database that is away fails the post, says so, and gives the text back; nothing is kept.
        """
        token = await self.alice.token()
        away = f"mysql:host=127.0.0.1;port={servers.free_port()};dbname=x;charset=utf8mb4"
        self.configure("publish", database={"dsn": away})
        answer = await self.alice.visit("post.php", {"text": HOSTILE, "token": token})
        self.assertEqual(answer.status, 503)
        self.assertEqual(answer.headers.getRawHeaders("retry-after"), ["5"])
        self.assertIn("héllo 😀 &lt;/script&gt;", answer.text)
        self.assert_written(0, 0)

    async def test_half_a_post(self) -> None:
        """When feedd's rows cannot be written, the site's own is not there either."""
        self.query(
            "CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW SIGNAL SQLSTATE '45000'"
        )
        self.addCleanup(self.query, "DROP TRIGGER IF EXISTS refuse")
        self.assertEqual((await self.alice.write("half")).status, 503)
        self.assert_written(0, 0)


class SessionTests(SiteCase):
    """PHP's session, and what it opens."""

    async def test_opens_jsonp(self) -> None:
        """Its cookie opens a JSONP poll for a page of the site, and for no other page."""
        self.assertEqual((await self.bob.jsonp("/feed/init"))["me"], "bob")
        self.bob.page_origin = "https://evil.example/"
        self.assertEqual((await self.bob.jsonp("/feed/init"))["error"]["status"], 403)
        self.bob.page_origin = ""
        self.assertEqual((await self.bob.jsonp("/feed/init"))["error"]["status"], 403)

    async def test_strangers(self) -> None:
        """Who has no session, a made-up one, or has logged out, is nobody."""
        stranger = Visitor(self.site, self.place.feed, "stranger")
        old = dict(self.bob.cookies)
        form = {"what": "out", "token": await self.bob.token()}
        self.assertEqual((await self.bob.visit("login.php", form)).status, 303)
        for cookies in ({}, {"PHPSESSID": "0123456789abcdef0123456789"}, old, self.bob.cookies):
            stranger.cookies = dict(cookies)
            self.assertEqual((await stranger.jsonp("/feed/init"))["error"]["status"], 401)
        self.assertEqual((await stranger.visit("whoami.php")).status, 401)

    async def test_not_locked(self) -> None:
        """While a page of the visitor waits for the database, feedd is told who the visitor is."""
        with self.place.connection() as connection, connection.cursor() as cursor:
            cursor.execute("LOCK TABLES articles WRITE")
            post = Deferred.fromCoroutine(self.alice.write("slow"))
            while not self.query(_WAITING):
                await deferLater(reactor, 0.02)
            self.assertEqual((await self.alice.jsonp("/feed/init"))["me"], "alice")
            self.assertFalse(post.called)
            cursor.execute("UNLOCK TABLES")
        self.assertEqual((await post).status, 303)


class FormTests(SiteCase):
    """What the forms refuse, and how the page writes what it is given."""

    async def test_refused(self) -> None:
        """No token, another's, no form, no text, too much, no UTF-8, nobody: each says so."""
        token = await self.alice.token()
        stranger = Visitor(self.site, self.place.feed, "stranger")
        theirs = await stranger.token()
        for visitor, form, status in (
            (self.alice, {"text": "x"}, 403),
            (self.alice, {"text": "x", "token": theirs}, 403),
            (self.alice, {"text": "x", "token[]": token}, 403),
            (self.alice, None, 405),
            (self.alice, {"text": " ", "token": token}, 400),
            (self.alice, {"text": "é" * 2001, "token": token}, 400),
            (self.alice, {"text": b"\xff", "token": token}, 400),
            (stranger, {"text": "x", "token": theirs}, 403),
        ):
            answer = await visitor.visit("post.php", form)
            self.assertEqual((str(form)[:40], answer.status), (str(form)[:40], status))
            self.assertIn('<p role="alert">', answer.text)
        self.assert_written(0, 0)
        self.assertEqual(
            (await self.alice.visit("post.php", {"text": "é" * 2000, "token": token})).status, 303
        )

    async def test_login(self) -> None:
        """A wrong password is refused, and a login changes the id of the session."""
        carol = Visitor(self.site, self.place.feed, "alice")
        await carol.token()
        before = carol.cookies["PHPSESSID"]
        self.assertEqual((await carol.log_in("wrong")).status, 403)
        self.assertIsNone((await carol.visit("whoami.php")).json["user"])
        self.assertEqual((await carol.log_in()).status, 303)
        self.assertNotEqual(carol.cookies["PHPSESSID"], before)
        self.assertEqual((await carol.visit("whoami.php")).json, {"user": "alice"})
        carol.user = "' OR '1'='1"
        self.assertEqual((await carol.log_in()).status, 403)

    async def test_page(self) -> None:
        """The page lets no foreign script run, and its cookie is not a script's to read."""
        page = await Visitor(self.site, self.place.feed, "x").visit("index.php")
        policy = page.headers.getRawHeaders("content-security-policy")[0]
        self.assertIn("default-src 'none'", policy)
        self.assertIn(f"script-src 'self' {self.place.feed.url}", policy)
        cookie = page.headers.getRawHeaders("set-cookie")[0]
        self.assertRegex(cookie, "HttpOnly; SameSite=Lax")


class WindowTests(SiteCase):
    """The page in Chromium."""

    async def test_live(self) -> None:
        """
        Bob logs in by the form, and his page shows what alice posts, without a reload, as text; his
        own post appears as well. No script or policy complains.
        """
        window = chromium().open(f"{self.site.url}/")
        self.addCleanup(window.close)
        window.write("[name=name]", "bob")
        window.write("[name=password]", PASSWORD)
        window.click("[value=in]")
        self.assertEqual(window.find("#me").text, "bob")
        await self.alice.write("seen at the load")
        self.shows(window, "alice: seen at the load")
        window.run("window.loaded = 'once'")
        await self.alice.write(HOSTILE)
        self.shows(window, f"alice: {HOSTILE}")
        self.assertEqual(window.run("return window.loaded"), "once")
        window.write("textarea", "from the window")
        window.click("#post button")
        self.shows(window, "bob: from the window")
        self.assertEqual(window.complaints(), [])

    def shows(self, window: Window, text: str) -> None:
        """Return when the newest post on the page is this."""
        newest = "#feed li:first-child"
        window.wait(
            lambda: text in window.texts(newest) or None, text, lambda: window.texts(newest)
        )
