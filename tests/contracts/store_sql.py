"""
What a store on SQL does besides the contract: rows that a site writes itself, migrations, bounds.

A test writes with a connection of its own, past feedd.
"""

import json
import time
from collections.abc import Sequence
from typing import Any

from twisted.internet.task import deferLater

from feedd.core.counters import Counters
from feedd.feed.ports import NotFound, Unavailable
from feedd.feed.settings import Store as Settings
from feedd.store.database.migrate import Outdated, migrate
from feedd.store.database.models import EventRow, PostRow, register
from feedd.store.running.transaction import Again, Transaction
from feedd.store.sql import SQLStore, make_dialect
from feedd.store.tables.friendships import friends_of
from tests.contracts.store import Contract, body_of, pairs, together
from tests.contracts.store_log import CROWD, shown


class SQL(Contract):
    """
    Stores that are started, and stopped after the test.

    :ivar url: of this test's database.
    """

    store: SQLStore
    url: str

    def new_url(self) -> str:
        """The URL of a new, empty database."""
        raise NotImplementedError

    def write(self, statement: str, values: Sequence[Any] = ()) -> None:
        """Run a statement past feedd and commit it; a value is a ``?``."""
        raise NotImplementedError

    async def make_store(self) -> SQLStore:
        self.url = self.new_url()
        store = self.started()
        await store.prepare()
        return store

    def started(self, url: str = "", password: str = "", **settings: Any) -> SQLStore:
        """A store that has been started and not prepared."""
        from twisted.internet import reactor

        self.counters = Counters()
        settings = {"url": url or self.url, "threads": 6, "query_seconds": 2.0} | settings
        store = SQLStore(
            reactor, Settings(**settings), password, self.counters, lambda: int(time.time() * 1000)
        )
        store.startService()
        self.addCleanup(store.stopService)
        return store

    async def pause(self, seconds: float) -> None:
        """Let the reactor run for a while."""
        from twisted.internet import reactor

        await deferLater(reactor, seconds, lambda: None)

    async def reached(self, **settings: Any) -> SQLStore:
        """A store on this test's database that has been prepared."""
        store = self.started(**settings)
        await store.prepare()
        return store


