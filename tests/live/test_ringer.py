"""
The ringer on real servers: what a site only INSERTs is told at every process, whoever is killed,
frozen or cut off. The net comes by every ten minutes only, so that nobody else can have told.
"""

import sqlite3
from contextlib import closing

from twisted.internet import reactor as installed_reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.live.browser import Browser
from tests.live.daemon import Feedd
from tests.live.harmed import eventually, texts
from tests.live.ringing import INSERT, Part, RingerCase


class InsertTests(RingerCase):
    """Nobody is harmed."""

    async def test_inserted(self) -> None:
        """A row is told at every process, once, and counted."""
        parked = [await self.park(self.alice), await self.park(self.bob)]
        await self.insert("hi")
        for each in parked:
            self.assertEqual(texts(await each), ["hi"])
        await self.insert("again")
        for browser in (self.alice, self.bob):
            self.assertEqual(texts(await browser.poll()), ["again"])
        ringer, other = await self.parted()
        counted = [
            (await self.browser_of(part).status()).json["counters"] for part in (ringer, other)
        ]
        self.assertEqual([each.get("ringer_rung", 0) for each in counted], [2, 0])

    async def test_posts_of_feedd(self) -> None:
        """What feedd has written and published itself nobody rings for again."""
        parked = await self.park(self.bob)
        await self.alice.post("posted")
        self.assertEqual(texts(await parked), ["posted"])
        await self.insert("inserted")
        self.assertEqual(texts(await self.bob.poll()), ["inserted"])
        ringer, _ = await self.parted()
        counters = (await self.browser_of(ringer).status()).json["counters"]
        self.assertEqual(counters["ringer_rung"], 1)

    async def test_late_commits_and_rollbacks(self) -> None:
        """A row is told when it is committed, in whatever order; one that is rolled back is not."""
        late, never = self.site(), self.site()
        for connection, text in ((late, "late"), (never, "never")):
            await deferToThread(connection.cursor().execute, INSERT, (f'{{"text":"{text}"}}',))
        parked = [await self.park(self.alice), await self.park(self.bob)]
        await self.insert("early")
        for each in parked:
            self.assertEqual(texts(await each), ["early"])
        parked = [await self.park(self.alice), await self.park(self.bob)]
        await deferToThread(never.rollback)
        await deferToThread(late.commit)
        for each in parked:
            self.assertEqual(texts(await each), ["late"])
        for browser in (self.alice, self.bob):
            self.assertEqual((await browser.poll(0))["events"], [])


class TakeoverTests(RingerCase):
    """The ringer is harmed, and rows are written before, meanwhile and afterwards."""

    async def begin(self) -> tuple[Part, Part]:
        """The one that rings, and has just done so, and the other one."""
        ringer, other = await self.parted()
        self.there = await self.follow(ringer, "last")
        self.following = await self.follow(other, "last")
        await self.insert("a", "b")
        return ringer, other

    async def taken_over(self, other: Part) -> None:
        """Nothing was lost at the other process, and nothing doubled."""
        await self.insert("c", "d")
        await self.until_somebody_rings([other])
        await self.insert("e", "last")
        self.assertEqual(await self.following, ["a", "b", "c", "d", "e", "last"])

    async def heard_there(self) -> None:
        """The same at the process that was harmed."""
        self.assertEqual(await self.there, ["a", "b", "c", "d", "e", "last"])

    def gone(self) -> None:
        """Those who poll at the process that was harmed are told nothing any more."""
        self.there.addErrback(lambda failure: None)
        self.there.cancel()

    async def test_stopped(self) -> None:
        """A ringer that is stopped gives its lock back."""
        ringer, other = await self.begin()
        self.gone()
        await deferToThread(ringer.feedd.stop)
        await self.taken_over(other)

    async def test_killed(self) -> None:
        """The lock of a ringer that is killed goes with it."""
        ringer, other = await self.begin()
        self.gone()
        await deferToThread(ringer.feedd.kill)
        await self.taken_over(other)

    async def test_frozen(self) -> None:
        """The lock of a ringer that is frozen is taken from it; it may go on later."""
        ringer, other = await self.begin()
        ringer.feedd.pause()
        self.addCleanup(ringer.feedd.resume)
        await self.taken_over(other)
        ringer.feedd.resume()
        await self.heard_there()
        await eventually(lambda: self.stands_by(ringer), "it stands by")

    async def test_cut_off(self) -> None:
        """A ringer that cannot reach the database says so, and stands by when it can."""
        ringer, other = await self.begin()
        await ringer.mariadb.cut()
        await self.taken_over(other)
        await self.heard_there()

        async def is_known() -> bool:
            return "Can't connect" in await self.state(ringer)

        await eventually(is_known, "it says why")
        ringer.mariadb.heal()
        await eventually(lambda: self.stands_by(ringer), "it stands by")

    async def test_cut_off_in_silence(self) -> None:
        """A network that passes nothing on does not keep the lock."""
        ringer, other = await self.begin()
        ringer.mariadb.freeze()
        await self.taken_over(other)
        await self.heard_there()
        ringer.mariadb.heal()
        await eventually(lambda: self.stands_by(ringer), "it stands by")

    async def test_without_a_broker(self) -> None:
        """A ringer whom nobody would hear lets another ring."""
        ringer, other = await self.begin()
        await ringer.rabbitmq.cut()
        await self.taken_over(other)
        self.assertEqual(await self.state(ringer), "the broker is away")
        ringer.rabbitmq.heal()
        await self.heard_there()

    async def stands_by(self, part: Part) -> bool:
        """Whether it does."""
        return await self.state(part) == "stands by"


class AloneTests(TestCase):
    """One process, with SQLite and no broker."""

    timeout = 90

    async def test_inserted(self) -> None:
        """What another program INSERTs into the file is told."""
        store = '[store]\nurl = "sqlite:{folder}/feedd.sqlite"\ntail_seconds = 600\n'
        feedd = Feedd(store)
        self.addCleanup(deferToThread, feedd.stop)
        await deferToThread(feedd.start)
        alice = Browser(installed_reactor, feedd.url, "alice")  # type: ignore[arg-type]
        await alice.init()

        def write(text: str) -> None:
            with closing(sqlite3.connect(feedd.folder / "feedd.sqlite", timeout=20)) as connection:
                values = (f'{{"text":"{text}"}}',)
                connection.execute(INSERT.replace("%s", "?"), values)
                connection.commit()

        for text in ("one", "two"):
            await deferToThread(write, text)
            self.assertEqual(texts(await alice.poll()), [text])
        self.assertEqual((await alice.status()).json["ringer"], "rings")
