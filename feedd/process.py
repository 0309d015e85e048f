"""
The parts of one process, made from its configuration and wired to each other.

This is the only place that knows every part.
"""

import random
import secrets
import select
import time
from collections.abc import Callable, Coroutine
from importlib import resources
from typing import Any

from twisted.application.internet import TimerService
from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.client import Agent

from feedd import __version__
from feedd.amqp.broker import AMQPBroker
from feedd.amqp.inbox import Receiver
from feedd.amqp.local import LocalBroker
from feedd.auth.backend import BackendKey
from feedd.auth.demo import DemoAuth
from feedd.auth.http import SiteAuth
from feedd.auth.token import TokenAuth
from feedd.cache.friends import CachedFriends
from feedd.cache.loads import Load
from feedd.cache.local import LocalFriends
from feedd.cache.ring import make_hash_ring
from feedd.cache.site import SiteFriends
from feedd.config import read_secret
from feedd.core.counters import Counters
from feedd.core.event import Event
from feedd.core.hub import Hub
from feedd.feed.feed import Feed, Ports
from feedd.feed.ports import Authenticator, Opening
from feedd.feed.settings import Config
from feedd.log.opening import Opener
from feedd.log.pruner import DAY_SECONDS, Pruner
from feedd.log.ringer import Ringer
from feedd.log.tail import Tail
from feedd.reactor.batch_reader import BatchReader
from feedd.reactor.complaints import Complaints
from feedd.reactor.deadlines import Deadlines
from feedd.reactor.insides import make_quiet_pool
from feedd.reactor.open_files import OpenFiles
from feedd.reactor.round_robin import RoundRobin
from feedd.reactor.watchdog import Watchdog
from feedd.store.database.dialects import make_dialect
from feedd.store.lookout import Lookout
from feedd.store.sql import SQLStore
from feedd.web.api.poll import PollEndpoint
from feedd.web.api.status import StatusEndpoint
from feedd.web.endpoint import Folder
from feedd.web.fanout import (
    ANSWERS_A_TURN,
    ANSWERS_AT_ONCE,
    EVENTS_A_TURN,
    EVENTS_MEANWHILE,
    WORK_A_TURN,
    FanOut,
)
from feedd.web.fast.channel import FastSite
from feedd.web.fast.connection import Shared
from feedd.web.fast.request import PollParser
from feedd.web.gate import Gate
from feedd.web.origin import Origins
from feedd.web.rendering import Renderer
from feedd.web.responses import Spelling
from feedd.web.server.listening import listening
from feedd.web.server.site import FeedSite
from feedd.web.tree import make_root

EPOLL = getattr(select, "epoll", None)
"""``select.epoll``; None where the system has none."""

_log = Logger()


def now_ms() -> int:
    """The time of day in milliseconds since 1970, UTC."""
    return int(time.time() * 1000)


def make_authenticator(config: Config, reactor: Any, counters: Counters) -> Authenticator:
    """The authenticator for ``auth.mode``."""
    auth = config.auth
    if auth.mode == "token":
        return TokenAuth(read_secret(auth.secret_file), auth, time.time, counters)
    if auth.mode == "http":
        pool = make_quiet_pool(reactor)
        pool.maxPersistentPerHost = 100  # Twisted's own 2 make nearly each question connect anew
        agent: Any = Agent(reactor, pool=pool)
        return SiteAuth(agent, auth, reactor, counters)
    return DemoAuth()


def make_backend_key(config: Config) -> BackendKey:
    """The key of ``/api``; ``demo`` in demo mode, which only loopback can reach."""
    if config.auth.mode == "demo" and not config.auth.backend_key_file:
        return BackendKey(b"demo")
    return BackendKey(read_secret(config.auth.backend_key_file).encode())


def make_store(config: Config, reactor: Any, counters: Counters) -> SQLStore:
    """The database behind ``store.url``."""
    dialect = make_dialect(config.store, read_secret(config.store.password_file))
    return SQLStore(reactor, config.store, dialect, counters, now_ms)


def make_broker(
    config: Config,
    reactor: Any,
    counters: Counters,
    receiver: Receiver,
    changed: Callable[[], None],
) -> AMQPBroker | LocalBroker:
    """The bell behind ``broker.url``."""
    if config.broker.url.startswith("local"):
        return LocalBroker(receiver.deliver)
    password = read_secret(config.broker.password_file)
    return AMQPBroker(
        reactor, config.broker, password, receiver, counters, now_ms, random.random, changed
    )


def make_friends(
    config: Config, reactor: Any, counters: Counters, load: Load, service: MultiService
) -> CachedFriends | LocalFriends | SiteFriends:
    """
    The friend lists in the cache behind ``cache.url``; its connections become a part of `service`.
    """
    if config.cache.url.startswith("local"):
        return LocalFriends(load, config.cache, reactor, counters)
    ring = make_hash_ring(reactor, config.cache, counters)
    ring.setServiceParent(service)
    if config.cache.friends_writer == "site":
        return SiteFriends(ring, load, config.cache, counters, reactor)
    return CachedFriends(
        ring, load, config.cache, counters, lambda: secrets.token_hex(16).encode(), reactor
    )


