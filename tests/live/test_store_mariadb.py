"""The store on MariaDB: the contract, and what only transactions that overlap can do."""

import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import pymysql
from twisted.trial.unittest import TestCase

from feedd.feed.ports import NotFound, Unavailable
from feedd.log.tail import BATCH
from feedd.store.database.mariadb import TEXT_BYTES
from feedd.store.running.transaction import Transaction
from feedd.store.tables import posts
from feedd.store.tables.retention import prune
from tests.contracts.store import FriendContract, PostContract, body_of, pairs, together
from tests.contracts.store_log import LogContract, PageContract
from tests.contracts.store_retention import RetentionContract
from tests.contracts.store_sql import SQL, BoundContract, MigrationContract, SiteContract
from tests.live import servers

INSERT = "INSERT INTO events (kind, author, payload) VALUES ('post', 'ann', %s)"


def connect(url: str) -> Any:
    """A connection past feedd, in a transaction."""
    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname,
        port=parts.port,
        user=parts.username,
        database=parts.path[1:],
        charset="utf8mb4",
        read_timeout=20,
    )


class MariaDB(SQL):
    """A database of its own for each test, on the server of all."""

    def new_url(self) -> str:
        return servers.mariadb().database()

    def write(self, statement: str, values: Sequence[Any] = ()) -> None:
        connection = connect(self.url)
        connection.cursor().execute(statement.replace("?", "%s"), values)
        connection.commit()
        connection.close()

    def other(self) -> Any:
        """A cursor past feedd, in a transaction of its own; ``.connection.commit()`` commits it."""
        connection = connect(self.url)
        self.addCleanup(lambda: connection.open and connection.close())
        return connection.cursor()


class MariaDBStoreTests(MariaDB, PostContract, FriendContract, LogContract, PageContract, TestCase):
    """The contract of every store."""


class MariaDBRowTests(MariaDB, SiteContract, MigrationContract, TestCase):
    """Rows of a site, and the schema."""


class MariaDBRetentionTests(MariaDB, RetentionContract, TestCase):
    """Retention."""


class MariaDBBoundTests(MariaDB, BoundContract, TestCase):
    """Bounds."""


class TextTests(MariaDB, TestCase):
    """Many values come as one text."""

    async def test_a_list_that_does_not_fit(self) -> None:
        """
        Somebody who hears more than a text holds hears all of them, and so does who was asked for
        beside them.
        """
        number = (
            TEXT_BYTES // 65 + 2
        )  # the last one is left out, but the comma makes up for it in number
        self.write(
            f"INSERT INTO friendships (viewer, friend) SELECT 'ann', LPAD(seq, 64, 'f') "
            f"FROM seq_1_to_{number}"
        )
        self.write("INSERT INTO friendships (viewer, friend) VALUES ('ann', 'a,b'), ('bob', 'ann')")
        lists = await self.store.friends_of(["ann", "bob"])
        self.assertEqual((len(lists["ann"]), lists["bob"]), (number, ("ann",)))

    async def test_many(self) -> None:
        """
        It holds as many as the net asks for, in their order, whatever the server's own limit is
        (MySQL's is 1 kB).
        """
        self.write(
            f"INSERT INTO events (kind, author, payload) SELECT 'post', 'ann', '1' FROM "
            f"seq_1_to_{BATCH}"
        )
        self.assertEqual(await self.store.ids_after(0, BATCH), list(range(1, BATCH + 1)))
        self.assertEqual(await self.store.ids_after(7, 2), [8, 9])
        assert self.store._reads is not None
        limit = await self.store._reads.run(lambda txn: txn.row("SELECT @@group_concat_max_len"))
        self.assertEqual(limit, (TEXT_BYTES,))
        self.assertGreater(TEXT_BYTES, BATCH * len(f"{2**63},"))


class OverlapTests(MariaDB, TestCase):
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

    async def test_a_page_is_one_snapshot(self) -> None:
        """What is committed while a page is read is neither among its posts nor among its ids."""
        await self.posted("ann")

        def page_in_between(txn: Transaction) -> Any:
            txn.row("SELECT 1 FROM meta LIMIT 1")
            self.write("INSERT INTO posts (author, body) VALUES ('ann', '1')")
            self.write("INSERT INTO events (kind, author, payload) VALUES ('post', 'ann', '1')")
            return posts.page(txn, ["ann"], None, 10, 0)[0]

        assert self.store._reads is not None
        page = await self.store._reads.run(page_in_between)
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
        """Cannot be edited any more: the edit waits, and finds it gone."""
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

        assert self.store._writes is not None
        await self.store._writes.run(look)

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
            story += await call
        standing: dict[tuple[str, str | None], str] = {}
        for event in sorted(story, key=lambda event: event.id):
            self.assertNotEqual(standing.get((event.author, event.friend), "unfriend"), event.kind)
            standing[event.author, event.friend] = event.kind
        for viewer in {name.split("-")[0] for name in names}:
            heard = sorted(
                str(f) for (v, f), kind in standing.items() if v == viewer and kind == "friend"
            )
            self.assertEqual(list((await store.friends_of([viewer]))[viewer]), heard)

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
        self.assertEqual([(event.author, event.friend) for event in await changing], [("c", "z")])

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
        other.execute("SELECT GET_LOCK(CONCAT('feedd:', SHA1(DATABASE())), 0)")
        store = self.started()
        (preparing,) = together([store.prepare()])
        await self.pause(0.5)
        self.assertNoResult(preparing)
        other.connection.close()
        await preparing
        await store.ping()


