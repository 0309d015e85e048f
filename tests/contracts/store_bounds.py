"""What a store on SQL does when it is too much, too late or not allowed."""

import time
from typing import Any

from feedd.feed.ports import NotFound, Unavailable
from feedd.feed.rows import read_rows
from feedd.store.running.transaction import Again, Transaction
from feedd.store.sql import SQLStore
from tests.contracts.store import pairs, together
from tests.contracts.store_sql import SQL


class BoundContract(SQL):
    """Bounds and failures."""

    async def transact(self, work: Any, store: SQLStore | None = None, **limits: Any) -> Any:
        """Run `work` as a writing query."""
        return await (store or self.store).writes.run(work, **limits)

    async def test_the_queue_is_full(self) -> None:
        """
        A call that comes when too many wait is refused at once, except those of the tail and for
        friend lists; the others are served.
        """
        store = await self.reached(threads=1, max_waiting=2)
        reading = together([store.events_after(0, ["ann"], 1) for _ in range(4)])
        error = await self.refused(Unavailable, reading[3])
        self.assertEqual((error.part, self.counters["store_full"]), ("database", 1))
        self.assertEqual(
            (await store.ids_after(0, 10), await store.friends_of(["ann"])), ([], {"ann": ()})
        )
        self.assertEqual([(await call).events for call in reading[:3]], [[]] * 3)

    async def test_one_user_is_too_busy(self) -> None:
        """
        Of 700 posts at once of one user those past the bound are refused; nobody else's is, nor
        waits for all of them.
        """
        posting = together([self.store.add_post("ann", b"1", None) for _ in range(700)])
        (other,) = together([self.store.add_post("bob", b"1", None)])
        bob = (await other).event.id
        ids, refused = [], 0
        for call in posting:
            try:
                ids.append((await call).event.id)
            except Unavailable:
                refused += 1
        self.assertEqual((len(ids), self.counters["store_refused_user"]), (50, refused))
        self.assertLess(sum(id < bob for id in ids), 4)

    async def test_feedds_own_do_not_wait(self) -> None:
        """
        While every thread works for clients and hundreds of queries wait, the net and friend lists
        are read at once, and the watermark is written by the next thread that is free.
        """
        store = await self.reached(threads=2)
        epoch = (await store.open(1)).epoch
        slow: Any = lambda txn: time.sleep(0.3)  # noqa: E731
        for runner in (store.reads, store.writes):
            for _ in range(20):
                runner.run(slow).addErrback(lambda failure: None)
        begun = time.monotonic()
        await store.ids_after(0, 10)
        await store.friends_of(["ann"])
        self.assertLess(time.monotonic() - begun, 0.25)
        self.assertTrue(await store.save_settled(epoch, 0))
        self.assertLess(time.monotonic() - begun, 0.8)

    async def test_a_logout_waits_for_no_client(self) -> None:
        """Whoever has all their own queries waiting can be logged out all the same."""
        store = await self.reached(threads=2, waiting_of_user=3)
        slow: Any = lambda txn: time.sleep(0.3)  # noqa: E731
        for _ in range(6):
            store.writes.run(slow, user="ann").addErrback(lambda failure: None)
        begun = time.monotonic()
        self.assertEqual((await store.log_out("ann")).author, "ann")
        self.assertLess(time.monotonic() - begun, 0.5)

    async def test_a_slow_query_is_not_waited_for(self) -> None:
        """
        A caller gets an answer in time, and what it was told was not stored is not stored later.
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
        After a caller was told that it took too long no thread is at work for it any more, however
        many statements were to come.
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
        """A query that takes longer than a stop may wait for is rolled back."""
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
        """After a lost race a transaction is run again as a whole, three times at most."""
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
                self.store.dialect.errors[0],
                self.transact(lambda txn, statement=statement: txn.row(statement)),
            )
        self.assertEqual(len(self.flushLoggedErrors(self.store.dialect.errors[0])), 3)
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
        """
        Of ten thousand pairs, both ways at once, every event has its own id and is in the log.
        """
        names = [f"ann-u{number}" for number in range(5_000)] + [
            f"u{number}-ann" for number in range(5_000)
        ]
        # It must commit within half of S after its first id; a busy machine may take longer than
        # the default.
        store = await self.reached(settle_seconds=60.0, query_seconds=5.0)
        begun, _ = await store.change_friends(pairs(*names), [])
        mixed, _ = await store.change_friends(pairs(*names, "bob-eve"), pairs(*names[:1_000]))
        self.assertEqual([len(begun), len(mixed)], [10_000, 1_001])
        self.assertEqual(len((await store.friends_of(["ann"]))["ann"]), 4_000)
        for events in (begun, mixed):
            ids = [event.id for event in events]
            read = [event async for some, _ in read_rows(store, ids) for event in some]
            self.assertEqual(read, events)

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
