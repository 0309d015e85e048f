"""Responses: what is in them, and that both writers write the same."""

import re
from email.utils import formatdate
from typing import Any

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from feedd.core.counters import Counters
from feedd.feed.settings import HTTP
from feedd.reactor.deadlines import Deadlines
from feedd.reactor.round_robin import RoundRobin
from feedd.web.endpoint import write
from feedd.web.errors import INTERNAL, Refusal
from feedd.web.responses import (
    JSON,
    MAX_HEADS,
    SCRIPT,
    Response,
    Spelling,
    call,
    document,
    file,
    preflight,
    refused,
)
from feedd.web.server.site import FeedSite

ORIGIN = b"https://www.example.org"
REFUSALS = (
    INTERNAL,
    Refusal(401, "unauthorized", "who?"),
    Refusal(405, "method_not_allowed", "no"),
    Refusal(415, "encoded", "no"),
    Refusal(503, "unavailable", "later", 2),
)


class Writer(Resource):
    """Answers each request with the same response."""

    isLeaf = True

    def __init__(self, response: Response) -> None:
        super().__init__()
        self._response = response

    def render(self, request: Any) -> int:
        """Answer."""
        write(request, self._response)
        return NOT_DONE_YET


def responses() -> list[Response]:
    """One of each kind, for each kind of page."""
    found = []
    for origin in (None, ORIGIN):
        for callback in (None, b"f"):
            found += [document(b'{"a":1}', callback, status, origin) for status in (200, 201, 503)]
            found += [refused(refusal, callback, origin, b"GET, HEAD") for refusal in REFUSALS]
        found += [preflight(b"PUT, OPTIONS", origin), file(b"p{}", b"text/css", b"none", origin)]
    return found


class WriterTests(SynchronousTestCase):
    """The two writers."""

    def test_same(self) -> None:
        """By way of twisted.web or in one piece: the same bytes."""
        spelling = Spelling(Clock().seconds)
        for response in responses():
            self.assertEqual(undated(spelling.whole(response)), undated(self.plain(response)))

    def test_documents(self) -> None:
        """A document that is written whole from remembered heads is the same document."""
        spelling = Spelling(Clock().seconds)
        for callback in (None, b"f"):
            expected = spelling.whole(document(b"{}", callback))
            for _ in range(2):
                self.assertEqual(spelling.answer(b"{}", callback), expected)

    def test_refusals(self) -> None:
        """So is an error."""
        spelling = Spelling(Clock().seconds)
        for refusal in REFUSALS:
            for callback in (None, b"f"):
                whole = spelling.whole(refused(refusal, callback))
                self.assertEqual(spelling.refusal(refusal, callback), whole)

    def plain(self, response: Response) -> bytes:
        """What twisted.web sends."""
        clock = Clock()
        site = FeedSite(
            Writer(response),
            clock,
            HTTP(),
            Deadlines(0),
            Counters(),
            RoundRobin(clock, clock.seconds),
        )
        channel, wire = site.buildProtocol(None), StringTransport()
        channel.makeConnection(wire)
        channel.dataReceived(b"GET / HTTP/1.1\r\n\r\n")
        sent: bytes = wire.value()
        return sent


class HeadersTests(SynchronousTestCase):
    """What only one kind of response has."""

    def test_page(self) -> None:
        """Any response depends on the page; only that of an allowed page says so."""
        for response in responses():
            names = [name for name, _ in response.headers]
            self.assertEqual(response.headers[0], (b"Vary", b"Origin"))
            if (b"Access-Control-Allow-Origin", ORIGIN) in response.headers:
                self.assertIn((b"Access-Control-Allow-Credentials", b"true"), response.headers)
            else:
                self.assertFalse([name for name in names if name.startswith(b"Access")])

    def test_script(self) -> None:
        """A script has the status 200 and its own content type; the document stands inside."""
        for status in (200, 503):
            response = document(b"{}", b"a.b", status)
            self.assertEqual((response.status, response.body), (200, b"/**/a.b({});"))
            self.assertIn((b"Content-Type", SCRIPT), response.headers)
        self.assertIn((b"Content-Type", JSON), document(b"{}", None).headers)

    def test_refused(self) -> None:
        """What HTTP wants said with a status is said with this status only."""
        own = {
            405: b"Allow",
            401: b"WWW-Authenticate",
            415: b"Accept-Encoding",
            503: b"Retry-After",
        }
        for refusal in REFUSALS:
            headers = dict(refused(refusal, None, None, b"GET").headers)
            said = {status for status, name in own.items() if name in headers}
            self.assertEqual(said, {refusal.status} & set(own))


class HeadsTests(SynchronousTestCase):
    """The heads that are remembered."""

    def test_each_length(self) -> None:
        """
        The length is that of the body, over and over, however many there are; no more heads are
        kept than may be.
        """
        spelling = Spelling(Clock().seconds)
        for _ in range(2):
            for number in (*range(MAX_HEADS + 2), 7):
                for callback in (None, b"f"):
                    json = b"x" * number
                    body = json if callback is None else call(callback, json)
                    head, _, sent = spelling.answer(json, callback).partition(b"\r\n\r\n")
                    self.assertEqual(sent, body)
                    self.assertIn(b"\r\nContent-Length: %d\r\n" % len(body), head)
        for kind in (JSON, SCRIPT):
            self.assertLessEqual(len(spelling.heads(kind)), MAX_HEADS)

    def test_each_second(self) -> None:
        """The date is the time of day, spelled as HTTP wants it; the clock may go back."""
        clock = Clock()
        spelling = Spelling(clock.seconds)
        clock.advance(1_700_000_000.2)
        for seconds in (0, 0.7, 0.2, 86_400, -0.5, -3_600):
            clock.rightNow += seconds
            date = b"\r\nDate: %s\r\n" % formatdate(int(clock.seconds()), usegmt=True).encode()
            for response in (
                spelling.answer(b"{}", None),
                spelling.answer(b"{}", b"f"),
                spelling.refusal(INTERNAL, None),
            ):
                self.assertIn(date, response)


def undated(response: bytes) -> bytes:
    """The same without the time of day."""
    return re.sub(rb"\r\nDate: [^\r]*", b"\r\nDate: now", response)
