"""
What every `feedd.feed.ports.Store` does: posts, friendships, markers. `tests.contracts.store_log`
has the log's part.
"""

import json
from collections.abc import Awaitable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from feedd.core.event import Event
from feedd.feed.ports import Friendship, NotFound, NotYours, Store, Stored

T = TypeVar("T")

ODD = {
    "emoji": "héllo 😀 👩‍👩‍👧",
    "separators": "a\u2028b\u2029c\r\n",
    "controls": "\u0000\u0001\u001a\u007f",
    "quotes": "it's \"quoted\" \\ \\' `x` ; -- /* */",
    "percent": "100 % %s %(x)s ? ?? {0}",
    "script": "</script><!-- <script>",
    "last": "\ud7ff\uffff\U0010ffff",
}


def together(coroutines: Sequence[Coroutine[Any, Any, T]]) -> list[Deferred[T]]:
    """All of them begun; await each."""
    return [Deferred.fromCoroutine(coroutine) for coroutine in coroutines]


def pairs(*texts: str) -> list[Friendship]:
    """``"ann-bob"``: ann hears bob."""
    return [Friendship(*text.split("-")) for text in texts]


def body_of(event: Event) -> Any:
    """The body that stands in an event's JSON."""
    return json.loads(event.json)["body"]


if TYPE_CHECKING:
    Case = TestCase
else:
    Case = object  # so that trial runs nothing without an implementation


class Contract(Case):
    """
    A fresh store for each test. `make_store` is all that an implementation's tests have to give.

    :ivar store: empty, prepared.
    """

    store: Store

    def make_store(self) -> Awaitable[Store]:
        """A fresh one, prepared."""
        raise NotImplementedError

    async def setUp(self) -> None:
        self.store = await self.make_store()

    async def posted(self, author: str, count: int = 1) -> list[Stored]:
        """Posts of `author` whose bodies are numbers."""
        return [await self.store.add_post(author, b"%d" % number, None) for number in range(count)]

    async def refused(self, error: type[Exception], call: Awaitable[object]) -> Any:
        """Check that `call` raises `error`, and return that."""
        try:
            result = await call
        except error as caught:
            return caught
        raise self.failureException(f"{error.__name__} was not raised; returned {result!r}")