class Turns:
    """The surroundings of a feed: the turns of the reactor, and the fan-out of the web."""

    answers_a_turn = ANSWERS_A_TURN
    answers_at_once = ANSWERS_AT_ONCE
    work_a_turn = WORK_A_TURN
    random = staticmethod(random.random)
    seconds = staticmethod(time.monotonic)
    time_of_day = staticmethod(time.time)

    def __init__(
        self,
        reactor: Any,
        fan_out: FanOut,
        hasten: Callable[[], None],
        ids_went_back: Callable[[], None],
        failed: Callable[[str, str], None],
    ) -> None:
        """
        :param hasten: lets the net come by soon.
        :param ids_went_back: lets a new epoch begin.
        :param failed: counts the exception that is being handled, and logs it from time to time.
        """
        self.deadlines = Deadlines(self.seconds())
        self.deliver = fan_out.deliver
        self.failed = failed
        self.hasten = hasten
        self.ids_went_back = ids_went_back
        self._reactor = reactor

    def soon(self, call: Callable[[], None]) -> None:
        """Call `call` in the next turn of the reactor."""
        self._reactor.callLater(0, call)

    def turn(self) -> Deferred[None]:
        """The next turn of the reactor."""
        comes: Deferred[None] = Deferred()
        self.soon(lambda: comes.callback(None))
        return comes

    def start(self, coroutine: Coroutine[Any, Any, None], complaint: str) -> None:
        """Run `coroutine`; when it raises, `complaint` is logged with the reason."""
        started: Deferred[None] = Deferred.fromCoroutine(coroutine)
        started.addErrback(lambda failure: _log.failure(complaint, failure=failure))


class Process:
    """
    One process: every part, wired; `service` starts and stops them.

    The broker brings events to the feed, and the feed asks the broker to follow authors: the circle
    is closed here, by methods that look the next part up when they are called.
    """

    def __init__(self, config: Config, reactor: Any) -> None:
        self.config = config
        self.reactor = reactor
        self.service = MultiService()
        self.counters = Counters()
        self.store = make_store(config, reactor, self.counters)
        self.friends = make_friends(
            config, reactor, self.counters, self.store.friends_of, self.service
        )
        receiver = Receiver(self._deliver, self._hint)
        self.broker = make_broker(config, reactor, self.counters, receiver, self._broker_changed)
        self.renderer = Renderer(Spelling(time.time), self.degraded)
        self.authenticator = make_authenticator(config, reactor, self.counters)
        ports = Ports(self.store, self.broker, self.friends, self.authenticator)
        self.complaints = Complaints(self.counters, time.monotonic)
        self.failed = self.complaints.failed
        fan_out = FanOut(self.renderer, self.failed)
        self.turns = Turns(reactor, fan_out, self._hasten, self._ids_went_back, self.failed)
        self.deadlines = self.turns.deadlines
        self.feed = Feed(ports, config.poll, self.turns, self.counters, secrets.token_hex(3))
        self.files = OpenFiles(self.complaints)
        self.tail = self._make_tail()
        self.ringer = self._make_ringer()
        self.pruner = make_pruner(config, reactor, self.store, self.counters)
        amount = config.poll.recent_events, config.poll.recent_bytes
        self.opener = Opener(reactor, self.store, *amount, self._opened)

    def degraded(self) -> bool:
        """Whether events come by the net only."""
        return not self.broker.up

    def found(self, event: Event) -> None:
        """The net has let `event` through, which the bell had not brought."""
        self.broker.missed(event.author)

    def other_epoch(self) -> None:
        """Begin anew: the database has turned out to be another one."""
        self.feed.close()
        stopping: Deferred[None] = self.tail.disownServiceParent()
        if self.ringer.running:
            stopping.addCallback(lambda _: self.ringer.disownServiceParent())
        stopping.addCallback(lambda _: self.opener.begin())
        stopping.addErrback(
            lambda failure: _log.failure("the log cannot be opened again", failure=failure)
        )

    def database_trouble(self) -> str:
        """Why the database is away, or takes no writes; "" when all is well."""
        return self.opener.trouble or self.tail.trouble or self.store.trouble

    def tick(self, seconds: float, call: Callable[[], object]) -> None:
        """Call `call` every `seconds` while the process runs."""
        TimerService(seconds, call).setServiceParent(self.service)

    def _make_tail(self) -> Tail:
        return Tail(
            self.reactor,
            time.monotonic,
            self.store,
            self.feed.log,
            self.config.store.tail_seconds,
            self,
            self.counters,
        )

    def _make_ringer(self) -> Ringer:
        is_alone = self.config.broker.url.startswith("local")
        lookout = Lookout(self.reactor, self.store.dialect, elects=not is_alone)
        parts = lookout, self.store, self.feed.log, self.broker
        return Ringer(self.reactor, *parts, self.config.store.ring_seconds, self.counters)

    def _deliver(self, event: Event) -> None:
        self.feed.log.offer(event)

    def _hint(self, id: int) -> None:
        self.feed.hints.add(id)

    def _hasten(self) -> None:
        self.tail.hasten()

    def _ids_went_back(self) -> None:
        self.turns.start(self._renew_epoch(), "no new epoch could begin")

    async def _renew_epoch(self) -> None:
        epoch = self.feed.log.horizon.epoch
        if epoch:
            await self.store.renew_epoch(epoch)
            if self.feed.log.horizon.epoch == epoch:
                self.other_epoch()

    def _broker_changed(self) -> None:
        self.tail.poke()

    def _opened(self, opening: Opening) -> None:
        self.feed.open(opening)
        self.tail.setServiceParent(self.service)
        if self.config.store.ring_seconds:
            self.ringer.setServiceParent(self.service)
        if self.config.store.keep_days:
            self.pruner.setServiceParent(self.service)