class SiteContract(SQL):
    """Rows that a site has written."""

    async def test_rows_need_no_times(self) -> None:
        """A site's INSERT into posts and events, without any time, is a post of now."""
        before = time.time() * 1000
        self.write(
            "INSERT INTO posts (author, body) VALUES (?, ?)", ("ann", '{"text": "100 % ? \u2028"}')
        )
        self.write(
            "INSERT INTO events (kind, author, post, payload) VALUES (?, ?, ?, ?)",
            ("post", "ann", 1, '"100 % ?"'),
        )
        self.write("INSERT INTO friendships (viewer, friend) VALUES (?, ?)", ("bob", "ann"))
        (event,) = await self.store.events_by_id(await self.store.ids_after(0, 10))
        page = await self.store.page(["ann"], None, 10, 0)
        post = json.loads(page.posts[0])
        self.assertEqual(json.loads(event.json)["body"], "100 % ?")
        self.assertEqual((post["body"], post["edited"]), ({"text": "100 % ? \u2028"}, None))
        for at in (json.loads(event.json)["at"], post["at"]):
            self.assertTrue(before - 2 <= at <= time.time() * 1000 + 2, at - before)
        self.assertEqual(await self.store.friends_of(["bob"]), {"bob": ("ann",)})

    async def test_friends_that_are_nobody(self) -> None:
        """A row that names no user, or the viewer themselves, is passed over."""
        for viewer, friend in [
            ("ann", "b b"),
            ("ann", ""),
            ("ann", "ann"),
            ("ann", "bob"),
            ("bob", "é"),
            ("eve", "ann"),
        ]:
            self.write("INSERT INTO friendships (viewer, friend) VALUES (?, ?)", (viewer, friend))
        self.assertEqual(await self.store.friends_of(["bob", "ann"]), {"ann": ("bob",), "bob": ()})

    async def test_friends_with_a_comma(self) -> None:
        """
        A name that a site has written with a comma is not two users; nor is one with a space at its
        end somebody else.
        """
        for viewer, friend in [
            ("ann", "bob"),
            ("ann", "cid,dan"),
            ("ann", "eve"),
            ("bob ", "cid"),
            ("bob", "dan"),
        ]:
            self.write("INSERT INTO friendships (viewer, friend) VALUES (?, ?)", (viewer, friend))
        self.assertEqual(
            await self.store.friends_of(["ann", "bob"]), {"ann": ("bob", "eve"), "bob": ("dan",)}
        )

    async def test_friends_row_by_row(self) -> None:
        """
        However few rows an answer may hold, each viewer's list is whole, and an answer holds as
        many lists as fit.
        """
        names = {"ann": 3, "bob": 0, "cid": 1, "dan": 7, "eve": 2}
        rows = [f"{viewer}-f{number}" for viewer, count in names.items() for number in range(count)]
        await self.store.change_friends(pairs(*rows), [])
        whole = await self.store.friends_of(names)
        self.assertEqual({viewer: len(friends) for viewer, friends in whole.items()}, names)
        assert self.store._reads is not None
        sizes = []
        for limit in range(1, 16):
            left, found = sorted(names), {}
            while left:
                some = await self.store._reads.run(
                    lambda txn, left=left, limit=limit: friends_of(txn, left, limit)
                )
                found |= some
                left = left[len(some) :]
                sizes.append(len(some))
            self.assertEqual(found, whole)
        self.assertEqual((sizes[:5], sizes[-4:]), ([1, 1, 1, 1, 1], [4, 1, 5, 5]))

    async def test_a_sites_post_can_be_edited(self) -> None:
        """By its author, through feedd; the page says when."""
        self.write("INSERT INTO posts (author, body) VALUES (?, ?)", ("ann", "1"))
        event = await self.store.edit_post("ann", 1, b"2")
        (post,) = (await self.store.page(["ann"], None, 10, 0)).posts
        self.assertEqual(json.loads(post)["edited"], json.loads(event.json)["at"])

    async def test_a_site_deletes_a_post(self) -> None:
        """
        By its own UPDATE: neither page nor log has the body any more, not even for a repeated key.
        """
        stored = await self.store.add_post("ann", b'"secret"', "key")
        self.write(
            "INSERT INTO events (kind, author, post, payload) VALUES (?, ?, ?, ?)",
            ("message", "ann", stored.post, "1"),
        )
        self.write("UPDATE posts SET deleted_at = ?", (1,))
        events = (await self.store.events_after(0, ["ann"], 9)).events
        self.assertEqual([body_of(event) for event in events], [{}, 1])
        self.assertEqual((await self.store.page(["ann"], None, 9, 0)).posts, [])
        self.assertEqual((await self.store.add_post("ann", b"1", "key")).event, events[0])

    async def test_unreadable_events_are_left_out(self) -> None:
        """And counted; those after them are found, however many there are."""
        await self.posted("ann", 1)
        for kind, author, payload in (
            ("post", "ann", "{half"),
            ("shout", "ann", "1"),
            ("post", "a b", "1"),
            ("friend", "ann", "1"),
        ):
            self.write(
                "INSERT INTO events (kind, author, payload) VALUES (?, ?, ?)",
                (kind, author, payload),
            )
        (last,) = await self.posted("ann", 1)
        first = await self.store.events_after(1, ["ann"], 1)
        self.assertEqual(first.events, [last.event])
        ids = await self.store.ids_after(0, 10)
        self.assertEqual(
            [event.id for event in await self.store.events_by_id(ids)], [ids[0], ids[-1]]
        )
        self.assertEqual(
            [event.id for event in (await self.store.open(10)).events], [ids[0], ids[-1]]
        )
        self.assertEqual(self.counters["store_unreadable"], 3 + 4 + 4)

    async def test_unreadable_posts_are_left_out(self) -> None:
        """And counted; the page is as full as it can be."""
        await self.posted("ann", 3)
        for body in ("{half", "", "nan", '"\n"'):
            self.write("INSERT INTO posts (author, body) VALUES (?, ?)", ("ann", body))
        page = await self.store.page(["ann"], None, 2, 0)
        self.assertEqual((shown(page), page.more), ([2, 1], True))
        self.assertEqual(self.counters["store_unreadable"], 4)

    async def test_rows_far_apart(self) -> None:
        """They are found across any gap, in both directions, also for very many authors."""
        for id in (1, 7, 6_000, 70_000, 5_000_000, 10**15):
            self.write(
                "INSERT INTO posts (id, author, body) VALUES (?, ?, ?)", (id, "ann", str(id))
            )
            self.write(
                "INSERT INTO events (id, kind, author, payload) VALUES (?, ?, ?, ?)",
                (id, "message", "ann", "1"),
            )
        history = await self.store.events_after(1, [*CROWD, "ann"], 4)
        self.assertEqual([event.id for event in history.events], [7, 6_000, 70_000, 5_000_000])
        self.assertEqual((history.more, history.highest), (True, 10**15))
        page = await self.store.page([*CROWD, "ann"], None, 4, 5_000_000)
        self.assertEqual(
            (shown(page), page.more, page.ids),
            ([10**15, 5_000_000, 70_000, 6_000], True, (10**15,)),
        )
        self.assertEqual(shown(await self.store.page(["ann"], 6_000, 4, 0)), [7, 1])

    async def test_a_page_names_a_thousand_ids_at_most(self) -> None:
        """The lowest; a client that gets the others again knows them by id."""
        await self.store.change_friends(pairs(*(f"ann-u{number}" for number in range(1_005))), [])
        self.assertEqual((await self.store.page(["ann"], None, 5, 2)).ids, tuple(range(3, 1_003)))

    async def test_pruned_events(self) -> None:
        """What was deleted is known to have been there, though nothing else is."""
        await self.posted("ann", 2)
        self.write("DELETE FROM events")
        self.write("UPDATE meta SET value = ? WHERE name = ?", ("2", "pruned"))
        self.assertEqual(await self.store.events_after(0, ["ann"], 10), ([], False, 2, 2))
        self.assertEqual((await self.store.open(10)).settled, 2)

    async def test_twistar_finds_the_rows(self) -> None:
        """The models read what feedd wrote, and `register` says on which database."""
        await self.posted("ann", 2)
        assert self.store._reads is not None
        register(self.store._reads, self.store._dialect)
        found = await PostRow.find(where=["author = ? AND body <> ?", "ann", "0"])
        self.assertEqual([(row.id, row.body) for row in found], [(2, "1")])
        self.assertEqual((await EventRow.find(limit=1, orderby="id DESC")).kind, "post")


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
        """What a crash left behind is completed."""
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
        self.assertIn("version 0 and must have 1", error.why)
        await self.refused(Unavailable, store.ping())
        self.assertEqual(migrate(make_dialect(Settings(url=self.url), "")), (0, 1))
        self.assertEqual(migrate(make_dialect(Settings(url=self.url), "")), (1, 1))
        await store.prepare()
        await store.ping()

    async def test_a_newer_schema_is_used(self) -> None:
        """
        While processes are replaced one by one, an old one may start after a new one has migrated.
        """
        self.write("UPDATE meta SET value = ? WHERE name = ?", ("99", "schema"))
        store = await self.reached(migrate=False)
        await store.ping()

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