class PostContract(Contract):
    """Posts."""

    async def test_a_post_is_an_event(self) -> None:
        """A post is stored with an event of kind post that carries its body."""
        stored = await self.store.add_post("ann", b'{"text": "hi"}', None)
        event = stored.event
        self.assertTrue(stored.fresh)
        self.assertEqual(
            (event.kind, event.author, event.post, event.friend), ("post", "ann", stored.post, None)
        )
        self.assertEqual(body_of(event), {"text": "hi"})
        self.assertEqual((await self.store.events_by_id([event.id])).events, [event])

    async def test_a_key_is_used_once(self) -> None:
        """The same key of the same author returns the first result, whatever the body is now."""
        first = await self.store.add_post("ann", b"1", "key")
        again = await self.store.add_post("ann", b"2", "key")
        self.assertEqual(again, first._replace(fresh=False))
        self.assertEqual(len(await self.store.ids_after(0, 10)), 1)

    async def test_a_key_belongs_to_one_author(self) -> None:
        """
        Another author, one whose name differs in case only, or no key at all, make another post.
        """
        posts = [await self.store.add_post(author, b"1", "key") for author in ("ann", "Ann", "bob")]
        posts += [
            await self.store.add_post("ann", b"1", None),
            await self.store.add_post("ann", b"1", None),
        ]
        self.assertTrue(all(stored.fresh for stored in posts))
        self.assertEqual(len({stored.post for stored in posts}), 5)

    async def test_keys_that_look_alike_differ(self) -> None:
        """Keys are compared byte by byte, however long and odd they are."""
        keys = [
            "k",
            "K",
            "k ",
            " k",
            "",
            "é",
            "e\u0301",
            "'%s?\\",
            "\ud800",
            "x" * 300,
            "x" * 301,
            *ODD.values(),
        ]
        for key in keys:
            self.assertTrue((await self.store.add_post("ann", b"1", key)).fresh, key)
        for key in keys:
            self.assertFalse((await self.store.add_post("ann", b"1", key)).fresh, key)

    async def test_a_key_arrives_many_times_at_once(self) -> None:
        """One of them makes the post, and all get it."""
        for turn in range(5):
            calls = together(
                [self.store.add_post("ann", b"%d" % number, f"key{turn}") for number in range(12)]
            )
            stored = [await call for call in calls]
            self.assertEqual(len({(one.post, one.event) for one in stored}), 1)
            self.assertEqual([one.fresh for one in stored].count(True), 1)
        self.assertEqual(len(await self.store.ids_after(0, 100)), 5)

    async def test_any_text_comes_back(self) -> None:
        """
        Bodies with emoji, separators, controls, quotes and marks of SQL come back from the log and
        the page as they were.
        """
        for text in ODD.values():
            for ascii in (True, False):
                body = json.dumps({"text": text, text: 1}, ensure_ascii=ascii).encode()
                stored = await self.store.add_post("ann", body, None)
                (event,) = (await self.store.events_by_id([stored.event.id])).events
                page = await self.store.page(["ann"], None, 1, 0)
                self.assertEqual(body_of(event), json.loads(body))
                self.assertEqual(json.loads(page.posts[0])["body"], json.loads(body))
                self.assertEqual(event.json, stored.event.json)
                self.assertNotIn(b"<", page.posts[0])
                self.assertNotIn("\u2028".encode(), page.posts[0])

    async def test_a_large_body(self) -> None:
        """64 KiB, be it of four-byte characters, are stored."""
        for body in (
            b'"%s"' % (b"x" * 65_534),
            json.dumps("😀" * 16_383, ensure_ascii=False).encode(),
        ):
            stored = await self.store.add_post("ann", body, None)
            (event,) = (await self.store.events_by_id([stored.event.id])).events
            self.assertEqual(body_of(event), json.loads(body))

    async def test_an_edit(self) -> None:
        """The author's new body is an event, and is what the page shows."""
        (stored,) = await self.posted("ann")
        event = await self.store.edit_post("ann", stored.post, b'"new"')
        self.assertEqual(
            (event.kind, event.author, event.post, body_of(event)),
            ("edit", "ann", stored.post, "new"),
        )
        self.assertGreater(event.id, stored.event.id)
        page = await self.store.page(["ann"], None, 10, 0)
        self.assertEqual([json.loads(post)["body"] for post in page.posts], ["new"])

    async def test_a_deletion(self) -> None:
        """A deleted post is gone from the page, and is an event with an empty body."""
        first, second = await self.posted("ann", 2)
        event = await self.store.delete_post("ann", first.post)
        self.assertEqual(
            (event.kind, event.author, event.post, body_of(event)),
            ("delete", "ann", first.post, {}),
        )
        page = await self.store.page(["ann"], None, 10, 0)
        self.assertEqual([json.loads(post)["id"] for post in page.posts], [second.post])

    async def test_what_is_not_there_cannot_be_changed(self) -> None:
        """A post that never was, or has been deleted, is not found; nothing is written."""
        (stored,) = await self.posted("ann")
        await self.store.delete_post("ann", stored.post)
        before = await self.store.ids_after(0, 10)
        for post in (stored.post, stored.post + 1, 0, -1, 2**63, 10**30):
            await self.refused(NotFound, self.store.edit_post("ann", post, b"1"))
            await self.refused(NotFound, self.store.delete_post("ann", post))
        self.assertEqual(await self.store.ids_after(0, 10), before)

    async def test_only_ones_own_can_be_changed(self) -> None:
        """Somebody else's post stays as it is."""
        (stored,) = await self.posted("ann")
        for name in ("bob", "Ann"):
            await self.refused(NotYours, self.store.edit_post(name, stored.post, b"1"))
            await self.refused(NotYours, self.store.delete_post(name, stored.post))
        self.assertEqual(await self.store.ids_after(0, 10), [stored.event.id])


