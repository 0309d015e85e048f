"""Requests: how long a body may be."""

import gzip
from io import BytesIO
from tempfile import SpooledTemporaryFile
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


class ExpectTests(WebTestCase):
    """A client may ask first whether its body will be taken (RFC 9110, 10.1.1)."""

    def expect(self, path: str, size: int, method: str = "POST") -> bytes:
        """The answer to the head of a request with `size` bytes to come."""
        head = {"Expect": "100-continue", "Content-Length": str(size)} | KEY
        self.web.send(spell(method, path, None, head))
        return bytes(self.web.wire.value())

    def test_taken(self) -> None:
        """It is told to go on when it will be."""
        body = b'{"body":{}}'
        self.assertEqual(
            self.expect("/feed/posts?as=bob", len(body)), b"HTTP/1.1 100 Continue\r\n\r\n"
        )
        self.web.wire.clear()
        self.web.expect("POST")
        self.web.send(body)
        self.assertEqual(self.web.reply().status, 201)

    def test_chunked(self) -> None:
        """Also when nobody knows how long it will be."""
        head = {"Expect": "100-continue", "Transfer-Encoding": "chunked"}
        self.web.send(spell("POST", "/feed/posts?as=bob", None, head))
        self.assertEqual(self.web.wire.value(), b"HTTP/1.1 100 Continue\r\n\r\n")

    def test_limit_of_the_url(self) -> None:
        """The limit is that of the URL, however it is spelled."""
        for path in ("/api/friendships", "http://h/api/friendship%73?x=1"):
            self.web = self.browse()
            self.assertTrue(self.expect(path, MAX_BODY_BYTES).startswith(b"HTTP/1.1 100 "))

    def test_not_taken(self) -> None:
        """It is refused, with no word of going on, and sends nothing more."""
        for path, size, status in (
            ("/feed/posts?as=bob", 65_537, 413),
            ("/api/friendships", MAX_BODY_BYTES + 1, 413),
            ("/feed/init?as=bob", 65_537, 405),
            ("/nowhere", 65_537, 404),
            ("/", 65_537, 405),
            ("/feed", 65_537, 404),
        ):
            self.web = self.browse()
            self.web.expect("POST")
            self.expect(path, size)
            reply = self.web.reply()
            self.assertEqual((path, reply.status), (path, status))
            self.assertEqual(reply.headers["Connection"], "close")
            self.assertTrue(self.web.dropped)
            self.web.send(b"GET /status HTTP/1.1\r\n\r\n")
            self.assertEqual(self.web.replies(), [])

    def test_nothing_to_send(self) -> None:
        """Without a body there is nothing to ask."""
        self.web.expect("GET")
        self.expect("/feed/init?as=bob", 0, "GET")
        self.assertEqual(self.web.reply().status, 200)
        self.assertFalse(self.web.dropped)


class EncodingTests(WebTestCase):
    """A body comes as it is."""

    def test_encoded(self) -> None:
        """A compressed one is refused, before it comes, and thrown away."""
        body = gzip.compress(b'{"body":{}}')
        for encoding in ("gzip", "GZip", "br", "identity, gzip", "x"):
            self.web.expect("POST")
            head = {"Content-Encoding": encoding, "Content-Length": str(len(body))}
            self.web.send(spell("POST", "/feed/posts?as=bob", None, head))
            reply = self.web.reply()
            self.assert_refused(reply, 415, "encoded", "Content-Encoding")
            self.assertEqual(reply.headers["Accept-Encoding"], "identity")
            self.web.send(body)
        self.assertEqual(self.web.get("/feed/init?as=bob").json["posts"], [])

    def test_chunked(self) -> None:
        """Also one in chunks, and one of which a client asks first."""
        head = {"Content-Encoding": "gzip", "Transfer-Encoding": "chunked"}
        self.web.expect("POST", "POST")
        self.web.send(spell("POST", "/feed/posts?as=bob", None, head) + b"1\r\nx\r\n0\r\n\r\n")
        self.assert_refused(self.web.reply(), 415, "encoded")
        self.web.send(spell("POST", "/feed/posts?as=bob", None, head | {"Expect": "100-continue"}))
        self.assert_refused(self.web.reply(), 415, "encoded")
        self.assertTrue(self.web.dropped)

    def test_plain(self) -> None:
        """The encoding "identity" is none, and where there is no body it does not matter."""
        plain = {"Content-Encoding": "identity"}
        reply = self.web.request("POST", "/feed/posts?as=bob", b'{"body":{}}', plain)
        self.assertEqual(reply.status, 201)
        reply = self.web.get("/feed/init?as=bob", {"Content-Encoding": "gzip"})
        self.assertEqual(reply.status, 200)


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

    def test_before_the_upload(self) -> None:
        """The length that is announced is enough; what comes all the same is thrown away."""
        self.web.expect("POST")
        body = self.post_of(65_537)
        self.web.send(spell("POST", "/feed/posts?as=bob", body)[: -len(body)])
        self.assert_refused(self.web.reply(), 413, "too_large", "65536")
        for start in range(0, len(body), 8000):
            self.assertEqual(self.web.replies(), [])
            self.web.send(body[start : start + 8000])
        self.assertEqual(self.web.get("/feed/init?as=bob").json["posts"], [])

    def test_before_a_slow_upload(self) -> None:
        """The rest has to come in time, as that of any request."""
        self.web.send(spell("POST", "/feed/posts?as=bob", None, {"Content-Length": "65537"}))
        self.house.advance(14)
        self.assertFalse(self.web.dropped)
        self.house.advance(1)
        self.assertTrue(self.web.wire.disconnected)

    def test_gone_within_the_upload(self) -> None:
        """A client may go once it has been refused."""
        self.web.send(spell("POST", "/feed/posts?as=bob", None, {"Content-Length": "65537"}))
        self.web.lose()

    def test_behind_the_upload(self) -> None:
        """The next request may come in the same read as the end of the body."""
        self.web.expect("POST", "GET")
        body = b"x" * 65_537
        self.web.send(spell("POST", "/feed/posts?as=bob", body) + spell("GET", "/status"))
        self.house.advance(1)
        self.assertEqual([reply.status for reply in self.web.replies()], [413, 200])

    def test_length_of_many_digits(self) -> None:
        """More digits than Python reads are no length."""
        self.web.send(spell("POST", "/feed/posts?as=bob", None, {"Content-Length": "1" * 5_000}))
        self.assertTrue(self.web.wire.value().startswith(b"HTTP/1.1 400 "))
        self.assertTrue(self.web.wire.disconnecting or self.web.wire.disconnected)

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

    def test_chunked_too_large(self) -> None:
        """What comes in chunks is kept up to the limit of its URL, and thrown away past it."""
        self.web.expect("POST")
        wire = self.chunked(*[b"x" * 10_000] * 7)
        self.web.send(wire[:-5])
        (request,) = self.web.channel.requests
        self.assertEqual((request.received, request.content.tell()), (70_000, 60_000))
        self.web.send(wire[-5:])
        self.assert_refused(self.web.reply(), 413, "too_large", "65536")

    def test_chunked_without_a_file(self) -> None:
        """One takes no file, of which a process has few: anybody may begin many."""
        for length, kind in (
            (None, SpooledTemporaryFile),
            (100_000, SpooledTemporaryFile),
            (9, BytesIO),
        ):
            self.assertIsInstance(self.house.site.getContentFile(length), kind)

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
