"""What every `feedd.feed.ports.Store` does, continued: the log, and the page that goes with it."""

import json
import re

from feedd.core.event import without_body
from feedd.core.runs import runs_of
from feedd.feed.ports import Page
from tests.contracts.store import Contract, pairs

CROWD = [f"nobody{number}" for number in range(1_200)]


LONG = b'"%b"' % (b"x" * 480_000)
LONG_WHEN_TOLD = b'"%b"' % (b"<" * 80_000)
"""Bodies that are a little less than half a mebibyte when they are told."""


def shown(page: Page) -> list[int]:
    """The bodies of a page of numbered posts."""
    return [json.loads(post)["body"] for post in page.posts]


class LogContract(Contract):
    """The log."""

    async def test_an_empty_log(self) -> None:
        """There is an epoch that fits a cursor, and nothing else."""
        opening = await self.store.open(10)
        self.assertTrue(re.fullmatch("[A-Za-z0-9]{1,16}", opening.epoch), opening.epoch)
        self.assertEqual((opening.settled, opening.events), (0, []))
        history = await self.store.events_after(0, ["ann"], 10)
        self.assertEqual(history, ([], False, 0, 0))
        self.assertEqual(await self.store.ids_after(0, 10), [])
        self.assertEqual(await self.store.page(["ann"], None, 10, 0), ([], (), False))

    async def test_the_opening(self) -> None:
        """The epoch stays; the last events come in their order."""
        epoch = (await self.store.open(1)).epoch
        stored = [one.event for one in await self.posted("ann", 3) + await self.posted("bob", 2)]
        opening = await self.store.open(3)
        self.assertEqual((opening.epoch, opening.events), (epoch, stored[-3:]))
        self.assertEqual(len(opening.seal_key), 32)
        self.assertEqual((await self.store.open(1)).seal_key, opening.seal_key)
        self.assertEqual((await self.store.open(100)).events, stored)

    async def test_settled_moves_up_only(self) -> None:
        """Numbers are compared as numbers."""
        await self.posted("ann", 100)
        epoch, found = (await self.store.open(1)).epoch, []
        for settled in (9, 10, 7, 100, 99):
            self.assertTrue(await self.store.save_settled(epoch, settled))
            found.append((await self.store.open(1)).settled)
        self.assertEqual(found, [9, 10, 10, 100, 100])

    async def test_what_another_database_has_settled(self) -> None:
        """The watermark of another database is not written down."""
        self.assertFalse(await self.store.save_settled("another", 9))
        self.assertEqual((await self.store.open(1)).settled, 0)

    async def test_ids(self) -> None:
        """All ids above the settled one, of all authors, ascending, up to the limit."""
        ids = [one.event.id for one in await self.posted("ann", 3) + await self.posted("bob", 3)]
        self.assertEqual(await self.store.ids_after(0, 100), ids)
        self.assertEqual(await self.store.ids_after(ids[1], 2), ids[2:4])
        self.assertEqual(await self.store.ids_after(ids[-1], 2), [])

    async def test_holes(self) -> None:
        """What is in holes is found like what is above them, and before it."""
        ann = [one.event for one in await self.posted("ann", 4)]
        bob = [one.event for one in await self.posted("bob", 2)]
        settled, holes = ann[2].id, runs_of([ann[0].id, ann[1].id, 10**6])
        found = [ann[0], ann[1], ann[3], *bob]
        ids = [event.id for event in found]
        self.assertEqual(await self.store.ids_after(settled, 9, holes), ids)
        self.assertEqual(await self.store.ids_after(settled, 3, holes), ids[:3])
        history = await self.store.events_after(settled, ["ann"], 9, holes)
        self.assertEqual(history.events, found[:3])
        history = await self.store.events_after(settled, ["ann", "bob", *CROWD], 1, holes)
        self.assertEqual((history.events, history.more), ([ann[0]], True))
        self.assertEqual((await self.store.events_after(settled, ["bob"], 9, holes)).events, bob)
        page = await self.store.page(["ann"], None, 1, settled, holes)
        self.assertEqual(page.ids, (ann[0].id, ann[1].id, ann[3].id))

    async def test_many_holes(self) -> None:
        """As many holes as a cursor names are read by one question."""
        events = [one.event for one in await self.posted("ann", 3)]
        holes = runs_of([*(event.id for event in events), *range(1_000, 1_400, 2)])
        self.assertEqual((await self.store.events_after(10**6, ["ann"], 9, holes)).events, events)

    async def test_what_stands(self) -> None:
        """What is committed stands, where the database can tell."""
        ids = [one.event.id for one in await self.posted("ann", 3)]
        standing = await self.store.ids_standing(ids[0], 9)
        self.assertIn(standing, (None, ids[1:]))

    async def test_events_by_id(self) -> None:
        """Ascending, whatever the order of the question; what is not there is left out."""
        events = [one.event for one in await self.posted("ann", 3)]
        ids = [event.id for event in events]
        self.assertEqual((await self.store.events_by_id([*ids[::-1], 10**6])).events, events)
        self.assertEqual((await self.store.events_by_id([])).events, [])
        self.assertEqual((await self.store.events_by_id(range(10**6, 10**6 + 1_200))).events, [])

    async def test_long_events(self) -> None:
        """
        What is read at once has about a mebibyte, but one event at least; the newest are what a
        process begins with.
        """
        ids = [(await self.store.add_post("ann", LONG, None)).event.id for _ in range(4)]
        fits = 2  # of a little less than half a mebibyte each
        batch = await self.store.events_by_id(ids)
        self.assertEqual([event.id for event in batch.events], ids[:fits])
        self.assertEqual(list(batch.rest), ids[fits:])
        history = await self.store.events_after(0, ["ann"], 9)
        self.assertEqual([event.id for event in history.events], ids[:fits])
        self.assertTrue(history.more)
        history = await self.store.events_after(0, ["ann"], 9, known=ids[:fits])
        self.assertEqual([event.id for event in history.events], ids[fits:])
        self.assertFalse(history.more)
        for _ in range(4):
            await self.store.add_post("bob", LONG_WHEN_TOLD, None)
        for author in ("ann", "bob"):
            page = await self.store.page([author], None, 9, 0)
            self.assertEqual((len(page.posts), page.more), (fits, True))
        for most_bytes, count in ((1, 1), (1_000_000, 2), (10_000_000, 8)):
            events = (await self.store.open(9, most_bytes)).events
            self.assertEqual([event.id for event in events], [*range(9 - count, 9)])

    async def test_events_after(self) -> None:
        """
        Those of some authors above the settled one, ascending; others' are not there, but count for
        the highest.
        """
        ann = [one.event for one in await self.posted("ann", 2)]
        bob = [one.event for one in await self.posted("bob", 2)]
        ann += [one.event for one in await self.posted("ann", 1)]
        (last,) = [one.event for one in await self.posted("Ann", 1)]
        self.assertEqual(await self.store.events_after(0, ["ann"], 10), (ann, False, 0, last.id))
        self.assertEqual(
            await self.store.events_after(0, ["bob", "eve"], 10), (bob, False, 0, last.id)
        )
        self.assertEqual(
            await self.store.events_after(ann[1].id, {"bob", "ann"}, 10),
            ([*bob, ann[2]], False, 0, last.id),
        )
        self.assertEqual(
            await self.store.events_after(last.id, ["ann"], 10), ([], False, 0, last.id)
        )
        self.assertEqual(await self.store.events_after(0, [], 10), ([], False, 0, last.id))

    async def test_events_after_is_cut_at_the_limit(self) -> None:
        """It says whether more follows; to go on from the last one misses none."""
        events = [(await self.posted(name))[0].event for name in ("ann", "zoe") * 5]
        found, settled, more = [], 0, True
        while more:
            history = await self.store.events_after(settled, ["zoe", "ann", *CROWD], 4)
            self.assertLessEqual(len(history.events), 4)
            found += history.events
            settled, more = history.events[-1].id, history.more
        self.assertEqual(found, events)
        self.assertFalse((await self.store.events_after(0, ["ann"], 5)).more)

    async def test_the_body_of_a_deleted_post_is_gone(self) -> None:
        """
        Its events are all there, each with the same id and time, and without a body; other posts
        keep theirs.
        """
        first, second = await self.posted("ann", 2)
        edit = await self.store.edit_post("ann", first.post, b'"secret"')
        other = await self.store.edit_post("ann", second.post, b'"shown"')
        deletion = await self.store.delete_post("ann", first.post)
        events = [without_body(first.event), second.event, without_body(edit), other, deletion]
        self.assertEqual((await self.store.events_after(0, ["ann"], 9)).events, events)
        self.assertEqual(
            (await self.store.events_by_id([event.id for event in events])).events, events
        )
        self.assertEqual((await self.store.open(9)).events, events)
        self.assertEqual(len((await self.store.page(["ann"], None, 9, 0)).posts), 1)

    async def test_friend_events_are_in_the_log(self) -> None:
        """They are their viewer's."""
        ((event,), _) = await self.store.change_friends(pairs("ann-bob"), [])
        self.assertEqual((await self.store.events_after(0, ["ann"], 9)).events, [event])
        self.assertEqual((await self.store.events_after(0, ["bob"], 9)).events, [])

    async def test_ping(self) -> None:
        """It returns."""
        self.assertIsNone(await self.store.ping())  # type: ignore[func-returns-value]