class FriendContract(Contract):
    """Friendships and markers."""

    async def change(
        self, add: Sequence[str] = (), remove: Sequence[str] = ()
    ) -> set[tuple[str, str, str | None]]:
        """What changed, as (kind, viewer, friend); each event is checked against the log."""
        events = (await self.store.change_friends(pairs(*add), pairs(*remove))).events
        self.assertEqual(
            (await self.store.events_by_id([event.id for event in events])).events,
            sorted(events, key=lambda e: e.id),
        )
        for event in events:
            self.assertEqual((event.post, body_of(event)), (None, {"friend": event.friend}))
        return {(event.kind, event.author, event.friend) for event in events}

    async def test_friends(self) -> None:
        """A viewer's friends, sorted; a name that differs in case is another user."""
        await self.change(["ann-bob", "ann-_x", "ann-Bob", "bob-ann", "Ann-eve", "ann-al"])
        self.assertEqual(
            await self.store.friends_of(["nobody", "bob", "ann"]),
            {"ann": ("Bob", "_x", "al", "bob"), "bob": ("ann",), "nobody": ()},
        )

    async def test_names_that_differ_in_case(self) -> None:
        """A change that differs from a row in case only is a change, and is undone by itself."""
        names = ("ann-bob", "ann-Bob", "Ann-bob", "ANN-BOB")
        for name in names:
            self.assertEqual(len((await self.store.change_friends(pairs(name), [])).events), 1)
        self.assertEqual((await self.store.change_friends(pairs(*names), [])).events, [])
        ((gone,), _) = await self.store.change_friends([], pairs("ann-Bob"))
        self.assertEqual((gone.author, gone.friend), ("ann", "Bob"))
        self.assertEqual(await self.store.friends_of(["ann"]), {"ann": ("bob",)})

    async def test_friends_of_many(self) -> None:
        """
        Of a thousand viewers, in any order and named twice, each has their own list; nobody is
        asked for nobody's.
        """
        names = [f"u{number}" for number in range(0, 1_000, 2)]
        await self.change(
            [f"{name}-ann" for name in names]
            + [f"u{number}-{name}" for number, name in enumerate(names[:5])]
        )
        viewers = [f"u{number}" for number in range(999, -1, -1)] * 2
        lists = await self.store.friends_of(viewers)
        self.assertEqual(lists.keys(), set(viewers))
        self.assertEqual(
            {viewer for viewer, friends in lists.items() if "ann" in friends}, set(names)
        )
        self.assertEqual(
            [lists[f"u{number}"] for number in range(5)],
            [("ann",), ("u2",), ("ann", "u4"), ("u6",), ("ann", "u8")],
        )
        self.assertEqual(await self.store.friends_of([]), {})

    async def test_only_what_changes_is_an_event(self) -> None:
        """To add what is there, or remove what is not, is nothing."""
        self.assertEqual(await self.change(["ann-bob"]), {("friend", "ann", "bob")})
        self.assertEqual(await self.change(["ann-bob", "ann-eve"]), {("friend", "ann", "eve")})
        self.assertEqual(await self.change(["ann-bob"], ["bob-ann"]), set())
        self.assertEqual(await self.change([], ["ann-bob", "ann-al"]), {("unfriend", "ann", "bob")})
        self.assertEqual(await self.store.friends_of(["ann"]), {"ann": ("eve",)})

    async def test_doubles_and_oneself(self) -> None:
        """A pair named twice counts once, and one that hears itself is passed over."""
        changed = await self.change(["ann-bob", "ann-bob", "ann-ann"], ["eve-eve"])
        self.assertEqual(changed, {("friend", "ann", "bob")})
        self.assertEqual(
            await self.change([], ["ann-bob", "ann-bob"]), {("unfriend", "ann", "bob")}
        )

    async def test_removal_wins(self) -> None:
        """A pair that is added and removed by one call is removed."""
        self.assertEqual(await self.change(["ann-bob"], ["ann-bob"]), set())
        await self.change(["ann-bob"])
        self.assertEqual(await self.change(["ann-bob"], ["ann-bob"]), {("unfriend", "ann", "bob")})

    async def test_nothing_to_change(self) -> None:
        """An empty call does nothing."""
        self.assertEqual(await self.change(), set())

    async def test_a_marker_moves_up_only(self) -> None:
        """Each viewer has their own."""
        self.assertEqual(
            [await self.store.mark("ann", post) for post in (5, 3, 5, 9)], [5, 5, 5, 9]
        )
        self.assertEqual(await self.store.mark("Ann", 1), 1)

    async def test_a_marker_is_set(self) -> None:
        """It can be put anywhere, whether there was one or not; it moves up from there."""
        for post in (5, 2, 0, 2**53 - 1, 7):
            await self.store.set_mark("ann", post)
            self.assertEqual(await self.store.mark("ann", 1), max(post, 1))
        await self.store.set_mark("bob", 3)
        self.assertEqual(await self.store.mark("ann", 1), 7)
