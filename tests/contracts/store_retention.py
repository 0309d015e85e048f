"""What a store on SQL forgets, and what it never does."""

import time
from typing import Any

from feedd.store.tables.retention import LEASE_MS
from tests.contracts.store_sql import SQL

DAY_MS = 86_400_000


class RetentionContract(SQL):
    """`SQLStore.prune`."""

    async def log(self, *days: float) -> list[int]:
        """
        Posts of ann whose events are so many days old, all settled, and a last one of today that is
        not; their ids.
        """
        events = [one.event.id for one in await self.posted("ann", len(days) + 1)]
        now = int(time.time() * 1000)
        for id, old in zip(events, days, strict=False):
            self.write(
                "UPDATE events SET created_at = ? WHERE id = ?", (now - int(old * DAY_MS), id)
            )
        await self.store.save_settled((await self.store.open(0)).epoch, events[-2] if days else 0)
        return events

    async def prune(self, limit: int = 1_000, owner: str = "me", keep_days: float = 7.0) -> int:
        return await self.store.prune(owner, keep_days * 86_400, limit)

    async def standing(self) -> tuple[int, list[int]]:
        """What was pruned, and what is there."""
        return (await self.store.events_after(0, ["ann"], 1)).pruned, await self.store.ids_after(
            0, 100
        )

    def meta(self, name: str, value: Any) -> None:
        """Write a row of ``meta``."""
        self.write("DELETE FROM meta WHERE name = ?", (name,))
        self.write("INSERT INTO meta (name, value) VALUES (?, ?)", (name, str(value)))

    async def test_old_events_go(self) -> None:
        """
        Those before the first that is young enough; the posts stay, and what is pruned is known.
        """
        ids = await self.log(9, 8, 7.1, 6.9, 8)
        self.assertEqual(await self.prune(), 3)
        self.assertEqual(await self.standing(), (ids[2], ids[3:]))
        self.assertEqual(await self.prune(), 0)
        self.assertEqual(len((await self.store.page(["ann"], None, 9, 0)).posts), 6)
        self.assertEqual((await self.store.events_after(0, ["ann"], 9)).highest, ids[-1])

    async def test_in_batches(self) -> None:
        """As many go as may go at once, the oldest first."""
        ids = await self.log(9, 9, 9, 9, 9)
        self.assertEqual([await self.prune(2) for _ in range(4)], [2, 2, 1, 0])
        self.assertEqual(await self.standing(), (ids[4], ids[5:]))

    async def test_what_is_not_settled_stays(self) -> None:
        """However old it is: a lower id could still appear."""
        ids = await self.log(9, 9, 9)
        self.meta("settled", ids[1])
        self.assertEqual(await self.prune(), 2)
        self.assertEqual(await self.standing(), (ids[1], ids[2:]))

    async def test_the_last_one_stays(self) -> None:
        """The last row stays and says how far the log reaches, also after a restart."""
        ids = await self.log(9, 9)
        self.meta("settled", ids[-1])
        self.write("UPDATE events SET created_at = ?", (1,))
        self.assertEqual(await self.prune(), 2)
        self.assertEqual(await self.standing(), (ids[1], ids[2:]))
        self.assertEqual(await self.prune(), 0)

    async def test_an_empty_log(self) -> None:
        """There is nothing to prune."""
        self.assertEqual((await self.prune(), await self.standing()), (0, (0, [])))

    async def test_one_process_at_a_time(self) -> None:
        """
        Others find nothing to do until the one that prunes has been silent for a minute, as after a
        crash.
        """
        await self.log(9, 9, 9)
        self.assertEqual(
            [await self.prune(1, owner) for owner in ("me", "other", "me", "other")], [1, 0, 1, 0]
        )
        self.meta("pruner", f"{int(time.time() * 1000) - 1} me")
        self.assertEqual(await self.prune(1, "other"), 1)
        self.assertEqual(await self.prune(1, "me"), 0)

    async def test_a_lease_from_the_future(self) -> None:
        """One that a process with a wrong clock has written keeps nobody away for long."""
        await self.log(9)
        self.meta("pruner", f"{int(time.time() * 1000) + 2 * DAY_MS + LEASE_MS} other")
        self.assertEqual(await self.prune(), 1)

    async def test_impossible_times(self) -> None:
        """
        A row that claims to be from the future goes with its old neighbours, and never before them.
        """
        ids = await self.log(9, -400, 9, -400)
        self.assertEqual(await self.prune(), 3)
        self.assertEqual(await self.standing(), (ids[2], ids[3:]))

    async def test_a_time_too_old(self) -> None:
        """A row that claims to be very old stays as long as the younger ones before it."""
        await self.log(1, 9_999, 9_999)
        self.assertEqual(await self.prune(), 0)

    async def test_a_key_of_a_pruned_event(self) -> None:
        """Returns its post all the same; 0 stands for the event."""
        first = await self.store.add_post("ann", b'"secret"', "key")
        await self.posted("ann")
        await self.store.save_settled((await self.store.open(0)).epoch, first.event.id)
        self.assertEqual(await self.prune(keep_days=-1.0), 1)
        again = await self.store.add_post("ann", b"1", "key")
        self.assertEqual(
            (again.post, again.fresh, again.event.id, again.event.kind),
            (first.post, False, 0, "post"),
        )
        self.assertNotIn(b"secret", again.event.json)
