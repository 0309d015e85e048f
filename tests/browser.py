"""
A browser and a whole process without sockets: real bytes go in, real bytes come out, time passes
when the test says so.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from io import BytesIO
from typing import Any

import msgspec
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from feedd.core.counters import Counters
from feedd.core.delivery import Delivery
from feedd.feed.feed import Feed, Ports
from feedd.feed.ports import Opening
from feedd.feed.settings import HTTP, Poll
from feedd.reactor.batch_reader import BatchReader
from feedd.reactor.deadlines import Deadlines
from feedd.reactor.round_robin import RoundRobin
from feedd.web.api.poll import PollEndpoint
from feedd.web.api.status import StatusEndpoint
from feedd.web.endpoint import Folder
from feedd.web.fanout import ANSWERS_AT_ONCE, FanOut
from feedd.web.fast.channel import FastSite
from feedd.web.fast.connection import Shared
from feedd.web.fast.request import PollParser
from feedd.web.gate import Gate
from feedd.web.origin import Origins
from feedd.web.rendering import Renderer
from feedd.web.responses import Spelling
from feedd.web.server.site import FeedSite
from feedd.web.tree import make_root
from tests.auth import NameAuth
from tests.memory import MemoryBroker, MemoryFriends, MemoryStore
from tests.turns import MemoryTurns
from tests.wire import Reply, parse_reply, spell

SITE = "https://www.example.org"
KEY = {"Authorization": "Bearer backend-key"}
LINGER_SECONDS = 60.0
SMALL = HTTP(max_connections=100)

URLS = {
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
    "/api/markers/bob": "PUT",
    "/api/sessions/bob": "DELETE",
}
"""Every URL, and a method that it has."""


class Turns(MemoryTurns):
    """The turns of a clock, whose answers go to the listeners of the web."""

    answers_at_once = ANSWERS_AT_ONCE

    def __init__(self, clock: Clock, fan_out: FanOut, jitter: float) -> None:
        super().__init__()
        self._clock = clock
        self._fan_out = fan_out
        self._jitter = jitter

    def random(self) -> float:
        return self._jitter

    def seconds(self) -> float:
        return float(self._clock.seconds())

    time_of_day = seconds

    def soon(self, call: Callable[[], None]) -> None:
        self._clock.callLater(0, call)

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        self._fan_out.deliver(deliveries)


class House:
    """
    One process, its servers in memory; polls are held for 50 seconds, 47.5 with a `jitter` of 0 and
    52.5 with 1.
    """

    def __init__(
        self,
        max_subscriptions: int = 1000,
        max_pending: int = 200,
        http: HTTP = SMALL,
        jitter: float = 0.5,
        authenticator: Any = None,
    ) -> None:
        self.clock = Clock()
        self.counters = Counters()
        self.authenticator = authenticator or NameAuth()
        self.store, self.broker = MemoryStore(), MemoryBroker()
        self.friends = MemoryFriends(self.store)
        self.troubles = {"database": "", "broker": "", "cache": ""}
        self.idle = Deadlines(self.clock.seconds())
        self._renderer = Renderer(
            Spelling(self.clock.seconds), lambda: bool(self.troubles["broker"])
        )
        self._turns = Turns(self.clock, FanOut(self._renderer, self._failed), jitter)
        self.deadlines = self._turns.deadlines
        self.feed = self._make_feed(max_pending, max_subscriptions)
        self.hub, self.log = self.feed.hub, self.feed.log
        self.reading, self.posting = self.feed.reading, self.feed.posting
        self.origins = Origins([SITE])
        key = KEY["Authorization"].encode()
        gate = Gate(self.authenticator, self.origins, lambda header: header == key)
        behind = RoundRobin(self.clock, self.monotonic)
        tree = self._make_tree(gate)
        self._settings: Any = (tree, self.clock, http, self.idle, self.counters, behind)
        self.site = FeedSite(*self._settings)

    def _failed(self, counter: str, what: str) -> None:
        self._turns.failed(counter, what)

    def _make_feed(self, max_pending: int, max_subscriptions: int) -> Feed:
        settings = Poll(
            linger_seconds=LINGER_SECONDS,
            max_pending=max_pending,
            max_subscriptions=max_subscriptions,
            per_user=max_subscriptions,
            recent_events=100,
        )
        ports = Ports(self.store, self.broker, self.friends, self.authenticator)
        return Feed(ports, settings, self._turns, self.counters, "i")

    def _make_tree(self, gate: Gate) -> Folder:
        parts = {name: partial(self.troubles.__getitem__, name) for name in self.troubles}
        status = StatusEndpoint(gate, parts, self.hub, self.counters, "1.2.3", lambda: "rings")
        files = {"index.html": b"<p>hello", "demo.js": b"1", "demo.css": b"p{}"}
        poll = PollEndpoint(gate, self.feed.polling, self._renderer)
        return make_root(
            gate, self.reading, self.posting, self.store, self.hub, poll, status, files
        )

    def fast_site(self, parser: Any = None, batch_reader: BatchReader | None = None) -> FastSite:
        """
        Another site of the same process, with fast channels.

        :param parser: a `PollParser` or its like.
        """
        shared = Shared(
            parser or PollParser(self.origins),
            self.feed.polling,
            self._renderer,
            batch_reader,
            self.idle,
        )
        return FastSite(shared, *self._settings)

    def monotonic(self) -> float:
        """The time, as it passes within a turn of the reactor: not at all."""
        return float(self.clock.seconds())

    def open(self) -> None:
        """Reach the database."""
        self.feed.open(Opening(self.store.epoch, 0, []))

    def flush(self) -> None:
        """Answer who has something pending."""
        self.feed.flush()

    def settle(self) -> None:
        """Let the net come by: everything in the log so far is settled."""
        self.log.settling.note_read(self.clock.seconds(), self.clock.seconds(), self.store.last_id)

    def advance(self, seconds: float) -> None:
        """Let time pass, with every timer of the process."""
        for _ in range(int(seconds * 2)):
            self.clock.advance(0.5)
            self.deadlines.tick(self.clock.seconds())
            self.idle.tick(self.clock.seconds())
            self.feed.expire()
        self.clock.advance(seconds % 0.5)


class Browser:
    """
    One connection to a site, which keeps it alive; closed as a socket would be, a little after the
    site has asked for it.
    """

    def __init__(self, site: FeedSite, wire: Any = None) -> None:
        self.wire = wire or StringTransport(peerAddress=IPv4Address("TCP", "127.0.0.1", 4242))
        self.channel = site.buildProtocol(self.wire.getPeer())
        self.open = self.channel is not None
        self._methods: list[str] = []
        if self.open:
            self.channel.makeConnection(self.wire)

    @property
    def dropped(self) -> bool:
        """Whether the site has closed or aborted the connection."""
        return self.wire.disconnecting

    def send(self, data: bytes) -> None:
        """These bytes, as they are."""
        self.channel.dataReceived(data)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """A request; `replies` has the answer when there is one."""
        self._methods.append(method)
        self.send(spell(method, path, body, headers))

    def expect(self, *methods: str) -> None:
        """
        The methods of requests that were sent as bytes: the answer to a HEAD can be told by nothing
        else.
        """
        self._methods.extend(methods)

    def replies(self) -> list[Reply]:
        """All that has been answered since the last call."""
        stream, replies = BytesIO(self.wire.value()), []
        self.wire.clear()
        while line := stream.readline():
            replies.append(parse_reply(line, stream, self._methods.pop(0)))
        return replies

    def reply(self) -> Reply:
        """The one answer since the last call."""
        (reply,) = self.replies()
        return reply

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Ask, and get the answer, which must be there at once."""
        self.ask(method, path, body, headers)
        return self.reply()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Reply:
        """The answer to a GET."""
        return self.request("GET", path, None, headers)

    def lose(self) -> None:
        """The connection is gone."""
        if self.open:
            self.open = False
            self.channel.connectionLost(Failure(ConnectionDone()))