class WaitTests(MariaDB, TestCase):
    """Locks of whole tables, and of the schema."""

    async def refused_in_time(self, call: Any) -> None:
        begun = time.monotonic()
        await self.refused(Unavailable, call)
        self.assertLess(time.monotonic() - begun, 3.5)

    async def test_a_table_that_somebody_keeps(self) -> None:
        """
        Who reads or writes it is refused in time, nothing is stored, and nobody waits on in the
        server.
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
        As a backup does. It is refused in time, and does not happen later, when its id has been
        read past.
        """
        site = self.other()

        def held_up(txn: Transaction) -> None:
            txn.execute("INSERT INTO events (kind, author, payload) VALUES ('post', 'ann', '1')")
            site.execute("FLUSH TABLES WITH READ LOCK")

        assert self.store._writes is not None
        await self.refused_in_time(self.store._writes.run(held_up))
        await self.pause(1.0)
        site.execute("UNLOCK TABLES")
        await self.pause(0.5)
        self.assertEqual(await self.store.ids_after(0, 9), [])

    async def test_stopping_does_not_wait_for_a_migration(self) -> None:
        """
        It has its own thread, and leaves nothing half done that the next one would not complete.
        """
        self.url = self.new_url()
        self.other().execute("SELECT GET_LOCK(CONCAT('feedd:', SHA1(DATABASE())), 0)")
        store = self.started()
        (preparing,) = together([store.prepare()])
        preparing.addErrback(lambda failure: None)
        await self.pause(0.5)
        begun = time.monotonic()
        await store.stopService()
        self.assertLess(time.monotonic() - begun, 1.0)
        self.assertNoResult(preparing)


class PruningTests(MariaDB, TestCase):
    """Retention beside those who write."""

    async def test_who_writes_does_not_wait(self) -> None:
        """
        While a batch is deleted, posts, edits and the watermark are written, though nothing but the
        last row is left.
        """
        stored = await self.posted("ann", 1_500)
        await self.store.save_settled((await self.store.open(0)).epoch, stored[-1].event.id)
        self.write("UPDATE events SET created_at = 1")

        def prune_in_between(txn: Transaction) -> int:
            count = prune(txn, "me", 10**12, 10**12, 2_000)
            site = self.other()
            site.execute("SET innodb_lock_wait_timeout = 1")
            site.execute(INSERT, ("1",))
            site.execute(
                "INSERT INTO events (kind, author, payload, created_at) VALUES ('post', "
                "'ann', '1', 1)"
            )
            site.execute("UPDATE posts SET body = '2' WHERE id = 1")
            site.execute("UPDATE meta SET value = '9999' WHERE name = 'settled'")
            site.connection.commit()
            return count

        assert self.store._writes is not None
        self.assertEqual(await self.store._writes.run(prune_in_between), 1_499)
        self.assertEqual(len(await self.store.ids_after(0, 10)), 3)

    async def test_two_at_once(self) -> None:
        """One prunes, the other finds nothing to do; every event is counted once."""
        stored = await self.posted("ann", 300)
        await self.store.save_settled((await self.store.open(0)).epoch, stored[-2].event.id)
        self.write("UPDATE events SET created_at = 1")
        pruning = together([self.store.prune(owner, 1.0, 100) for owner in ("a", "b", "c", "d")])
        self.assertEqual(sorted([await batch for batch in pruning]), [0, 0, 0, 100])


class ConnectionTests(MariaDB, TestCase):
    """Connections that fail, on a server that does not."""

    async def test_a_connection_lost_at_the_commit(self) -> None:
        """Nobody knows whether it happened: unavailable. The next call has a new connection."""

        def cut(txn: Transaction) -> None:
            txn.execute("INSERT INTO markers (viewer, post) VALUES (?, ?)", ("ann", 1))
            (number,) = txn.row("SELECT CONNECTION_ID()")
            self.write(f"KILL {number}")
            time.sleep(0.1)

        assert self.store._writes is not None
        await self.refused(Unavailable, self.store._writes.run(cut))
        self.assertTrue((await self.store.add_post("ann", b"1", None)).fresh)

    async def test_a_statement_that_takes_too_long(self) -> None:
        """The server ends it, so that it does not go on for a caller who has left."""
        assert self.store._reads is not None
        error = await self.refused(
            Unavailable, self.store._reads.run(lambda txn: txn.row("SELECT SLEEP(10)"))
        )
        self.assertIn("max_statement_time", error.why)

    async def test_an_idle_connection_that_died(self) -> None:
        """It is replaced before it is used."""
        store = await self.reached(threads=1)
        await self.posted("ann")
        await store.friends_of(["ann"])
        self.other().execute(
            "BEGIN NOT ATOMIC FOR c IN (SELECT id FROM information_schema.processlist "
            "WHERE id <> CONNECTION_ID() AND"
            f" db = '{self.url.rpartition('/')[2]}') DO KILL c.id; END FOR; END"
        )
        await self.pause(1.1)
        for _ in range(5):
            await store.friends_of(["ann"])
            await store.add_post("ann", b"1", None)

    async def test_a_wrong_password(self) -> None:
        """Is said without the password, whatever letters it has."""
        url = self.url.replace("feedd@", "nobody:geheim%C5%9B@")
        for password in ("", "geheimś2"):
            error = await self.refused(Unavailable, self.started(url, password).prepare())
            self.assertIn("Access denied", error.why)
            self.assertNotIn("geheim", str(error))

    async def test_a_database_that_is_not_there(self) -> None:
        """Is said."""
        error = await self.refused(Unavailable, self.started(self.url + "x").prepare())
        self.assertIn("Unknown database", error.why)

    async def test_tls_is_not_left_out(self) -> None:
        """A server that cannot do TLS is not talked to without it."""
        error = await self.refused(
            Unavailable, self.started(self.url.replace("mysql:", "mysqls:")).prepare()
        )
        self.assertIn("SSL", error.why)
