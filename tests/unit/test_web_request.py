"""Requests: how long a body may be."""

from typing import Any

from feedd.feed.settings import HTTP
from feedd.web.server.request import MAX_BODY_BYTES
from tests.browser import KEY, House, WebTestCase
from tests.wire import spell


class TargetTests(WebTestCase):
    """The target of a request may name its host."""

    def test_absolute(self) -> None:
        """With the scheme and the host in front it is the same URL."""
        for target, status in (
            ("http://www.example.org/feed/init?as=bob", 200),
            ("HTTPS://[::1]:8080/feed/init?as=bob", 200),
            ("http://www.example.org", 200),
            ("http://www.example.org?as=bob", 200),
            ("http://www.example.org/nowhere", 404),
            ("http:///feed/init?as=bob", 404),
            ("ftp://www.example.org/feed/init?as=bob", 404),
        ):
            self.assertEqual((target, self.web.get(target).status), (target, status))

    def test_poll(self) -> None:
        """A poll as well."""
        cursor = self.cursor()
        self.web.ask("GET", f"http://www.example.org/feed/poll?as=bob&cursor={cursor}")
        self.post("alice")
        self.assertEqual(len(self.web.reply().json["events"]), 1)

    def test_host(self) -> None:
        """The host of the target counts, not that of the header."""
        for host, status in (("own.example", 201), ("www.example.org", 403)):
            reply = self.web.request(
                "POST",
                f"http://{host}/feed/posts",
                b'{"body":{}}',
                {"Cookie": "user=bob", "Origin": "http://own.example"},
            )
            self.assertEqual((host, reply.status), (host, status))


class SizeTests(WebTestCase):
    """A body may be so long and no longer."""

    def post_of(self, size: int) -> bytes:
        """A post whose whole body has `size` bytes."""
        frame = b'{"body":{"text":"%s"}}'
        return frame % (b"x" * (size - len(frame) + 2))

    def chunked(self, *chunks: bytes) -> bytes:
        """A post in chunks."""
        head = spell("POST", "/feed/posts?as=bob", None, {"Transfer-Encoding": "chunked"})
        return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))

    def test_largest(self) -> None:
        """64 KiB are fine."""
        body = self.post_of(65_536)
        self.assertEqual(len(body), 65_536)
        self.assertEqual(self.web.request("POST", "/feed/posts?as=bob", body).status, 201)

    def test_too_large(self) -> None:
        """One byte more is not, and the connection goes on."""
        reply = self.web.request("POST", "/feed/posts?as=bob", self.post_of(65_537))
        self.assert_refused(reply, 413, "too_large", "65536")
        self.assertEqual(self.house.store.posts, {})
        self.assertEqual(self.web.get("/feed/init?as=bob").status, 200)

    def test_limit_is_a_setting(self) -> None:
        """The limit is the site's, also where it is more than any request may send otherwise."""
        self.use(House(http=HTTP(max_body_bytes=4 * MAX_BODY_BYTES)))
        self.assertEqual(
            self.web.request("POST", "/feed/posts?as=bob", self.post_of(3 * MAX_BODY_BYTES)).status,
            201,
        )

    def test_backend(self) -> None:
        """The site's own servers may send more, but not without end."""
        path = "/api/friendships"
        self.assertEqual(self.web.request("POST", path, b" " * 100_000 + b"{}", KEY).status, 200)
        self.assert_refused(
            self.web.request("POST", path, b" " * (MAX_BODY_BYTES + 1), KEY),
            413,
            "too_large",
            "2097152",
        )

    def test_chunked(self) -> None:
        """A body may come in chunks."""
        self.web.expect("POST")
        self.web.send(self.chunked(b'{"body":', b'{"text":"hi"}}'))
        self.assertEqual(self.web.reply().status, 201)
        self.assertEqual([body for _, body in self.house.store.posts.values()], [b'{"text":"hi"}'])

    def test_chunked_without_end(self) -> None:
        """What is too much is thrown away as it comes."""
        self.web.expect("POST")
        request: Any = None
        for piece in [self.chunked(*[b" " * 65_536] * 80)[:-5], b"0\r\n\r\n"]:
            self.web.send(piece)
            request = request or self.web.channel.requests[0]
            kept = 0 if request.finished else request.content.tell()
            self.assertLessEqual(kept, MAX_BODY_BYTES)
        self.assert_refused(self.web.reply(), 413, "too_large")
        self.assertEqual(request.received, 80 * 65_536)

    def test_body_nobody_asked_for(self) -> None:
        """A GET with a body is a GET."""
        self.assertEqual(self.web.request("GET", "/feed/init?as=bob", b"x" * 1000).status, 200)
        self.assertEqual(
            self.web.request("GET", "/feed/init?as=bob", b"x" * 70_000).error, (413, "too_large")
        )

    def test_gone_within_a_body(self) -> None:
        """A client that goes before its request is complete has asked for nothing."""
        self.web.send(spell("POST", "/feed/posts?as=bob", self.post_of(1000))[:-1])
        self.web.lose()
        self.assertEqual(self.house.store.asked["add_post"], 0)

    def test_endless_line(self) -> None:
        """A URL without end is not read without end."""
        self.web.send(b"GET /" + b"x" * 20_000)
        self.assertTrue(self.web.dropped)
