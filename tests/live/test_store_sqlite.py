"""The store on SQLite, with its threads and a file."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.trial.unittest import TestCase

from feedd.feed.ports import Unavailable
from feedd.feed.settings import Store as Settings
from feedd.store.database import sqlite
from feedd.store.database.address import FileAddress, parse_address
from feedd.store.database.dialects import make_dialect
from feedd.store.running.refusals import LOOK_SECONDS, QUIET_SECONDS
from feedd.store.running.transaction import Refused
from tests.contracts.store import FriendContract, PostContract, together
from tests.contracts.store_blocks import BlockContract
from tests.contracts.store_bounds import BoundContract
from tests.contracts.store_group import UNWANTED, GroupContract
from tests.contracts.store_log import LogContract, PageContract
from tests.contracts.store_migration import MigrationContract
from tests.contracts.store_retention import RetentionContract
from tests.contracts.store_site import SiteContract
from tests.contracts.store_sql import SQL

ROOT = Path(__file__).parents[2]
_POSTER = """
import sys, time
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from feedd.feed.settings import Store
from feedd.core.counters import Counters
from feedd.store.database.dialects import make_dialect
from feedd.store.sql import SQLStore

async def post():
    settings = Store(url=sys.argv[1])
    store = SQLStore(reactor, settings, make_dialect(settings, ""), Counters(),
    lambda: int(time.time() * 1000))
    store.startService()
    await store.prepare()
    while True:
        stored = await store.add_post("ann", b"%d" % time.time_ns(), None)
        print(stored.post, flush=True)

