"""What a store on SQL does with rows that a site writes itself."""

import json
import time

from feedd.core.runs import upto
from feedd.store.database.adapter import EventRow, PostRow, register
from feedd.store.running.transaction import Refused
from feedd.store.tables.friendships import friends_of
from feedd.store.tables.posts import stored_key
from tests.contracts.store import body_of, pairs
from tests.contracts.store_log import CROWD, shown
from tests.contracts.store_sql import SQL


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
        (event,) = (await self.store.events_by_id(await self.store.ids_after(0, 10))).events
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

    async def test_names_with_a_space_at_the_end(self) -> None:
        """A row of 'ann ' does not stand in the way of ann's friends, nor of her keyed posts."""
        self.write("INSERT INTO friendships (viewer, friend) VALUES (?, ?)", ("ann ", "bob"))
        self.write(
            "INSERT INTO posts (author, body, idempotency_key) VALUES (?, ?, ?)",
            ("ann ", '"other"', stored_key("k")),
        )
        self.assertEqual(len((await self.store.change_friends(pairs("ann-bob"), [])).events), 1)
        self.assertEqual(await self.store.friends_of(["ann"]), {"ann": ("bob",)})
        stored = await self.store.add_post("ann", b'"mine"', "k")
        self.assertTrue(stored.fresh)
        self.assertEqual(shown(await self.store.page(["ann"], None, 9, 0)), ["mine"])

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
        sizes = []
        for limit in range(1, 16):
            left, found = sorted(names), {}
            while left:
                some = await self.store.reads.run(
                    lambda txn, left=left, limit=limit: friends_of(txn, left, limit)
                )
                found |= some
                left = left[len(some) :]
                sizes.append(len(some))
            self.assertEqual(found, whole)
        self.assertEqual((sizes[:5], sizes[-4:]), ([1, 1, 1, 1, 1], [4, 1, 5, 5]))

    async def test_a_sites_post_can_be_edited(self) -> None:
        """Its author can edit a post of the site's through feedd; the page says when."""
        self.write("INSERT INTO posts (author, body) VALUES (?, ?)", ("ann", "1"))
        event = await self.store.edit_post("ann", 1, b"2")
        (post,) = (await self.store.page(["ann"], None, 10, 0)).posts
        self.assertEqual(json.loads(post)["edited"], json.loads(event.json)["at"])

    async def test_a_site_deletes_a_post(self) -> None:
        """
        After the site's own UPDATE neither page nor log has the body any more, not even for a
        repeated key.
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

    async def test_ids_that_are_too_large(self) -> None:
        """
        Rows whose ids no client could tell apart are counted, once, and found nowhere. Nobody is
        told that a post was stored which would have got such an id, and it is said why.
        """
        (stored,) = await self.posted("ann")
        settled = stored.event.id
        for id in (2**53, 2**60):
            row = (id, "ann", "1")
            self.write(
                "INSERT INTO events (id, kind, author, payload) VALUES (?, 'post', ?, ?)", row
            )
            self.write("INSERT INTO posts (id, author, body) VALUES (?, ?, ?)", row)
        row = ("ann", 2**53, "1")
        self.write(
            "INSERT INTO events (id, kind, author, post, payload) VALUES (2, 'post', ?, ?, ?)", row
        )
        for _ in range(2):
            self.assertEqual(await self.store.ids_after(0, 10), [settled, 2])
        self.assertEqual(self.counters["store_ids_too_large"], 2)
        self.assertIn(await self.store.ids_standing(0, 10), ([settled, 2], None))
        self.assertEqual(
            await self.store.events_after(0, ["ann"], 9), ([stored.event], False, 0, 2)
        )
        page = await self.store.page(["ann"], None, 9, 0)
        self.assertEqual((len(page.posts), page.ids), (1, (settled, 2)))
        self.assertEqual((await self.store.open(9)).events, [stored.event])
        for call in (
            self.store.add_post("ann", b"1", None),
            self.store.edit_post("ann", stored.post, b"2"),
            self.store.change_friends(pairs("ann-bob"), []),
        ):
            error = await self.refused(Refused, call)
            self.assertIn("2^53", error.why)
            self.assertEqual(self.store.trouble, error.why)
        self.assertEqual(await self.store.friends_of(["ann"]), {"ann": ()})

    async def test_unreadable_events_are_left_out(self) -> None:
        """
        Unreadable events are left out and counted; those after them are found, however many there
        are.
        """
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
            [event.id for event in (await self.store.events_by_id(ids)).events], [ids[0], ids[-1]]
        )
        self.assertEqual(
            [event.id for event in (await self.store.open(10)).events], [ids[0], ids[-1]]
        )
        self.assertEqual(self.counters["store_unreadable"], 3 + 4 + 4)

    async def test_unreadable_posts_are_left_out(self) -> None:
        """Unreadable posts are left out and counted; the page is as full as it can be."""
        await self.posted("ann", 3)
        for body in ("{half", "", "nan", '"\n"'):
            self.write("INSERT INTO posts (author, body) VALUES (?, ?)", ("ann", body))
        page = await self.store.page(["ann"], None, 2, 0)
        self.assertEqual((shown(page), page.more), ([2, 1], True))
        self.assertEqual(self.counters["store_unreadable"], 4)

    async def test_numbers_out_of_range(self) -> None:
        """
        A post or a time below 0 or above 2^53-1 is unreadable; when a post was edited is left out.
        """
        for post, at in ((-1, 5), (2**60, 5), (1, -1), (1, 2**53)):
            self.write(
                "INSERT INTO events (kind, author, post, payload, created_at) "
                "VALUES ('post', 'ann', ?, '1', ?)",
                (post, at),
            )
        for at, edited in ((-1, 5), (2**53, 5), (7, 2**53)):
            self.write(
                "INSERT INTO posts (author, body, created_at, edited_at) VALUES ('ann', '1', ?, ?)",
                (at, edited),
            )
        (stored,) = await self.posted("ann")
        self.assertEqual((await self.store.events_after(0, ["ann"], 9)).events, [stored.event])
        page = await self.store.page(["ann"], None, 9, 0)
        posts = [json.loads(post) for post in page.posts]
        self.assertEqual([post["id"] for post in posts], [stored.post, stored.post - 1])
        self.assertEqual((posts[1]["at"], posts[1]["edited"]), (7, None))

    async def test_markers_that_are_none(self) -> None:
        """A marker that is no id of a post counts as none, and is mended by the next call."""
        bad = [-5, 2**60, *(["x", b"1", 1.5] if self.store.dialect.one_writer else [])]
        for number, wrong in enumerate(bad):
            viewer = f"v{number}"
            self.write("INSERT INTO markers (viewer, post) VALUES (?, ?)", (viewer, wrong))
            self.assertEqual(await self.store.mark(viewer, 7), 7)
            self.assertEqual(await self.store.mark(viewer, 3), 7)

    async def test_rows_far_apart(self) -> None:
        """Rows are found across any gap, in both directions, also for very many authors."""
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

    async def test_a_hole_as_long_as_the_log(self) -> None:
        """
        A cursor says what its client likes: in holes that hold the whole log only so many rows are
        read, and what somebody's friends said is found all the same.
        """
        (first,) = await self.posted("ann")
        self.write("INSERT INTO events (kind, author, payload) VALUES ('post', 'eve', '1')")
        for _ in range(12):
            self.write(
                "INSERT INTO events (kind, author, payload) SELECT kind, author, payload "
                "FROM events WHERE author = 'eve'"
            )
        stored = [first, *await self.posted("ann", 3)]
        ids, last = [one.event.id for one in stored], stored[-1].event.id
        for settled in (last, last - 1):
            history = await self.store.events_after(settled, ["ann"], 3, upto(settled))
            self.assertEqual([event.id for event in history.events], ids[:3])
            self.assertTrue(history.more)
        history = await self.store.events_after(last, ["ann"], 9, upto(last), ids[:2])
        self.assertEqual([event.id for event in history.events], ids[2:])

    async def test_a_page_names_a_thousand_ids_at_most(self) -> None:
        """The lowest; a client that gets the others again knows them by id."""
        await self.store.change_friends(pairs(*(f"ann-u{number}" for number in range(1_005))), [])
        self.assertEqual((await self.store.page(["ann"], None, 5, 2)).ids, tuple(range(3, 1_003)))

    async def test_pruned_events(self) -> None:
        """Events that were deleted are known to have been there, though nothing else is."""
        await self.posted("ann", 2)
        self.write("DELETE FROM events")
        self.write("UPDATE meta SET value = ? WHERE name = ?", ("2", "pruned"))
        self.assertEqual(await self.store.events_after(0, ["ann"], 10), ([], False, 2, 2))
        self.assertEqual((await self.store.open(10)).settled, 2)

    async def test_twistar_finds_the_rows(self) -> None:
        """The models read what feedd wrote, and `register` says on which database."""
        await self.posted("ann", 2)
        register(self.store.dialect, self.store.reads.run)
        found = await PostRow.find(where=["author = ? AND body <> ?", "ann", "0"])
        self.assertEqual([(row.id, row.body) for row in found], [(2, "1")])
        self.assertEqual((await EventRow.find(limit=1, orderby="id DESC")).kind, "post")
