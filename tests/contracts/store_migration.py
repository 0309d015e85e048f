"""How a store on SQL brings its schema up to date."""

from feedd.feed.ports import Unavailable
from feedd.feed.settings import Store as Settings
from feedd.store.database.dialects import make_dialect
from feedd.store.database.migrate import Outdated, migrate
from tests.contracts.store import together
from tests.contracts.store_sql import SQL


class MigrationContract(SQL):
    """The schema."""

    async def test_two_start_at_once(self) -> None:
        """Two processes on an empty database both come up, on one schema and one epoch."""
        for _ in range(3):
            self.url = self.new_url()
            stores = [self.started() for _ in range(4)]
            for preparing in together([store.prepare() for store in stores]):
                await preparing
            self.assertEqual(len({(await store.open(1)).epoch for store in stores}), 1)
            for number, store in enumerate(stores):
                self.assertEqual((await store.add_post("ann", b"1", None)).post, number + 1)

    async def test_a_half_made_schema(self) -> None:
        """A schema that a crash left half made is completed."""
        self.write("DROP TABLE events")
        self.write("DELETE FROM meta WHERE name = ?", ("schema",))
        store = await self.reached()
        self.assertTrue((await store.add_post("ann", b"1", None)).fresh)

    async def test_it_may_be_left_to_the_operator(self) -> None:
        """
        With ``migrate = false`` an old schema is refused, with the reason, until somebody has
        migrated it.
        """
        self.url = self.new_url()
        store = self.started(migrate=False)
        error = await self.refused(Outdated, store.prepare())
        await self.refused(Unavailable, store.ping())
        before, now = migrate(make_dialect(Settings(url=self.url), ""))
        self.assertIn(f"version {before} and must have {now}", error.why)
        self.assertEqual(before, 0)
        self.assertEqual(migrate(make_dialect(Settings(url=self.url), "")), (now, now))
        await store.prepare()
        await store.ping()

    async def test_a_newer_schema_is_used(self) -> None:
        """
        While processes are replaced one by one, an old one may start after a new one has migrated.
        """
        self.write("UPDATE meta SET value = ? WHERE name = ?", ("99", "schema"))
        store = await self.reached(migrate=False)
        await store.ping()

    async def test_a_seal_key_that_is_none(self) -> None:
        """Where somebody has spoilt or deleted it the log opens, and nothing is sealed."""
        for change in ("UPDATE meta SET value = 'é' WHERE", "DELETE FROM meta WHERE"):
            self.write(f"{change} name = ?", ("seal_key",))
            self.assertEqual((await self.store.open(1)).seal_key, b"")

    async def test_a_log_that_has_gone_backwards(self) -> None:
        """
        Where the log ends below what was settled, twice in a row, a new epoch begins; then all
        goes on as on a database of another name.
        """
        stored = [await self.store.add_post("ann", b"1", None) for _ in range(3)]
        epoch, highest = (await self.store.open(1)).epoch, stored[-1].event.id
        self.write("DELETE FROM events WHERE id > ?", (stored[0].event.id,))
        answers = [await self.store.save_settled(epoch, highest) for _ in range(3)]
        self.assertEqual(answers, [True, False, False])
        opening = await self.store.open(9)
        self.assertNotEqual(opening.epoch, epoch)
        # The row that is left is recent, and so is what may still be open below it.
        self.assertEqual((opening.settled, opening.events), (0, [stored[0].event]))
        self.assertTrue(await self.store.save_settled(opening.epoch, stored[0].event.id))

    async def test_once_behind_proves_nothing(self) -> None:
        """A node of a cluster may not have got the last rows yet."""
        stored = await self.store.add_post("ann", b"1", None)
        epoch, id = (await self.store.open(1)).epoch, stored.event.id
        answers = [await self.store.save_settled(epoch, settled) for settled in (9, id, 9, id)]
        self.assertEqual((answers, (await self.store.open(1)).epoch), ([True] * 4, epoch))

    async def test_a_new_epoch(self) -> None:
        """It begins once, whoever has noticed; what is old stays settled and pruned."""
        stored = [await self.store.add_post("ann", b"1", None) for _ in range(3)]
        first, _, last = (one.event.id for one in stored)
        self.write("UPDATE events SET created_at = 1 WHERE id <= ?", (last - 1,))
        for name, value in (("settled", "100"), ("pruned", str(first))):
            self.write("UPDATE meta SET value = ? WHERE name = ?", (value, name))
        epoch = (await self.store.open(1)).epoch
        await self.store.renew_epoch(epoch)
        opening = await self.store.open(1)
        self.assertNotEqual(opening.epoch, epoch)
        self.assertEqual(opening.settled, last - 1)
        self.assertEqual((await self.store.events_after(0, ["ann"], 1)).pruned, first)
        await self.store.renew_epoch(epoch)
        self.assertEqual((await self.store.open(1)).epoch, opening.epoch)

    async def test_nothing_before_it_is_prepared(self) -> None:
        """Every method says that the database is unavailable."""
        store = self.started()
        for call in (
            store.open(1),
            store.add_post("ann", b"1", None),
            store.page([], None, 1, 0),
            store.ids_after(0, 1),
        ):
            await self.refused(Unavailable, call)
