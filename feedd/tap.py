"""
``twistd feedd``: the options, and the wiring of one process.

The only place that knows every part, and the only one that takes the global reactor.
"""

import gc
import random
import resource
import secrets
import select
import time
from collections.abc import Callable, Coroutine
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar

from twisted.application.internet import TimerService
from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python import usage
from twisted.web.client import Agent, HTTPConnectionPool

from feedd import __version__
from feedd.amqp.broker import AMQPBroker
from feedd.amqp.local import LocalBroker
from feedd.auth.backend import BackendKey
from feedd.auth.demo import DemoAuth
from feedd.auth.http import SiteAuth
from feedd.auth.token import TokenAuth
from feedd.cache.friends import CachedFriends
from feedd.cache.loads import Load
from feedd.cache.local import LocalFriends
from feedd.cache.ring import make_ring
from feedd.config import parse_config
from feedd.core.counters import Counters
from feedd.core.event import Event
from feedd.feed.feed import Feed, Ports
from feedd.feed.ports import Authenticator, Opening
from feedd.feed.settings import BadConfig, Config
from feedd.log.opening import Opener
from feedd.log.pruner import DAY_SECONDS, Pruner
from feedd.log.tail import Tail
from feedd.reactor.batch_reader import Watch
from feedd.reactor.batch_sender import Outbox
from feedd.reactor.deadlines import Deadlines
from feedd.reactor.turn_limit import limit_turns
from feedd.reactor.watchdog import Watchdog
from feedd.store.sql import SQLStore
from feedd.web.api.poll import PollEndpoint
from feedd.web.api.status import StatusEndpoint
from feedd.web.fast.channel import Lane, LaneSite
from feedd.web.gate import Gate
from feedd.web.origin import Origins
from feedd.web.server.listening import listening
from feedd.web.server.site import FeedSite
from feedd.web.tree import make_root

ANSWERS_A_TURN = 1000
"""Some 10 ms; a fan-out to more lets the reactor have its turn in between."""

EVENTS_A_TURN = 250
"""Some 2 ms of polls that come in; see `feedd.reactor.turn_limit`."""

EVENTS_MEANWHILE = 25
"""
The same between the turns of a fan-out: who has been answered already, and polls again, waits for
those who have not.
"""

COLLECT_AFTER = 10_000
"""
New objects between two looks for garbage in cycles, of which feedd makes little. With Python's own
700 every fan-out pays for several, and now and then one looks at everything that is parked.
"""

_log = Logger()


class Options(usage.Options):
    """What ``twistd feedd`` takes."""

    synopsis = "[options]"
    longdesc = (
        "A realtime social feed for any website. Without a configuration: SQLite, demo "
        "login, http://127.0.0.1:8080/."
    )
    optParameters: ClassVar = [["config", "c", None, "The configuration, a TOML file."]]

    config: Config

    def postOptions(self) -> None:
        """Read the configuration, or say everything that is wrong with it."""
        try:
            self.config = load_config(self["config"])
        except BadConfig as error:
            raise usage.UsageError("\n".join(error.mistakes)) from None


