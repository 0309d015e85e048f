"""
The site of the fault tests: feedd processes whose servers, each behind a proxy, can be taken away.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.live import servers
from tests.live.browser import Browser
from tests.live.daemon import Feedd
from tests.live.proxy import Proxy

reactor: Any = installed_reactor

PATIENCE_SECONDS = 20.0
_QUICK = """
[poll]
linger_seconds = 1.0
[store]
url = "{database}"
query_seconds = {query_seconds}
[broker]
url = "{broker}"
timeout_seconds = 2.0
[cache]
url = "memcached://127.0.0.1:{cache}"
friends_key = "{name}:friends:{{user}}"
timeout_seconds = 0.3
"""


async def sleep(seconds: float) -> None:
    """Let the reactor run."""
    await deferLater(reactor, seconds)


async def eventually(
    condition: Callable[[], Awaitable[bool]], what: str, seconds: float = PATIENCE_SECONDS
) -> float:
    """
    Ask `condition` until it holds; returns after how many seconds. Fails with `what` when it does
    not come true.
    """
    began = time.monotonic()
    while not await condition():
        if time.monotonic() - began > seconds:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        await sleep(0.02)
    return time.monotonic() - began


class HarmedCase(TestCase):
    """
    Alice and Bob, two processes, and a proxy in front of each server.

    :ivar proxies: ``rabbitmq``, ``mariadb`` and ``memcached``.
    :cvar query_seconds: how long a query may take; short where a test waits for its end.
    """

    timeout = 90
    processes = 2
    query_seconds = 4.0

    @property
    def rabbitmq(self) -> servers.RabbitMQ:
        """The broker behind the proxy."""
        return servers.rabbitmq()

    @property
    def mariadb(self) -> servers.MariaDB:
        """The database behind the proxy."""
        return servers.mariadb()

    async def setUp(self) -> None:  # type: ignore[override]
        self.database = await deferToThread(self.mariadb.database)
        ports = {
            "rabbitmq": self.rabbitmq.port,
            "mariadb": self.mariadb.port,
            "memcached": servers.memcached().port,
        }
        self.proxies = {part: self._proxy(port) for part, port in ports.items()}
        await self.prepare()
        self.feedds = [self.make_feedd() for _ in range(self.processes)]
        for feedd in self.feedds:
            self.addCleanup(deferToThread, feedd.stop)
        for starting in [deferToThread(feedd.start) for feedd in self.feedds]:
            await starting
        self.alice = Browser(reactor, self.feedds[0].url, "alice")
        self.bob = Browser(reactor, self.feedds[-1].url, "bob")
        await self.ready()

    def make_feedd(self) -> Feedd:
        """A process that has not been started."""
        return Feedd(self._settings(), wait_ready=False)

    async def prepare(self) -> None:
        """Prepare something before the processes start."""

    async def ready(self) -> None:
        """Wait until a test can begin."""
        for browser in (self.alice, self.bob):
            await self.until_ready(browser)
        await self.alice.befriend("bob")
        for browser in (self.alice, self.bob):
            await browser.init()

    async def until_ready(self, browser: Browser) -> float:
        """Wait until the browser's process says that it lacks nothing."""

        async def is_ready() -> bool:
            return (await browser.status()).status == 200

        return await eventually(is_ready, f"{browser.url} is ready")

    async def until_away(self, browser: Browser, part: str) -> float:
        """
        Wait until the browser's process says that `part` (``broker``, ``database``, ``cache``) is
        away.
        """

        async def is_away() -> bool:
            reply = await browser.status()
            return reply.status == 503 and bool(reply.json["parts"][part]["trouble"])

        return await eventually(is_away, f"{part} is named")

    async def park(self, browser: Browser, wait: float = 20) -> Deferred[Any]:
        """A poll that waits at the browser's process; fires with its answer."""

        async def polls() -> int:
            return int((await browser.status()).json["polls"])

        before = await polls()
        polling: Deferred[Any] = Deferred.fromCoroutine(browser.poll(wait))

        async def is_parked() -> bool:
            if polling.called:
                raise AssertionError(f"the poll was answered at once: {polling.result}")
            return await polls() > before

        await eventually(is_parked, "the poll is parked")
        return polling

    async def try_to_post(self, text: str) -> tuple[int, float]:
        """
        Alice's post: its status, and after how many seconds it came. A refusal must say when to
        come back.
        """
        began = time.monotonic()
        reply = await self.alice.ask("POST", "/feed/posts", {"body": {"text": text}})
        if reply.status == 503:
            self.assertTrue(reply.headers.getRawHeaders("Retry-After"), reply.text)
        return reply.status, time.monotonic() - began

    def _proxy(self, port: int) -> Proxy:
        proxy = Proxy(reactor, port).start()
        self.addCleanup(lambda: Deferred.fromCoroutine(proxy.stop()))
        return proxy

    def _settings(self) -> str:
        name = self.database.rpartition("/")[2]
        return _QUICK.format(
            database=f"mysql://feedd@{servers.HOST}:{self.proxies['mariadb'].port}/{name}",
            broker=f"amqp://guest:guest@{servers.HOST}:{self.proxies['rabbitmq'].port}/%2F",
            cache=self.proxies["memcached"].port,
            name=name,
            query_seconds=self.query_seconds,
        )


def texts(answer: Any) -> list[str]:
    """The texts of the posts in an answer."""
    return [event["body"]["text"] for event in answer["events"]]