class PageContract(Contract):
    """Pages of posts."""

    async def test_the_newest_first(self) -> None:
        """A page has the newest posts of the authors asked for."""
        for number, name in enumerate(("ann", "zoe", "eve") * 3):
            await self.store.add_post(name, b"%d" % number, None)
        page = await self.store.page(["zoe", "ann", *CROWD], None, 5, 0)
        self.assertEqual((shown(page), page.more), ([7, 6, 4, 3, 1], True))
        self.assertEqual(page.ids, (1, 2, 4, 5, 7, 8))
        self.assertEqual(shown(await self.store.page(["eve"], None, 5, 0)), [8, 5, 2])

    async def test_page_after_page(self) -> None:
        """All posts, each once, whatever the size; the last page says that it is the last."""
        await self.posted("ann", 7)
        for size in (1, 2, 3, 7, 8):
            found: list[int] = []
            before, more = None, True
            while more:
                page = await self.store.page(["ann"], before, size, 0)
                found += shown(page)
                before, more = json.loads(page.posts[-1])["id"], page.more
            self.assertEqual(found, [6, 5, 4, 3, 2, 1, 0])

    async def test_before_everything_or_behind_it(self) -> None:
        """A bound that no post has is a bound all the same."""
        await self.posted("ann", 2)
        self.assertEqual(await self.store.page(["ann"], 1, 5, 0), ([], (1, 2), False))
        self.assertEqual(shown(await self.store.page(["ann"], 10**30, 5, 0)), [1, 0])

    async def test_the_ids_that_go_with_it(self) -> None:
        """
        The page names the events above the settled one, of its authors only, so that the first poll
        repeats none.
        """
        ann = [one.event.id for one in await self.posted("ann", 3)]
        bob = [one.event.id for one in await self.posted("bob", 2)]
        self.assertEqual((await self.store.page(["ann"], None, 1, ann[0])).ids, tuple(ann[1:]))
        self.assertEqual((await self.store.page(["ann", "bob"], None, 1, 0)).ids, (*ann, *bob))
        self.assertEqual((await self.store.page(["ann"], None, 1, ann[-1])).ids, ())

    async def test_nobody(self) -> None:
        """A page of no authors is empty."""
        await self.posted("ann", 1)
        self.assertEqual(await self.store.page([], None, 5, 0), ([], (), False))
