"""Connections: the bytes of HTTP/1.1 in any portions, in any time."""

from twisted.internet.interfaces import ITCPTransport
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs
from zope.interface import implementer  # type: ignore[import-untyped]

from tests.browser import Browser, WebTestCase
from tests.wire import spell

INIT = spell("GET", "/feed/init?as=bob")


@implementer(ITCPTransport)
class TCP(StringTransport):
    """A transport that knows TCP's options."""

    def __init__(self) -> None:
        super().__init__()
        self.options: dict[str, bool] = {}

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.options["keepalive"] = enabled

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.options["nodelay"] = enabled


class PortionTests(WebTestCase):
    """Requests do not come one a read."""

    def test_byte_by_byte(self) -> None:
        """A request is a request however it was cut."""
        self.web.expect("POST")
        for byte in spell("POST", "/feed/posts?as=bob", b'{"body":{"a":1}}'):
            self.assertEqual(self.web.wire.value(), b"")
            self.web.send(bytes([byte]))
        self.assertEqual(self.web.reply().status, 201)

    def test_kept_alive(self) -> None:
        """A connection takes one request after the other, also after an error."""
        for path, status in (
            ("/feed/init?as=bob", 200),
            ("/nowhere", 404),
            ("/feed/init", 401),
            ("/status", 200),
        ):
            self.assertEqual(self.web.get(path).status, status)
        self.assertFalse(self.web.dropped)

    def test_pipelined(self) -> None:
        """Requests sent in one breath are answered in their order."""
        self.web.expect("GET", "HEAD", "POST", "GET")
        post = spell("POST", "/feed/posts?as=bob", b'{"body":{}}')
        self.web.send(INIT + spell("HEAD", "/status") + post + spell("GET", "/nowhere"))
        self.house.clock.advance(0)
        self.assertEqual([reply.status for reply in self.web.replies()], [200, 200, 201, 404])

    def test_pipelined_behind_a_poll(self) -> None:
        """A request behind a parked poll waits until that is answered."""
        self.web.ask("GET", "/feed/poll?as=bob&cursor=" + self.cursor())
        self.web.ask("GET", "/feed/init?as=bob")
        self.assertEqual(self.web.replies(), [])
        self.post("alice")
        poll, init = self.web.replies()
        self.assertEqual(len(poll.json["events"]), 1)
        self.assertEqual(len(init.json["posts"]), 1)

    def test_pipelined_polls(self) -> None:
        """A poll behind a poll is read while the first one's answer is being written."""
        cursor = self.cursor()
        for _ in range(2):
            self.web.ask("GET", "/feed/poll?as=bob&cursor=" + cursor)
        self.post("alice")
        self.assertEqual([len(reply.json["events"]) for reply in self.web.replies()], [1, 1])

    def test_not_http(self) -> None:
        """What is no HTTP is told so, and dropped."""
        self.web.send(b"EHLO mail.example.org\r\n")
        self.assertTrue(self.web.wire.value().startswith(b"HTTP/1.1 400 "))
        self.assertTrue(self.web.dropped)

    def test_http_1_0(self) -> None:
        """An old client gets its answer, and the connection ends."""
        self.web.send(b"GET /feed/init?as=bob HTTP/1.0\r\n\r\n")
        self.assertTrue(self.web.wire.value().startswith(b"HTTP/1.0 200 OK\r\n"))
        self.assertTrue(self.web.dropped)

    def test_close(self) -> None:
        """So does one that asks for it."""
        reply = self.web.get("/feed/init?as=bob", {"Connection": "close"})
        self.assertEqual((reply.status, reply.headers["Connection"]), (200, "close"))
        self.assertTrue(self.web.dropped)

    def test_tcp(self) -> None:
        """A peer that vanishes is noticed, and small answers do not wait."""
        wire = TCP()
        browser = self.browse()
        browser.channel.makeConnection(wire)
        self.assertEqual(wire.options, {"keepalive": True, "nodelay": True})


class TimeTests(WebTestCase):
    """A request may take so long to arrive and no longer; an answer may take its time."""

    def trickle(self, browser: Browser, data: bytes, seconds: int) -> None:
        """A byte every second."""
        for second in range(seconds):
            browser.send(data[second : second + 1])
            self.house.advance(1)

    def test_slow_headers(self) -> None:
        """Headers that never end are not waited for, though each byte comes in time."""
        self.trickle(self.web, INIT, 14)
        self.assertFalse(self.web.dropped)
        self.trickle(self.web, INIT[14:], 1)
        self.assertTrue(self.web.wire.disconnected)
        self.assertEqual(self.house.counters["http_slow_requests"], 1)

    def test_slow_body(self) -> None:
        """Nor is a body."""
        self.web.send(spell("POST", "/feed/posts?as=bob", None, {"Content-Length": "100"}))
        self.trickle(self.web, b" " * 100, 15)
        self.assertTrue(self.web.wire.disconnected)

    def test_slow_second_request(self) -> None:
        """Nor is a request that began in the same read as the one before."""
        self.web.expect("GET")
        self.web.send(INIT + b"GET /feed/init HTTP/1.1\r\n")
        self.assertEqual(self.web.reply().status, 200)
        self.house.clock.advance(0)
        self.trickle(self.web, b"X-Slow: " + b"x" * 20, 15)
        self.assertTrue(self.web.wire.disconnected)

    def test_slow_behind_a_poll(self) -> None:
        """For a request behind a parked poll the time begins with the poll's answer."""
        self.web.ask("GET", "/feed/poll?as=bob&cursor=" + self.cursor())
        self.web.send(b"GET /feed/init HTTP/1.1\r\n")
        self.house.advance(40)
        self.assertFalse(self.web.dropped)
        self.post("alice")
        self.assertEqual(len(self.web.reply().json["events"]), 1)
        self.house.advance(14.5)
        self.assertFalse(self.web.dropped)
        self.house.advance(1)
        self.assertTrue(self.web.wire.disconnected)

    def test_in_time(self) -> None:
        """
        A request that is complete is not dropped while it waits for its answer, nor is its
        connection later.
        """
        self.web.send(INIT[:10])
        self.house.advance(14)
        self.web.expect("GET")
        self.web.send(INIT[10:])
        self.assertEqual(self.web.reply().status, 200)
        self.web.ask("GET", "/feed/poll?as=bob&cursor=" + self.cursor())
        self.house.advance(49)
        self.assertFalse(self.web.dropped)

    def test_idle(self) -> None:
        """A connection that asks for nothing is closed after a while."""
        self.web.get("/status")
        self.house.advance(64)
        self.assertFalse(self.web.dropped)
        self.house.advance(2)
        self.assertTrue(self.web.dropped)

    def test_idle_quietly(self) -> None:
        """No line of the log says so, also not when the peer does not let it go."""
        self.web.get("/status")
        with capturedLogs() as events:
            self.house.advance(66)
            self.assertTrue(self.web.dropped)
            self.house.advance(14)
            self.assertFalse(self.web.wire.disconnected)
            self.house.advance(2)
        self.assertTrue(self.web.wire.disconnected)
        self.assertEqual(list(events), [])

    def test_answer_not_taken(self) -> None:
        """
        A peer that does not take the last answer of its connection is not waited for without end.
        """
        self.web.get("/feed/init?as=bob", {"Connection": "close"})
        self.house.advance(64)
        self.assertFalse(self.web.wire.disconnected)
        self.house.advance(2)
        self.assertTrue(self.web.wire.disconnected)