class WebTestCase(SynchronousTestCase):
    """
    A house with alice and bob, who are friends, and a browser; at the end nothing may be left of
    any request.
    """

    house: House

    def setUp(self) -> None:
        self.use(House())

    def use(self, house: House) -> None:
        """Let `house` be the house of this test."""
        self.house = house
        self.browsers: list[Browser] = []
        house.store.friendships |= {("alice", "bob"), ("bob", "alice")}
        house.open()
        self.web = self.browse()

    def browse(self, wire: Any = None) -> Browser:
        """Another connection, on `wire` if it is given."""
        self.browsers.append(Browser(self.house.site, wire))
        return self.browsers[-1]

    def tearDown(self) -> None:
        house = self.house
        for browser in self.browsers:
            browser.lose()
        house.flush()
        self.assertEqual(house.site.connections, 0)
        self.assertEqual(len(house.deadlines), 0)
        self.assertEqual(house.hub.parked, 0)
        house.hub.expire(house.clock.seconds() + LINGER_SECONDS, LINGER_SECONDS)
        self.assertEqual(len(house.hub), 0)
        self.assertEqual(house.broker.followed, set())
        house.clock.advance(0)
        self.assertEqual(house.clock.getDelayedCalls(), [])

    def post(self, author: str, text: str = "hi") -> int:
        """
        A post of `author` through another connection; returns its event's id. Who is parked is
        answered.
        """
        body = msgspec.json.encode({"body": {"text": text}})
        reply = self.browse().request("POST", f"/feed/posts?as={author}", body)
        self.assertEqual(reply.status, 201, reply.body)
        self.house.clock.advance(0)
        event: int = reply.json["event"]
        return event

    def cursor(self, viewer: str = "bob") -> str:
        """A cursor of `viewer` that is hot here and stands at the end of the log."""
        cursor: str = self.browse().get(f"/feed/poll?as={viewer}&wait=0").json["cursor"]
        return cursor

    def assert_refused(self, reply: Reply, status: int, code: str, *words: str) -> None:
        """
        Assert that `reply` is this error, that its text has these words, and that it is fit to be
        sent.
        """
        self.assertEqual(reply.error, (status, code), reply.body)
        for word in words:
            self.assertIn(word, reply.message)
        self.assertNotIn(b"<", reply.body)
        self.assertEqual(set(reply.json), {"error"})
        self.assertEqual(reply.headers["Content-Type"], "application/json")
        self.assertEqual(reply.headers["X-Content-Type-Options"], "nosniff")
        self.assertEqual(reply.headers["Cache-Control"], "no-store")