reactor.callWhenRunning(lambda: Deferred.fromCoroutine(post()))
reactor.run()
"""


class SQLite(SQL):
    """A file of its own for each test."""

    def new_url(self) -> str:
        return f"sqlite:{os.path.abspath(self.mktemp())}"

    def write(self, statement: str, values: Sequence[Any] = ()) -> None:
        connection = self.connection()
        with connection:
            connection.execute(statement, values)
        connection.close()

    def connection(self) -> sqlite3.Connection:
        """A connection past feedd."""
        return sqlite3.connect(self.url.removeprefix("sqlite:"))


class SQLiteStoreTests(
    SQLite, PostContract, FriendContract, BlockContract, LogContract, PageContract, TestCase
):
    """The contract of every store."""


class SQLiteRowTests(SQLite, SiteContract, MigrationContract, TestCase):
    """Rows of a site, and the schema."""


class SQLiteRetentionTests(SQLite, RetentionContract, TestCase):
    """Retention."""


class SQLiteBoundTests(SQLite, BoundContract, TestCase):
    """Bounds."""


class SQLiteGroupTests(SQLite, GroupContract, TestCase):
    """Posts that are written together."""

    def rows(self, statement: str) -> Sequence[Any]:
        connection = self.connection()
        rows = connection.execute(statement).fetchall()
        connection.close()
        return rows

    def refuse_unwanted(self) -> None:
        self.write(
            "CREATE TRIGGER unwanted BEFORE INSERT ON posts"
            f" WHEN NEW.body = '{UNWANTED}' BEGIN SELECT RAISE(ABORT, 'unwanted'); END"
        )


class SQLiteTests(SQLite, TestCase):
    """What only SQLite does."""

    async def test_ids_settle_at_once(self) -> None:
        """One transaction writes at a time, so ids become visible in order."""
        self.assertEqual(self.started(settle_seconds=9.0).settle_seconds, 0.0)

    async def test_ids_are_not_given_out_again(self) -> None:
        """Ids are not given out again, not even when the newest rows are deleted."""
        await self.posted("ann", 2)
        self.write("DELETE FROM posts")
        self.write("DELETE FROM events")
        (stored,) = await self.posted("ann", 1)
        self.assertEqual((stored.post, stored.event.id), (3, 3))

    async def test_it_survives_a_power_cut(self) -> None:
        """Commits are written through to the disk, and the log is written ahead."""
        connection = make_dialect(Settings(url=self.url), "").connect()
        self.addCleanup(connection.close)
        found = [
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("synchronous", "journal_mode", "foreign_keys")
        ]
        self.assertEqual(found, [2, "wal", 1])

    async def test_a_writer_keeps_nobody_from_reading(self) -> None:
        """While another process writes, posts wait, and then say that they cannot; reads go on."""
        store = await self.reached(query_seconds=0.3)
        await store.add_post("ann", b"1", None)
        other = self.connection()
        self.addCleanup(other.close)
        other.execute("BEGIN IMMEDIATE")
        (posting,) = together([store.add_post("ann", b"2", None)])
        self.assertEqual(await store.ids_after(0, 10), [1])
        error = await self.refused(Unavailable, posting)
        self.assertIn("locked", error.why)
        other.rollback()
        self.assertEqual((await store.add_post("ann", b"2", None)).post, 2)

    async def test_two_processes_write(self) -> None:
        """
        A transaction that will write does not begin as one that reads; it would be refused when it
        wants to write.
        """
        (stored,) = await self.posted("ann")
        other = await self.reached()
        edits = [
            store.edit_post("ann", stored.post, b"1")
            for _ in range(25)
            for store in (self.store, other)
        ]
        self.assertEqual(sorted([(await edit).id for edit in together(edits)]), list(range(2, 52)))

    async def test_a_migration_waits_for_another(self) -> None:
        """A migration waits for another one, and then finds nothing to do, or goes on."""
        self.url = self.new_url()
        make_dialect(Settings(url=self.url), "").connect().close()
        other = self.connection()
        self.addCleanup(other.close)
        other.execute("BEGIN IMMEDIATE")
        other.execute("CREATE TABLE something (id)")
        store = self.started(query_seconds=0.5)
        (preparing,) = together([store.prepare()])
        await self.pause(0.3)
        self.assertNoResult(preparing)
        other.commit()
        await preparing
        await store.ping()

    async def test_what_is_not_text(self) -> None:
        """
        SQLite takes anything into any column; such rows are left out and do not hide their
        neighbours.
        """
        self.write(
            "INSERT INTO events (kind, author, payload) VALUES ('post', 'ann', "
            "CAST(X'22ff22' AS TEXT))"
        )
        self.write(
            "INSERT INTO events (kind, author, payload, created_at) VALUES ('post', "
            "'ann', '1', 'now')"
        )
        self.write(
            "INSERT INTO events (kind, author, payload, post) VALUES ('post', X'616e6e', '1', 'x')"
        )
        self.write(
            "INSERT INTO events (kind, author, payload) VALUES ('post', 'ann', X'2262797465732022')"
        )
        await self.posted("ann", 1)
        events = (await self.store.events_by_id([1, 2, 3, 4, 5])).events
        self.assertEqual([json.loads(event.json)["body"] for event in events], ["bytes ", 0])

    async def test_a_folder_that_is_not_there(self) -> None:
        """A folder that is not there is reported, and the store comes up when somebody makes it."""
        folder = Path(self.mktemp()).absolute()
        store = self.started(url=f"sqlite:{folder}/feedd.sqlite")
        error = await self.refused(Unavailable, store.prepare())
        self.assertIn("unable to open", error.why)
        folder.mkdir()
        await store.prepare()
        await store.ping()

    async def test_a_committed_post_survives_kill_9(self) -> None:
        """Every post that was reported as stored is there afterwards, and the file is sound."""
        process = subprocess.Popen(
            [sys.executable, "-c", _POSTER, self.url],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        assert process.stdout is not None
        reported = [int(process.stdout.readline())]
        time.sleep(0.3)
        process.send_signal(signal.SIGKILL)
        reported += [int(line) for line in process.stdout.read().split()]
        process.wait()
        process.stdout.close()
        page = await self.store.page(["ann"], None, 10_000, 0)
        stored = {json.loads(post)["id"] for post in page.posts}
        self.assertGreater(len(reported), 5)
        self.assertLessEqual(set(reported), stored)
        self.assertEqual(len(await self.store.ids_after(0, 5_000)), len(stored))


class SmallDisk(sqlite.SQLite):
    """
    A file on a disk that may be full.

    :ivar pages: there is room for so many.
    """

    pages = 1_000_000

    def begin(self, connection: Any, write: bool) -> None:
        connection.execute(f"PRAGMA max_page_count = {self.pages}")
        super().begin(connection, write)


class FullDiskTests(SQLite, TestCase):
    """A disk that is full."""

    def make_dialect(self, settings: Settings, password: str) -> SmallDisk:
        address = parse_address(settings.url, password)
        assert isinstance(address, FileAddress)
        self.disk = SmallDisk(address, settings.query_seconds)
        return self.disk

    async def test_no_ids_left(self) -> None:
        """A row with the highest id there is, which SQLite calls a full disk, is named."""
        self.write(
            "INSERT INTO events (id, kind, author, payload) VALUES (?, 'post', 'ann', '1')",
            (2**63 - 1,),
        )
        error = await self.refused(Refused, self.store.add_post("ann", b"1", None))
        self.assertIn("2^63-1", error.why)

    async def test_full_and_cleared(self) -> None:
        """
        Posts are refused and the reason is said, while all can be read; when there is room the
        store says so by itself.
        """
        (before,) = await self.posted("ann")
        self.disk.pages = 1  # SQLite takes the size that the file has instead
        error = None
        while error is None:
            try:
                await self.store.add_post("ann", b'"%s"' % (b"x" * 60_000), None)
            except Refused as refused:
                error = refused
        self.assertIn("full", error.why)
        self.assertEqual(self.store.trouble, error.why)
        self.assertEqual(await self.store.ids_after(0, 1), [before.event.id])
        self.disk.pages = 1_000_000
        await self.pause(QUIET_SECONDS + 3 * LOOK_SECONDS)
        self.assertEqual(self.store.trouble, "")
        self.assertTrue((await self.store.add_post("ann", b"1", None)).fresh)
