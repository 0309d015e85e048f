"""What every `feedd.feed.ports.Store` does with blocks and logouts."""

from collections.abc import Sequence

from feedd.core.event import at_of
from feedd.feed.ports import Block
from tests.contracts.store import Contract, body_of, pairs


def blocks(*texts: str) -> list[Block]:
    """``"ann-bob"``: ann blocks bob."""
    return [Block(*text.split("-")) for text in texts]


class BlockContract(Contract):
    """Blocks and logouts."""

    async def block(self, add: Sequence[str] = (), remove: Sequence[str] = ()) -> list[str]:
        """Who hears whom no more by this change."""
        events = await self.store.change_blocks(blocks(*add), blocks(*remove))
        self.assertEqual(
            (await self.store.events_by_id([event.id for event in events])).events, events
        )
        self.assertEqual({event.kind for event in events} - {"unfriend"}, set())
        return [f"{event.author}-{event.friend}" for event in events]

    async def befriend(self, *names: str) -> tuple[int, list[str]]:
        """How many friendships have begun, and which could not."""
        events, blocked = await self.store.change_friends(pairs(*names), [])
        return len(events), [f"{pair.viewer}-{pair.friend}" for pair in blocked]

    async def test_a_block_parts(self) -> None:
        """It ends the friendship in both directions, and those of nobody else."""
        await self.befriend("ann-bob", "bob-ann", "ann-eve", "eve-bob", "cy-ann")
        self.assertEqual(
            await self.block(["ann-bob", "ann-cy", "ann-ann"]), ["ann-bob", "bob-ann", "cy-ann"]
        )
        self.assertEqual(
            await self.store.friends_of(["ann", "bob", "cy", "eve"]),
            {"ann": ("eve",), "bob": (), "cy": (), "eve": ("bob",)},
        )
        self.assertEqual(await self.block(["ann-bob"]), [])

    async def test_no_friendship_across(self) -> None:
        """While it stands no friendship begins, in either direction; all others do."""
        await self.block(["ann-bob"])
        self.assertEqual(
            await self.befriend("ann-bob", "bob-ann", "bob-eve"), (1, ["ann-bob", "bob-ann"])
        )
        self.assertEqual(await self.block([], ["bob-ann"]), [])
        self.assertEqual(await self.befriend("bob-ann"), (0, ["bob-ann"]))

    async def test_unblocked(self) -> None:
        """One in both lists is removed; what it has ended does not begin again by itself."""
        await self.befriend("ann-bob")
        await self.block(["ann-bob"])
        self.assertEqual(await self.block(["ann-bob"], ["ann-bob"]), [])
        self.assertEqual(await self.store.friends_of(["ann"]), {"ann": ()})
        self.assertEqual(await self.befriend("ann-bob"), (1, []))

    async def test_names_of_blocks(self) -> None:
        """Names compare byte by byte."""
        await self.block(["ann-bob"])
        self.assertEqual(await self.befriend("ann-Bob", "Ann-bob"), (2, []))

    async def test_many_blocks(self) -> None:
        """A thousand in one call."""
        names = [f"ann-u{number}" for number in range(1_000)]
        await self.befriend(*names)
        self.assertEqual(len(await self.block(names)), 1_000)
        self.assertEqual(len((await self.befriend(*names, "ann-z"))[1]), 1_000)

    async def test_logout(self) -> None:
        """It is an event of the user's, and a process begins with the last one of each."""
        first = await self.store.log_out("ann")
        self.assertEqual((first.kind, first.author, body_of(first)), ("logout", "ann", {}))
        other = await self.store.log_out("bob")
        last = await self.store.log_out("ann")
        self.assertEqual((await self.store.events_by_id([last.id])).events, [last])
        self.assertEqual(
            dict((await self.store.open(10)).logouts), {"bob": at_of(other), "ann": at_of(last)}
        )
