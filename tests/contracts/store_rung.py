"""Whom the ringer has to ring for, and its own connection."""

from typing import Any

from feedd.core.runs import NO_RUNS, Runs, runs_of
from feedd.feed.ports import Unavailable
from feedd.feed.settings import Store as Settings
from feedd.store.database.migrate import migrate
from feedd.store.lookout import Lookout
from tests.contracts.store import pairs
from tests.contracts.store_sql import SQL

SITE = "INSERT INTO events (kind, author, payload) VALUES ('post', 'ann', '1')"


class RungContract(SQL):
    """The column ``rung`` of ``events``, and the lookout."""

    async def entered(self, elects: bool = True) -> Lookout:
        """A lookout that is the one who looks."""
        lookout = self.lookout(elects)
        self.assertTrue(await lookout.enter())
        return lookout

    def lookout(self, elects: bool = True) -> Lookout:
        """A lookout that has been started."""
        from twisted.internet import reactor

        lookout = Lookout(reactor, self.make_dialect(Settings(url=self.url), ""), elects)
        lookout.start()
        self.addCleanup(lambda: self.ended(lookout))
        return lookout

    async def look(
        self, looking: Lookout, after: int = 0, holes: Runs = NO_RUNS, limit: int = 9
    ) -> list[tuple[int, bool]]:
        """
        One look. A test on a busy machine may take longer between two than a server waits; then it
        enters again.
        """
        try:
            return await looking.look(after, holes, limit)
        except Unavailable:
            self.assertTrue(await looking.enter())
            return await looking.look(after, holes, limit)

    def ended(self, lookout: Lookout) -> Any:
        """Stop a lookout."""
        from twisted.internet.defer import Deferred

        return Deferred.fromCoroutine(lookout.stop())

    async def test_who_rings(self) -> None:
        """feedd rings for what it writes itself; a site that says nothing does not."""
        post = (await self.store.add_post("ann", b"1", None)).post
        await self.store.edit_post("ann", post, b"2")
        await self.store.delete_post("ann", post)
        await self.store.change_friends(pairs("ann-bob"), [])
        self.write(SITE)
        self.write("INSERT INTO events (kind, author, payload, rung) VALUES ('post', 'a', '1', 1)")
        looking = await self.entered()
        rows = await self.look(looking)
        self.assertEqual(rows, [*((id, True) for id in (1, 2, 3, 4)), (5, False), (6, True)])

    async def test_a_log_from_before(self) -> None:
        """The column is added to a log that has rows; a change that was cut is done again."""
        self.write(SITE)
        for drop in ("ALTER TABLE events DROP COLUMN rung", ""):
            if drop or self.store.dialect.name == "mysql":
                self.write(drop or "DO 0")
                self.write("UPDATE meta SET value = '2' WHERE name = 'schema'")
                migrate(self.store.dialect)
            looking = await self.entered()
            self.assertEqual(await self.look(looking), [(1, False)])
            await looking.leave()

    async def test_what_a_look_finds(self) -> None:
        """Rows above an id and in holes, ascending, up to the limit; each look sees what is new."""
        looking = await self.entered()
        self.assertEqual(await self.look(looking), [])
        self.write(f"{SITE}, ('post', 'ann', '1'), ('post', 'ann', '1'), ('post', 'ann', '1')")
        self.assertEqual([id for id, _ in await self.look(looking, 0, NO_RUNS, 3)], [1, 2, 3])
        self.assertEqual([id for id, _ in await self.look(looking, 3, NO_RUNS, 3)], [4])
        self.assertEqual(await self.look(looking, 4), [])
        self.write(SITE)
        self.assertEqual([id for id, _ in await self.look(looking, 4, runs_of([2, 9]))], [2, 5])

    async def test_ids_that_are_too_large(self) -> None:
        """A row with an id that no client can tell from its neighbours is passed over."""
        self.write("INSERT INTO events (id, kind, author, payload) VALUES (1, 'post', 'a', '1')")
        self.write(
            f"INSERT INTO events (id, kind, author, payload) VALUES ({2**53}, 'post', 'a', '1')"
        )
        looking = await self.entered()
        self.assertEqual(await self.look(looking), [(1, False)])

    async def test_many_holes(self) -> None:
        """A look may ask for as many as a horizon has."""
        self.write(SITE)
        looking = await self.entered()
        self.assertEqual(await self.look(looking, 9, runs_of(range(1, 400, 2))), [(1, False)])

    async def test_without_an_election(self) -> None:
        """A process whose bell reaches nobody else looks, whoever does besides."""
        self.write(SITE)
        for looking in [await self.entered(), await self.entered(False), await self.entered(False)]:
            self.assertEqual(await self.look(looking), [(1, False)])

    async def test_again(self) -> None:
        """After it has left, or was stopped and started, it may enter and look as at first."""
        self.write(SITE)
        looking = await self.entered()
        for _ in range(2):
            self.assertEqual(await self.look(looking), [(1, False)])
            await looking.leave()
            self.assertTrue(await looking.enter())
        await looking.stop()
        looking.start()
        self.assertTrue(await looking.enter())
        self.assertEqual(await self.look(looking), [(1, False)])
