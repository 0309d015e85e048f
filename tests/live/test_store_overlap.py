"""Transactions on MariaDB that overlap with those of others, and locks that others hold."""

import functools
import time
from collections.abc import Coroutine
from typing import Any

from twisted.trial.unittest import TestCase

from feedd.core.event import Event
from feedd.core.runs import runs_of
from feedd.feed.ports import Block, FriendChanges, NotFound, Unavailable
from feedd.store.database.mariadb import lock_name
from feedd.store.running.transaction import Transaction
from feedd.store.tables import friendships, posts
from tests.contracts.store import body_of, pairs, together
from tests.live import servers
from tests.live.mariadb import INSERT, MariaDB


class Overlap(MariaDB):
    """Transactions that overlap with feedd's."""

    async def test_a_late_commit(self) -> None:
        """
        A row that was inserted first and committed last appears below the one in between; this is
        what the net is for.
        """
        site = self.other()
        site.execute(INSERT, ("1",))
        (stored,) = await self.posted("bob")
        self.assertEqual(await self.store.ids_after(0, 10), [stored.event.id])
        site.connection.commit()
        self.assertEqual(await self.store.ids_after(0, 10), [stored.event.id - 1, stored.event.id])

    async def test_what_is_not_committed(self) -> None:
        """A row stands from its INSERT to its rollback; what reads committed rows sees none."""
        (stored,) = await self.posted("bob")
        site = self.other()
        site.execute(INSERT, ("1",))
        mine = stored.event.id + 1
        self.assertEqual(await self.store.ids_standing(0, 10), [mine - 1, mine])
        self.assertEqual(await self.store.ids_standing(mine - 1, 10), [mine])
        self.assertEqual(await self.store.ids_standing(mine, 10, runs_of([mine])), [mine])
        self.assertEqual(await self.store.ids_after(0, 10), [mine - 1])
        site.connection.rollback()
        self.assertEqual(await self.store.ids_standing(0, 10), [mine - 1])

    async def test_several_nodes_write(self) -> None:
        """Where others' open transactions are not seen, nobody relies on seeing them."""
        store = await self.reached(multi_writer=True)
        self.assertIsNone(await store.ids_standing(0, 10))

    async def test_a_page_is_one_snapshot(self) -> None:
        """What is committed while a page is read is neither among its posts nor among its ids."""
        await self.posted("ann")

        def page_in_between(txn: Transaction) -> Any:
            txn.row("SELECT 1 FROM meta LIMIT 1")
            self.write("INSERT INTO posts (author, body) VALUES ('ann', '1')")
            self.write("INSERT INTO events (kind, author, payload) VALUES ('post', 'ann', '1')")
            return posts.page(txn, ["ann"], None, 10, 0)[0]

        page = await self.store.reads.run(page_in_between)
        self.assertEqual((len(page.posts), page.ids), (1, (1,)))
        self.assertEqual(len((await self.store.page(["ann"], None, 10, 0)).posts), 2)

    async def test_edits_are_in_the_order_of_their_events(self) -> None:
        """Of many edits at once, the one with the highest event is what the post says."""
        (stored,) = await self.posted("ann")
        edits = together(
            [self.store.edit_post("ann", stored.post, b"%d" % number) for number in range(20)]
        )
        last = max([await edit for edit in edits], key=lambda event: event.id)
        (post,) = (await self.store.page(["ann"], None, 1, 0)).posts
        self.assertIn(b'"body":%d,' % body_of(last), post)

    async def test_a_post_that_is_being_deleted(self) -> None:
        """
        A post that is being deleted cannot be edited any more: the edit waits, and finds it gone.
        """
        (stored,) = await self.posted("ann")
        site = self.other()
        site.execute("UPDATE posts SET deleted_at = 1 WHERE id = %s", (stored.post,))
        (editing,) = together([self.store.edit_post("ann", stored.post, b"1")])
        await self.pause(0.3)
        site.connection.commit()
        await self.refused(NotFound, editing)

    async def test_to_look_for_a_missing_post_blocks_nobody(self) -> None:
        """No lock is taken on the place where the next post will be."""

        def look(txn: Transaction) -> None:
            with self.assertRaises(NotFound):
                posts.edit_post(txn, "ann", 1, b"1", 0)
            self.write("INSERT INTO posts (author, body) VALUES ('bob', '1')")

        await self.store.writes.run(look)

    async def test_crossing_changes_of_friends(self) -> None:
        """
        Many calls that change the same pairs at once all end, and their events tell one story.
        """
        names = [f"u{a}-u{b}" for a in range(12) for b in range(12) if a != b]
        store = await self.reached(query_seconds=5.0)
        calls = []
        for turn in range(12):
            some, others = names[turn::3], names[turn % 2 :: 2]
            calls += together(
                [
                    store.change_friends(pairs(*some), []),
                    store.change_friends([], pairs(*others[::-1])),
                ]
            )
        story = []
        for call in calls:
            story += (await call).events
        standing: dict[tuple[str, str | None], str] = {}
        for event in sorted(story, key=lambda event: event.id):
            self.assertNotEqual(standing.get((event.author, event.friend), "unfriend"), event.kind)
            standing[event.author, event.friend] = event.kind
        for viewer in {name.split("-")[0] for name in names}:
            heard = sorted(
                str(f) for (v, f), kind in standing.items() if v == viewer and kind == "friend"
            )
            self.assertEqual(list((await store.friends_of([viewer]))[viewer]), heard)

    async def test_a_block_that_comes_meanwhile(self) -> None:
        """A friendship is refused by a block that was committed after its transaction began."""

        def change(txn: Transaction) -> FriendChanges:
            txn.row("SELECT 1 FROM friendships, blocks LIMIT 1")
            self.write("INSERT INTO blocks (viewer, author) VALUES ('ann', 'bob')")
            return friendships.change_friends(txn, pairs("bob-ann", "bob-cid"), [], 1)

        events, blocked = await self.store.writes.run(change)
        self.assertEqual(([event.friend for event in events], blocked), (["cid"], pairs("bob-ann")))
        self.assertEqual(await self.store.friends_of(["bob"]), {"bob": ("cid",)})

    async def test_a_friendship_that_comes_meanwhile(self) -> None:
        """A block ends one that was committed after its transaction began."""

        def change(txn: Transaction) -> list[Event]:
            txn.row("SELECT 1 FROM friendships, blocks LIMIT 1")
            self.write("INSERT INTO friendships (viewer, friend) VALUES ('bob', 'ann')")
            return friendships.change_blocks(txn, [Block("ann", "bob")], [], 1)

        (event,) = await self.store.writes.run(change)
        self.assertEqual((event.author, event.friend), ("bob", "ann"))

    async def test_a_friendship_that_is_open(self) -> None:
        """A block waits for one that is not committed yet, and ends it."""
        site = self.other()
        site.execute("INSERT INTO friendships (viewer, friend) VALUES ('bob', 'ann')")
        (blocking,) = together([self.store.change_blocks([Block("ann", "bob")], [])])
        await self.pause(0.3)
        self.assertFalse(blocking.called)
        site.connection.commit()
        (event,) = await blocking
        self.assertEqual((event.author, event.friend), ("bob", "ann"))

    async def test_a_block_and_a_friendship_at_once(self) -> None:
        """However they meet, none is left between those who block each other."""
        for turn in range(15):
            one, other = f"a{turn}", f"b{turn}"
            calls: list[Coroutine[Any, Any, object]] = [
                self.store.change_friends(pairs(f"{one}-{other}", f"{other}-{one}"), []),
                self.store.change_blocks([Block(one, other)], []),
                self.store.change_friends(pairs(f"{other}-{one}"), []),
                self.store.change_blocks([Block(other, one)], []),
            ]
            for call in together(calls[turn % 2 :] + calls[: turn % 2]):
                await call
            self.assertEqual(await self.store.friends_of([one, other]), {one: (), other: ()})

    async def test_an_open_block_holds_up_nobody_else(self) -> None:
        """Nor does a friendship that is not committed."""
        await self.store.change_blocks([Block("a", "b"), Block("x", "y")], [])
        await self.store.change_friends(pairs("c-d", "u-v"), [])
        site = self.other()
        site.execute("INSERT INTO blocks (viewer, author) VALUES ('ann', 'bob')")
        site.execute("INSERT INTO friendships (viewer, friend) VALUES ('ann', 'cid')")
        changes = await self.store.change_friends(pairs("g-h", "eve-ann"), [])
        self.assertEqual((len(changes.events), changes.blocked), (2, []))
        ended = await self.store.change_blocks([Block("g", "h"), Block("m", "n")], [])
        self.assertEqual(len(ended), 1)
        site.connection.rollback()

    async def test_a_deadlock(self) -> None:
        """Its victim is run again, in a new transaction."""
        site = self.other()
        insert = "INSERT INTO friendships (viewer, friend) VALUES (%s, %s)"
        site.executemany(
            insert, [("z", f"u{number}") for number in range(50)]
        )  # so that the other one is the victim
        site.execute(insert, ("b", "y"))
        (changing,) = together([self.store.change_friends(pairs("a-x", "b-y", "c-z"), [])])
        await self.pause(0.3)  # it holds a-x now, and waits for b-y
        site.execute(insert, ("a", "x"))
        site.connection.commit()
        self.assertEqual(
            [(event.author, event.friend) for event in (await changing).events],
            [("c", "z")],
        )

    async def test_a_lock_that_nobody_lets_go(self) -> None:
        """The wait ends, and nothing was stored; the others are not kept waiting."""
        (stored,) = await self.posted("ann")
        site = self.other()
        site.execute("SELECT 1 FROM posts WHERE id = %s FOR UPDATE", (stored.post,))
        (editing,) = together([self.store.edit_post("ann", stored.post, b"1")])
        await self.posted("ann")
        self.assertEqual(len(await self.store.ids_after(0, 10)), 2)
        await self.refused(Unavailable, editing)
        site.connection.rollback()
        await self.store.edit_post("ann", stored.post, b"2")
        self.assertEqual(len(await self.store.ids_after(0, 10)), 3)

    async def test_a_migration_waits_for_another(self) -> None:
        """One process at a time changes the schema of a database."""
        self.url = self.new_url()
        other = self.other()
        other.execute("SELECT GET_LOCK(%s, 0)", (lock_name(other.connection.db.decode()),))
        store = self.started()
        (preparing,) = together([store.prepare()])
        await self.pause(0.5)
        self.assertNoResult(preparing)
        other.connection.close()
        await preparing
        await store.ping()


