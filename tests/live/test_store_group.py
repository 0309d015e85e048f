"""Posts that are written together on MariaDB, in one statement, or in several as MySQL has to."""

import json
import time
from collections.abc import Sequence
from typing import Any

from twisted.trial.unittest import TestCase

from feedd.feed.ports import Stored, Unavailable
from feedd.store.database import mariadb
from feedd.store.running.transaction import Transaction
from feedd.store.tables import posts
from tests.contracts.store import together
from tests.contracts.store_group import UNWANTED, GroupContract
from tests.live.mariadb import MariaDB


class MariaDBGroup(MariaDB, GroupContract):
    """With one statement for all."""

    def rows(self, statement: str) -> Sequence[Any]:
        cursor = self.other()
        cursor.execute(statement)
        rows: Sequence[Any] = cursor.fetchall()
        cursor.connection.close()
        return rows

    def refuse_unwanted(self) -> None:
        self.write(
            f"CREATE TRIGGER unwanted BEFORE INSERT ON posts FOR EACH ROW IF NEW.body = "
            f"'{UNWANTED}' THEN SIGNAL"
            " SQLSTATE '45000' SET MESSAGE_TEXT = 'unwanted'; END IF"
        )


class MariaDBGroupTests(MariaDBGroup, TestCase):
    """The contract, and what only transactions that overlap can do."""

    async def test_ids_that_are_far_apart(self) -> None:
        """In a cluster the ids of a transaction step by more than 1."""
        self.store = await self.reached(threads=1)
        await self.store.writes.run(
            lambda txn: txn.execute("SET SESSION auto_increment_increment = 7")
        )
        stored = [
            await call
            for call in together([self.store.add_post("ann", b"%d" % n, None) for n in range(9)])
        ]
        ids = [one.event.id for one in stored]
        self.assertEqual([later - ids[1] for later in ids[1:]], list(range(0, 56, 7)))
        self.assertEqual((await self.store.events_by_id(ids)).events, [one.event for one in stored])
        links = [(one.event.id, one.post) for one in stored]
        self.assertEqual(sorted(self.rows("SELECT id, post FROM events")), links)

    async def test_a_commit_that_is_lost(self) -> None:
        """
        Of a lost COMMIT nobody knows whether it happened: unavailable for all of the transaction,
        and none is tried again.
        """

        def cut(txn: Transaction, new: Sequence[posts.PostDraft]) -> list[Stored]:
            stored = posts.add_posts(txn, new)
            if len(new) > 1:
                (number,) = txn.row("SELECT CONNECTION_ID()")
                self.write(f"KILL {number}")
                time.sleep(0.1)
            return stored

        group = self.group(cut)
        answers = [
            group.add(posts.PostDraft("ann", b"%d" % number, None, 5), "ann") for number in range(4)
        ]
        await answers[0]
        for answer in answers[1:]:
            await self.refused(Unavailable, answer)
        self.assertEqual(len(self.rows("SELECT id FROM posts")), 1)
        await group.add(posts.PostDraft("ann", b"5", None, 5), "ann")

    async def test_a_key_that_somebody_holds(self) -> None:
        """
        A post that waits for its key's row keeps the others waiting for a moment only; it is
        answered when that row has been committed.
        """
        site = self.other()
        site.execute("INSERT INTO posts (author, body, idempotency_key) VALUES ('ann', '1', 'key')")
        held = together([self.store.add_post("ann", b"1", key) for key in (None, "key", None)])
        await self.pause(0.2)
        begun = time.monotonic()
        self.assertTrue((await self.store.add_post("bob", b"1", None)).fresh)
        self.assertLess(time.monotonic() - begun, 0.5)
        self.assertNoResult(held[1])
        site.connection.commit()
        self.assertEqual([(await call).fresh for call in held], [True, False, True])

    async def test_a_key_that_nobody_lets_go(self) -> None:
        """
        A post that waits for its key's row is refused in time; those that went with it are stored.
        """
        site = self.other()
        site.execute("INSERT INTO posts (author, body, idempotency_key) VALUES ('ann', '1', 'key')")
        held = together([self.store.add_post("ann", b"1", key) for key in (None, "key", None)])
        self.assertTrue((await held[0]).fresh and (await held[2]).fresh)
        await self.refused(Unavailable, held[1])
        site.connection.rollback()
        await self.pause(1.5)
        self.assertEqual(self.rows("SELECT idempotency_key FROM posts"), ((None,), (None,)))


class MariaDBWithoutBlocksTests(MariaDBGroup, TestCase):
    """The contract, with the statements that MySQL knows."""

    blocks = False


class BothTests(MariaDB, TestCase):
    """A post and its event, written in one statement, or in two as MySQL has to."""

    async def test_the_same_rows(self) -> None:
        """Both ways write the same, and return what they have written."""
        rows = []
        for self.blocks in (None, False):
            store = await self.reached()
            assert isinstance(store.dialect, mariadb.MariaDB)
            self.assertEqual(store.dialect.has_blocks, self.blocks is None)
            body = '{"text": "100 %s 😀 \\\\ \\" \' ? @first"}'.encode()
            stored = await store.add_post("ann", body, None)
            (event,) = (await store.events_after(stored.event.id - 1, ["ann"], 9)).events
            self.assertEqual(event, stored.event)
            (post,) = (await store.page(["ann"], None, 1, stored.event.id)).posts
            self.assertIn(b'"id":%d,' % stored.post, post)
            rows.append(json.loads(event.json)["body"])
        self.assertEqual(rows[0], rows[1])