def load_config(path: str | None) -> Config:
    """
    The configuration in the file at `path`; the embedded default when there is none.

    :raises BadConfig: when it cannot be read or used.
    """
    if path is None:
        return Config()
    try:
        return parse_config(Path(path).read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig([f"{path}: {error}"]) from None


def read_secret(path: str) -> str:
    """
    The stripped content of a secret file, "" when `path` is "".

    :raises BadConfig: when it cannot be read or is empty; the text names the file, never the
        content.
    """
    if not path:
        return ""
    try:
        secret = Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig([f"{path}: {getattr(error, 'strerror', None) or 'not UTF-8'}"]) from None
    if not secret:
        raise BadConfig([f"{path}: empty"])
    return secret


def now_ms() -> int:
    """The time of day in milliseconds since 1970, UTC."""
    return int(time.time() * 1000)


def make_authenticator(config: Config, reactor: Any, counters: Counters) -> Authenticator:
    """Who tells who is asking, after ``auth.mode``."""
    auth = config.auth
    if auth.mode == "token":
        return TokenAuth(read_secret(auth.secret_file), auth.cookie, time.time)
    if auth.mode == "http":
        agent: Any = Agent(reactor, pool=HTTPConnectionPool(reactor))
        return SiteAuth(agent, auth, reactor, counters)
    return DemoAuth()


def make_backend_key(config: Config) -> BackendKey:
    """What opens ``/api``; in demo mode, which only loopback can reach, it is ``demo``."""
    if config.auth.mode == "demo" and not config.auth.backend_key_file:
        return BackendKey(b"demo")
    return BackendKey(read_secret(config.auth.backend_key_file).encode())


def make_store(config: Config, reactor: Any, counters: Counters) -> SQLStore:
    """The database behind ``store.url``."""
    return SQLStore(
        reactor, config.store, read_secret(config.store.password_file), counters, now_ms
    )


def make_broker(
    config: Config,
    reactor: Any,
    counters: Counters,
    deliver: Callable[[Event], object],
    changed: Callable[[], None],
) -> AMQPBroker | LocalBroker:
    """The bell behind ``broker.url``."""
    if config.broker.url.startswith("local"):
        return LocalBroker(deliver)
    password = read_secret(config.broker.password_file)
    return AMQPBroker(
        reactor, config.broker, password, deliver, counters, now_ms, random.random, changed
    )


def make_friends(
    config: Config, reactor: Any, counters: Counters, load: Load, service: MultiService
) -> CachedFriends | LocalFriends:
    """
    Friend lists, in the cache behind ``cache.url``; its connections become a part of `service`.
    """
    if config.cache.url.startswith("local"):
        return LocalFriends(load, config.cache, reactor, counters)
    ring = make_ring(reactor, config.cache, counters)
    ring.setServiceParent(service)
    return CachedFriends(
        ring, load, config.cache, counters, lambda: secrets.token_hex(16).encode(), reactor
    )


class Turns:
    """
    The surroundings of a feed: the turns of the reactor, and the outbox that sends its answers.
    """

    answers_a_turn = ANSWERS_A_TURN

    def __init__(self, reactor: Any, outbox: Outbox) -> None:
        self._reactor = reactor
        self._outbox = outbox

    def seconds(self) -> float:
        """The time, of a clock that only goes forward."""
        return time.monotonic()

    def soon(self, call: Callable[[], None]) -> None:
        """Call `call` in the next turn of the reactor."""
        self._reactor.callLater(0, call)

    def start(self, coroutine: Coroutine[Any, Any, None], complaint: str) -> None:
        """Run `coroutine`; when it raises, `complaint` is logged with the reason."""
        started: Deferred[None] = Deferred.fromCoroutine(coroutine)
        started.addErrback(lambda failure: _log.failure(complaint, failure=failure))

    def deliver(self, answer: Callable[[], bool]) -> bool:
        """Send what the listeners write while `answer` calls them in one go."""
        return self._outbox.during(answer)

    def report(self, error: Exception) -> None:
        """A listener has raised `error`."""
        _log.error("a listener failed: {error!r}", error=error)


class Process:
    """
    One process: every part, put together.

    The broker brings events to the feed, and the feed asks the broker to follow authors: the ring
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
        self.broker = make_broker(
            config, reactor, self.counters, self._deliver, self._broker_changed
        )
        self.outbox = Outbox()
        self.feed = Feed(
            Ports(self.store, self.broker, self.friends),
            config.poll,
            Turns(reactor, self.outbox),
            self.counters,
            secrets.token_hex(3),
        )
        self.tail = Tail(
            reactor,
            time.monotonic,
            self.store,
            self.feed.log,
            config.store.tail_seconds,
            self.degraded,
            self.counters,
            found=lambda event: self.broker.missed(event.author),
            other_epoch=self._other_epoch,
        )
        self.pruner = Pruner(
            reactor,
            self.store,
            secrets.token_hex(8),
            config.store.keep_days * DAY_SECONDS,
            self.counters,
        )
        self.opener = Opener(reactor, self.store, config.poll.recent_events, self._opened)

    def degraded(self) -> bool:
        """Whether events come by the net only."""
        return not self.broker.up

    def database_trouble(self) -> str:
        """Why the database is away; "" when it is there."""
        return self.opener.trouble or self.tail.trouble

    def _deliver(self, event: Event) -> None:
        self.feed.log.offer(event)

    def _broker_changed(self) -> None:
        self.tail.poke()

    def _other_epoch(self) -> None:
        self.feed.close()
        stopping: Deferred[None] = self.tail.disownServiceParent()
        stopping.addCallback(lambda _: self.opener.begin())
        stopping.addErrback(
            lambda failure: _log.failure("the log cannot be opened again", failure=failure)
        )

    def _opened(self, opening: Opening) -> None:
        self.feed.open(opening)
        self.tail.setServiceParent(self.service)
        if self.config.store.keep_days:
            self.pruner.setServiceParent(self.service)


def make_site(process: Process) -> FeedSite:
    """The HTTP side of a process; also what ticks for it."""
    config, reactor = process.config, process.reactor
    authenticator = make_authenticator(config, reactor, process.counters)
    origins = Origins(config.http.allowed_origins)
    gate = Gate(authenticator, origins, make_backend_key(config).allows)
    deadlines = Deadlines(time.monotonic())
    poll = PollEndpoint(
        gate,
        process.feed.reading,
        process.feed.hub,
        deadlines,
        process.degraded,
        config.poll.hold_seconds,
        random.random,
    )
    parts = {
        "database": process.database_trouble,
        "broker": lambda: process.broker.trouble,
        "cache": lambda: process.friends.trouble,
    }
    status = StatusEndpoint(gate, parts, process.feed.hub, process.counters, __version__)
    files = demo_files() if config.auth.mode == "demo" else {}
    root = make_root(
        gate,
        process.feed.reading,
        process.feed.posting,
        process.store,
        process.feed.hub,
        poll,
        status,
        files,
    )

    TimerService(1.0, process.feed.expire).setServiceParent(process.service)
    TimerService(Deadlines.STEP_SECONDS, lambda: deadlines.tick(time.monotonic())).setServiceParent(
        process.service
    )
    site = {
        "root": root,
        "reactor": reactor,
        "counters": process.counters,
        "deadlines": deadlines,
        "max_connections": config.http.max_connections,
        "request_seconds": config.http.request_seconds,
        "max_body_bytes": config.http.max_body_bytes,
    }
    if not config.http.fast_lane:
        return FeedSite(**site)
    return LaneSite(
        Lane(poll, authenticator, origins, reactor.seconds),
        make_watch(process),
        process.outbox,
        **site,
    )


def make_watch(process: Process) -> Watch | None:
    """
    What reads the polls, where the system has an epoll; while a fan-out is under way it reads few
    of them.
    """
    if not hasattr(select, "epoll"):
        return None
    hub = process.feed.hub
    return Watch(
        process.reactor, select.epoll(), lambda: EVENTS_MEANWHILE if hub.is_busy else EVENTS_A_TURN
    )


def demo_files() -> dict[str, bytes]:
    """The files of the demo page, by name."""
    folder = resources.files("feedd") / "client"
    return {
        file.name: file.read_bytes()
        for file in folder.iterdir()
        if file.name.endswith((".html", ".css", ".js", ".svg"))
    }


def build(config: Config, reactor: Any) -> MultiService:
    """The service of a whole process, not started."""
    process = Process(config, reactor)
    site: Any = make_site(process)
    for part in (
        process.store,
        process.broker,
        process.opener,
        Watchdog(reactor, process.counters),
    ):
        if isinstance(part, Service):
            part.setServiceParent(process.service)
    for service in listening(config.http, site, reactor):
        service.setServiceParent(process.service)
    return process.service


def makeService(options: Options) -> MultiService:
    """What twistd runs."""
    from twisted.internet import reactor

    _raise_file_limit()
    _calm_collector()
    limit_turns(reactor, EVENTS_A_TURN)
    try:
        return build(options.config, reactor)
    except ValueError as error:  # BadConfig is one; so is what a part says of its URL or key
        raise SystemExit(str(error)) from None


def _calm_collector() -> None:
    """Look for garbage less often, and never again at what has been imported by now."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)


def _raise_file_limit() -> None:
    """A poll is an open file: take as many as the system lets us."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