class MariaDBOverlapTests(Overlap, TestCase):
    """On MariaDB."""


@functools.cache
def private_server() -> servers.MariaDB:
    """One that may be locked as a whole; it ends with this process."""
    return servers.MariaDB().start()


class WaitTests(MariaDB, TestCase):
    """Locks of whole tables, of the schema, and of everything on a server of our own."""

    def new_url(self) -> str:
        return private_server().database()

    async def refused_in_time(self, call: Any) -> None:
        begun = time.monotonic()
        await self.refused(Unavailable, call)
        self.assertLess(time.monotonic() - begun, 3.5)

    async def test_a_table_that_somebody_keeps(self) -> None:
        """
        While a table is locked, reads and writes of it are refused in time, nothing is stored, and
        nothing waits on in the server.
        """
        (before,) = await self.posted("ann")
        site = self.other()
        for lock in ("LOCK TABLES posts WRITE", "FLUSH TABLES WITH READ LOCK"):
            site.execute(lock)
            await self.refused_in_time(self.store.add_post("ann", b"1", "key"))
            if lock.startswith("LOCK"):
                await self.refused_in_time(self.store.page(["ann"], None, 1, 0))
            await self.pause(2.5)
            site.execute(
                "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND "
                "state LIKE '%lock%'"
            )
            self.assertEqual(site.fetchall(), ())
            site.execute("UNLOCK TABLES")
            self.assertEqual(await self.store.ids_after(0, 9), [before.event.id])

    async def test_a_commit_that_somebody_holds_up(self) -> None:
        """
        A COMMIT that a backup holds up is refused in time, and does not happen later, when its id
        has been read past.
        """
        site = self.other()

        def held_up(txn: Transaction) -> None:
            txn.execute("INSERT INTO events (kind, author, payload) VALUES ('post', 'ann', '1')")
            site.execute("FLUSH TABLES WITH READ LOCK")

        await self.refused_in_time(self.store.writes.run(held_up))
        await self.pause(1.0)
        site.execute("UNLOCK TABLES")
        await self.pause(0.5)
        self.assertEqual(await self.store.ids_after(0, 9), [])

    async def test_stopping_does_not_wait_for_a_migration(self) -> None:
        """
        A migration has its own thread, and leaves nothing half done that the next one would not
        complete.
        """
        self.url = self.new_url()
        other = self.other()
        other.execute("SELECT GET_LOCK(%s, 0)", (lock_name(other.connection.db.decode()),))
        store = self.started()
        (preparing,) = together([store.prepare()])
        preparing.addErrback(lambda failure: None)
        await self.pause(0.5)
        begun = time.monotonic()
        await store.stopService()
        self.assertLess(time.monotonic() - begun, 1.0)
        self.assertNoResult(preparing)
