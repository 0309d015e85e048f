"""Logouts and blocks over two processes: what one is told holds at the other, and later."""

import time
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from feedd.auth.token import make_token
from tests.live import servers
from tests.live.browser import Browser, Reply
from tests.live.daemon import Feedd
from tests.live.test_end_to_end import parked, settings

SECRET = "s" * 40
KEY = {"Authorization": "Bearer demo"}


class LogoutTests(TestCase):
    """Tokens, at two processes that have only the bell, or only the net."""

    timeout = 120

    def begin(self, more: str = "") -> None:
        """Start them."""
        folder = Path(self.mktemp())
        folder.mkdir()
        for name, secret in (("token.key", SECRET), ("backend.key", "demo")):
            (folder / name).write_text(secret)
        config = settings(servers.mariadb().database()).replace("[broker]", f"{more}[broker]")
        config += f'[auth]\nmode = "token"\nsecret_file = "{folder.absolute()}/token.key"\n'
        config += f'backend_key_file = "{folder.absolute()}/backend.key"\n'
        self.feedds = [Feedd(config), Feedd(config)]
        for feedd in self.feedds:
            self.addCleanup(feedd.stop)
            feedd.start()
        self.site = Browser(reactor, self.feedds[0].url, "site")
        self.alice = Browser(reactor, self.feedds[1].url, "alice")

    def token(self, issued: float) -> str:
        """One of alice's."""
        return make_token(SECRET, "alice", int(time.time()) + 3600, issued=int(issued))

    async def ask(self, path: str, token: str, **query: object) -> Reply:
        """The answer to alice."""
        return await self.alice.ask("GET", path, token=token, **query)

    async def test_logged_out(self) -> None:
        """A parked poll at the other process ends; its token is refused by both, a new one not."""
        self.begin("tail_seconds = 600.0\n")
        await self.check()

    async def test_by_the_net(self) -> None:
        """The same without a bell that anybody hears."""
        self.begin()
        self.feedds[1].stop()
        config = self.feedds[1]._settings
        self.feedds[1]._settings = config.replace(
            f'url = "{servers.rabbitmq().url}"', 'url = "local:"'
        )
        self.feedds[1].start()
        await self.check()

    async def check(self) -> None:
        """Log alice out while she polls."""
        old = self.token(time.time() - 5)
        cursor = (await self.ask("/feed/init", old)).json["cursor"]
        polling = Deferred.fromCoroutine(self.ask("/feed/poll", old, cursor=cursor, wait=50))
        await parked(self.feedds, 1)
        reply = await self.site.ask("DELETE", "/api/sessions/alice", headers=KEY)
        self.assertEqual((reply.status, reply.json["ended"]), (200, 0))
        self.assertEqual((await polling).json["events"], [])
        new = self.token(reply.json["at"] / 1000)
        for number, feedd in enumerate(self.feedds * 2):
            if number == 2:
                await self.restarted()
            self.alice.url = feedd.url
            self.assertEqual((await self.ask("/feed/init", old)).status, 401)
            reply = await self.ask("/feed/poll", new, cursor=cursor, wait=0)
            self.assertEqual((reply.status, reply.json["events"]), (200, []))

    async def restarted(self) -> None:
        """Both processes anew."""
        for feedd in self.feedds:
            feedd.stop()
            feedd.start()


class BlockTests(TestCase):
    """Blocks, at two processes."""

    timeout = 90

    async def test_both_pages(self) -> None:
        """Both pages are told at once that the friendship is over, and nothing more after it."""
        config = settings(servers.mariadb().database())
        feedds = [Feedd(config), Feedd(config)]
        for feedd in feedds:
            self.addCleanup(feedd.stop)
            feedd.start()
        alice, bob = (
            Browser(reactor, feedd.url, name)
            for feedd, name in zip(feedds, ("alice", "bob"), strict=True)
        )
        await alice.befriend("bob")
        pages: list[Any] = [alice, bob]
        for page in pages:
            await page.init()
        polls = [Deferred.fromCoroutine(page.poll()) for page in pages]
        await parked(feedds, 2)
        pair = {"viewer": "bob", "author": "alice"}
        reply = await bob.ask("POST", "/api/blocks", {"add": [pair]}, KEY)
        self.assertEqual((reply.status, reply.json), (200, {"ended": 2}))
        for poll, other in zip(polls, ("bob", "alice"), strict=True):
            (event,) = (await poll)["events"]
            self.assertEqual((event["kind"], event["body"]), ("unfriend", {"friend": other}))
        self.assertEqual((await alice.befriend("bob"))["changed"], 0)
        await alice.post("secret")
        await deferLater(reactor, 1.5, lambda: None)
        self.assertEqual((await bob.poll(wait=0))["events"], [])
        self.assertEqual((await bob.init())["posts"], [])