class BoundContract(SQL):
    """What happens when it is too much, too late or not allowed."""

    async def transact(self, work: Any, store: SQLStore | None = None, **limits: Any) -> Any:
        """Run `work` as a writing query."""
        pool = (store or self.store)._writes
        assert pool is not None
        return await pool.run(work, **limits)

    async def test_the_queue_is_full(self) -> None:
        """
        Who comes when too many wait is refused at once, the tail and the friend lists excepted; the
        others are served.
        """
        store = await self.reached(threads=1, max_waiting=2)
        reading = together([store.events_after(0, ["ann"], 1) for _ in range(4)])
        error = await self.refused(Unavailable, reading[3])
        self.assertEqual((error.part, self.counters["store_full"]), ("database", 1))
        self.assertEqual(
            (await store.ids_after(0, 10), await store.friends_of(["ann"])), ([], {"ann": ()})
        )
        self.assertEqual([(await call).events for call in reading[:3]], [[]] * 3)

    async def test_a_slow_query_is_not_waited_for(self) -> None:
        """
        Who asked gets an answer in time, and what they were told was not stored is not stored
        later.
        """

        def slow(txn: Transaction) -> None:
            txn.execute("INSERT INTO posts (author, body) VALUES (?, ?)", ("ann", "1"))
            time.sleep(0.5)

        error = await self.refused(Unavailable, self.transact(slow, seconds=0.2))
        self.assertIn("no answer within 0.2", error.why)
        await self.posted("bob", 1)  # behind it, on SQLite
        await self.store.stopService()
        self.assertEqual((await (await self.reached()).page(["ann"], None, 1, 0)).posts, [])

    async def test_nothing_goes_on_for_nobody(self) -> None:
        """
        Who was told that it took too long has no thread at work any more, however many statements
        were to come.
        """
        begun: list[int] = []
        error = await self.refused(
            Unavailable, self.transact(lambda txn: self.dawdle(txn, begun), seconds=0.2)
        )
        self.assertIn("no answer within 0.2", error.why)
        await self.pause(0.2)
        count = len(begun)
        await self.pause(0.3)
        self.assertEqual(len(begun), count)

    def dawdle(self, txn: Transaction, begun: list[int]) -> None:
        """A transaction of a hundred statements, ten seconds long."""
        for number in range(100):
            begun.append(number)
            txn.execute("INSERT INTO posts (author, body) VALUES (?, ?)", ("ann", "1"))
            time.sleep(0.1)

    async def test_stopping_is_not_put_off(self) -> None:
        """What takes longer than a stop may wait for is rolled back."""
        store = await self.reached(query_seconds=0.2)
        (working,) = together(
            [self.transact(lambda txn: self.dawdle(txn, []), store, seconds=60.0)]
        )
        begun = time.monotonic()
        await store.stopService()
        self.assertLess(time.monotonic() - begun, 3.0)
        await self.refused(Unavailable, working)
        self.assertEqual((await self.store.page(["ann"], None, 1, 0)).posts, [])

    async def test_an_id_becomes_visible_soon_or_never(self) -> None:
        """
        A transaction that takes long after its first event got an id is rolled back: the cursor
        rests on that.
        """

        def late(txn: Transaction) -> None:
            txn.numbering()
            txn.execute(
                "INSERT INTO events (kind, author, payload) VALUES (?, ?, ?)", ("post", "ann", "1")
            )
            time.sleep(0.6)

        store = await self.reached(settle_seconds=1.0)
        error = await self.refused(Unavailable, self.transact(late, store))
        self.assertIn("took too long", error.why)
        self.assertEqual(await store.ids_after(0, 10), [])

    async def test_a_lost_race_is_run_again(self) -> None:
        """As a whole, in a fresh transaction, three times at most."""
        runs: list[int] = []

        def racing(txn: Transaction) -> int:
            runs.append(txn.change("INSERT INTO markers (viewer, post) VALUES (?, ?)", ("ann", 1)))
            if len(runs) % 3:
                raise Again
            return len(runs)

        def hopeless(txn: Transaction) -> None:
            runs.append(0)
            raise Again

        self.assertEqual(await self.transact(racing), 3)
        await self.refused(Unavailable, self.transact(hopeless))
        self.assertEqual(len(runs), 6)

    async def test_a_wrong_statement_is_no_outage(self) -> None:
        """A mistake of ours is raised as it is, and logged."""
        for statement in ("SELECT nothing FROM posts", "SELEC 1", "SELECT 1 FROM nowhere"):
            await self.refused(
                self.store._dialect.errors[0],
                self.transact(lambda txn, statement=statement: txn.row(statement)),
            )
        self.assertEqual(len(self.flushLoggedErrors(self.store._dialect.errors[0])), 3)
        self.assertTrue((await self.store.add_post("ann", b"1", None)).fresh)

    async def test_a_failure_rolls_back(self) -> None:
        """Whatever is raised inside, nothing of the transaction remains."""

        def failing(txn: Transaction) -> None:
            txn.execute("INSERT INTO markers (viewer, post) VALUES (?, ?)", ("ann", 9))
            raise NotFound

        await self.refused(NotFound, self.transact(failing))
        self.assertEqual(await self.store.mark("ann", 1), 1)

    async def test_who_leaves_stops_no_write(self) -> None:
        """A cancelled post is stored all the same: it was meant."""
        (posting,) = together([self.store.add_post("ann", b"1", None)])
        posting.addErrback(lambda failure: None)
        posting.cancel()
        await self.posted("bob", 1)
        await self.store.stopService()
        self.assertEqual(len((await (await self.reached()).page(["ann"], None, 1, 0)).posts), 1)

    async def test_ten_thousand_pairs(self) -> None:
        """Both ways at once; every event has its own id and is in the log."""
        names = [f"ann-u{number}" for number in range(5_000)] + [
            f"u{number}-ann" for number in range(5_000)
        ]
        begun = await self.store.change_friends(pairs(*names), [])
        mixed = await self.store.change_friends(pairs(*names, "bob-eve"), pairs(*names[:1_000]))
        self.assertEqual([len(begun), len(mixed)], [10_000, 1_001])
        self.assertEqual(len((await self.store.friends_of(["ann"]))["ann"]), 4_000)
        for events in (begun, mixed):
            self.assertEqual(await self.store.events_by_id([event.id for event in events]), events)

    async def test_stopping(self) -> None:
        """What was accepted ends well; what comes afterwards is refused."""
        posting = together(
            [self.store.add_post("ann", b"%d" % number, None) for number in range(20)]
        )
        stopping = self.store.stopService()
        self.assertTrue(all([(await call).fresh for call in posting]))
        await stopping
        await self.refused(Unavailable, self.store.ping())
        page = await (await self.reached()).page(["ann"], None, 100, 0)
        self.assertEqual(len(page.posts), 20)

    async def test_stopping_does_not_block(self) -> None:
        """The reactor goes on while a query comes to its end."""
        (working,) = together([self.transact(lambda txn: time.sleep(0.6))])
        stopping = self.store.stopService()
        await self.pause(0.1)
        self.assertNoResult(stopping)
        await working
        await stopping