def build(config: Config, reactor: Any) -> MultiService:
    """
    The service of a whole process, not started.

    :raises ValueError: when a part cannot be made of its settings; `BadConfig` is one.
    """
    process = Process(config, reactor)
    site: Any = make_site(process)
    parts = (process.store, process.broker, process.opener, Watchdog(reactor, process.counters))
    announce = make_announcement(config)
    listeners = listening(config.http, site, reactor, announce, process.complaints)
    for part in (*parts, *listeners):
        if isinstance(part, Service):
            part.setServiceParent(process.service)
    return process.service


def make_pruner(config: Config, reactor: Any, store: SQLStore, counters: Counters) -> Pruner:
    """The deletion of what is older than ``store.keep_days``."""
    keep_seconds = config.store.keep_days * DAY_SECONDS
    return Pruner(reactor, store, secrets.token_hex(8), keep_seconds, counters)


def make_announcement(config: Config) -> Callable[[str], None]:
    """The line of the log that says where the process listens; called with each address."""
    has_page = config.auth.mode == "demo"

    def announce(address: str) -> None:
        if has_page and address.startswith("http"):
            _log.info("open {address}", address=address)
        else:
            _log.info("listening on {address}", address=address)

    return announce


def make_site(process: Process) -> FeedSite:
    """The HTTP side of a process; its timers become a part of the process's service."""
    config, reactor, deadlines = process.config, process.reactor, process.deadlines
    origins = Origins(config.http.allowed_origins)
    gate = Gate(process.authenticator, origins, make_backend_key(config).allows)
    process.tick(Deadlines.STEP_SECONDS, lambda: deadlines.tick(time.monotonic()))
    process.tick(1.0, process.feed.expire)
    process.tick(1.0, process.files.look)
    poll = PollEndpoint(gate, process.feed.polling, process.renderer)
    tree: Any = make_tree(process, gate, poll)
    behind = RoundRobin(reactor, time.monotonic)
    site = (tree, reactor, config.http, deadlines, process.counters, behind)
    if not config.http.fast_lane:
        return FeedSite(*site)
    shared = Shared(
        PollParser(origins),
        process.feed.polling,
        process.renderer,
        make_batch_reader(reactor, process.feed.hub),
        deadlines,
    )
    return FastSite(shared, *site)


def make_tree(process: Process, gate: Gate, poll: PollEndpoint) -> Folder:
    """All URLs."""
    feed = process.feed
    parts = {
        "database": process.database_trouble,
        "broker": lambda: process.broker.trouble,
        "cache": lambda: process.friends.trouble,
        "auth": lambda: process.authenticator.trouble,
        "files": lambda: process.files.trouble,
    }
    about = feed.hub, process.counters, __version__, lambda: process.ringer.state
    status = StatusEndpoint(gate, parts, *about)
    files = demo_files() if process.config.auth.mode == "demo" else {}
    return make_root(gate, feed.reading, feed.posting, process.store, feed.hub, poll, status, files)


def make_batch_reader(
    reactor: Any, hub: Hub, make_epoll: Callable[[], Any] | None = EPOLL
) -> BatchReader | None:
    """
    The reader of the polls; during a fan-out it reads few of them. None when there is no epoll, and
    the reactor reads them.
    """
    if make_epoll is None:
        return None
    return BatchReader(
        reactor, make_epoll(), lambda: EVENTS_MEANWHILE if hub.is_busy else EVENTS_A_TURN
    )


def demo_files() -> dict[str, bytes]:
    """The files of the demo page, by name."""
    folder = resources.files("feedd") / "client"
    return {
        file.name: file.read_bytes()
        for file in folder.iterdir()
        if file.name.endswith((".html", ".css", ".js", ".svg"))
    }
