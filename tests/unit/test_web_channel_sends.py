"""An answer of the plain way: one send, as far as the socket takes it."""

from twisted.internet.testing import StringTransport

from tests.browser import Browser, WebTestCase
from tests.sockets import Socket
from tests.wire import spell

STATUS = spell("GET", "/status")
POST = spell("POST", "/feed/posts?as=bob", b'{"body":{"a":1}}')


class Writes(StringTransport):
    """
    No socket, as TLS is none.

    :ivar pieces: what was written, a piece each time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Keep the piece."""
        self.pieces.append(data)
        super().write(data)


class CountedSocket(Socket):
    """
    A socket that counts.

    :ivar asked: how often it was asked for its own address.
    """

    asked = 0

    def getHost(self) -> str:
        """The address."""
        self.asked += 1
        return "here"


class SendTests(WebTestCase):
    """Connections on sockets whose peers take what the test says."""

    def connect(self, room: int = 10**9) -> tuple[Browser, Socket]:
        """A connection on a socket with so much room."""
        wire = Socket(room)
        return self.browse(wire), wire

    def test_one_send(self) -> None:
        """Head and body go out together and at once; the reactor has nothing left to do."""
        browser, wire = self.connect()
        browser.ask("POST", "/feed/posts?as=bob", b'{"body":{"a":1}}')
        self.assertEqual((wire.tries, wire.writes), (1, False))
        self.assertEqual(browser.reply().status, 201)

    def test_no_body(self) -> None:
        """Nor has it after a HEAD."""
        browser, wire = self.connect()
        browser.ask("HEAD", "/status")
        self.assertEqual((wire.tries, wire.writes), (1, False))
        reply = browser.reply()
        self.assertEqual((reply.status, reply.body), (200, b""))
        self.assertGreater(int(reply.headers["Content-Length"]), 0)

    def test_in_part(self) -> None:
        """What did not fit follows, wherever the cut was."""
        for room in (0, 1, 100, 200):
            browser, wire = self.connect(room)
            browser.ask("GET", "/feed/init?as=bob")
            self.assertEqual(len(wire.value()), room)
            while wire.writes:
                wire.drain(7)
            self.assertEqual(browser.reply().json["me"], "bob")

    def test_order(self) -> None:
        """An answer does not overtake what is queued."""
        browser, wire = self.connect(50)
        browser.expect("GET", "POST")
        browser.send(STATUS)
        wire.room = 10**9
        browser.send(POST)
        wire.drain()
        self.assertEqual([reply.status for reply in browser.replies()], [200, 201])

    def test_lost(self) -> None:
        """A connection that turns out to be lost is left to the reactor, which finds out."""
        browser, wire = self.connect()
        wire.lost = True
        browser.ask("GET", "/status")
        self.assertTrue(wire.writes)
        self.assertIsNotNone(wire.drain())

    def test_not_a_socket(self) -> None:
        """What is no socket, as TLS, gets head and body in one write."""
        wire = Writes()
        self.browse(wire).send(STATUS)
        (piece,) = wire.pieces
        self.assertIn(b"\r\n\r\n{", piece)

    def test_own_address(self) -> None:
        """The kernel is asked for it once for each connection, not for each request."""
        wire = CountedSocket()
        browser = self.browse(wire)
        for _ in range(3):
            browser.request("GET", "/status")
        self.assertEqual((wire.asked, browser.channel.getHost()), (1, "here"))
