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
