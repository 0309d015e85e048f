"""
Posts that are written together: what each caller sees, and what is in the tables, is what it would
be one by one.

A test writes with a connection of its own, past feedd.
"""

import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from feedd.feed.ports import Stored, Unavailable
from feedd.store.running.group_commit import GroupCommit
from feedd.store.running.transaction import Transaction
from feedd.store.sql import SQLStore
from feedd.store.tables import posts
from tests.contracts.store import ODD, body_of, together
from tests.contracts.store_sql import SQL

TURNS = 8
POSTS = 60
UNWANTED = '"unwanted"'
"""The body of a post that the site's own trigger refuses."""


class PostRequest(NamedTuple):
    """A post that a client asks for."""

    author: str
    body: bytes
    key: str | None


def some_requests(chance: random.Random) -> list[PostRequest]:
    """
    Posts with odd bodies; mostly, repeated keys (with the same body, since one of them wins) and
    some that are refused.
    """
    bodies = [json.dumps(text).encode() for text in ODD.values()] + [
        b"%d" % number for number in range(9)
    ]
    repeated, refused = chance.choice([0.0, 0.0, 0.02, 0.3]), chance.choice([0.0, 0.0, 0.02, 0.1])
    requests = []
    for _ in range(chance.randrange(2, POSTS)):
        author, key = (
            chance.choice("abc"),
            chance.choice("kl") if chance.random() < repeated else None,
        )
        body = b'{"key":"%s"}' % key.encode() if key else chance.choice(bodies)
        requests.append(
            PostRequest(author, UNWANTED.encode() if chance.random() < refused else body, key)
        )
    return requests


class GroupContract(SQL):
    """Many posts at once."""

    def rows(self, statement: str) -> Sequence[Any]:
        """What a SELECT finds, past feedd."""
        raise NotImplementedError

    def refuse_unwanted(self) -> None:
        """Make a trigger that refuses the body `UNWANTED`."""
        raise NotImplementedError

    async def answer(self, store: SQLStore, request: PostRequest) -> tuple[PostRequest, str]:
        """How a post went, without its ids, which are checked."""
        try:
            stored = await store.add_post(*request)
        except (Unavailable, *store.dialect.errors) as error:
            return request, type(error).__name__
        self.assertEqual(body_of(stored.event), json.loads(request.body))
        self.assertEqual((stored.event.author, stored.event.post), (request.author, stored.post))
        self.given.append(stored)
        return request, "fresh" if stored.fresh else "known"

    def stored(self) -> list[Any]:
        """The rows, without their ids and times; the event stands with the post that it names."""
        return sorted(
            self.rows(
                "SELECT posts.author, posts.body, COALESCE(idempotency_key, ''), kind, "
                "events.author, payload FROM posts"
                " LEFT JOIN events ON post = posts.id AND events.created_at = posts.created_at"
            )
        )

    async def answered_and_stored(
        self, store: SQLStore, requests: Sequence[PostRequest], at_once: bool
    ) -> tuple[Counter[tuple[PostRequest, str]], list[Any]]:
        """The answers to these posts on empty tables, and the rows."""
        self.write("DELETE FROM posts")
        self.write("DELETE FROM events")
        self.given = []
        answers = [self.answer(store, request) for request in requests]
        waiting = together(answers) if at_once else answers
        answered = Counter([await answer for answer in waiting])
        self.assertEqual(
            len(self.rows("SELECT id FROM events")), len(self.rows("SELECT id FROM posts"))
        )
        events = (await store.events_by_id([stored.event.id for stored in self.given])).events
        self.assertEqual(
            {event.id: event for event in events},
            {stored.event.id: stored.event for stored in self.given},
        )
        return answered, self.stored()

    async def test_the_same_as_one_by_one(self) -> None:
        """
        The same answers and the same rows: odd bodies, repeated keys, and some that the database
        refuses.
        """
        store = await self.reached(query_seconds=10.0)
        self.refuse_unwanted()
        for turn in range(TURNS):
            requests = some_requests(random.Random(turn))
            one_by_one = await self.answered_and_stored(store, requests, at_once=False)
            at_once = await self.answered_and_stored(store, requests, at_once=True)
            self.assertEqual(at_once, one_by_one, f"turn {turn}")
        await store.stopService()
        self.flushLoggedErrors(*store.dialect.errors)

    async def test_few_transactions(self) -> None:
        """A hundred posts at once are answered in the order of their ids, after a few COMMITs."""
        sizes: list[int] = []

        def counted(txn: Transaction, new: Sequence[posts.PostDraft]) -> list[Stored]:
            sizes.append(len(new))
            return posts.add_posts(txn, new)

        group = self.group(counted)
        told: list[Stored] = []
        adding = [
            group.add(posts.PostDraft(f"u{number}", b"%d" % number, None, 5), f"u{number}")
            for number in range(100)
        ]
        for answer in adding:
            answer.addCallback(told.append)
        for answer in adding:
            await answer
        self.assertEqual([int(stored.event.author[1:]) for stored in told], list(range(100)))
        self.assertEqual([body_of(stored.event) for stored in told], list(range(100)))
        self.assertEqual(
            sorted(stored.event.id for stored in told), [stored.event.id for stored in told]
        )
        self.assertEqual(
            (await self.store.events_by_id([stored.event.id for stored in told])).events,
            [one.event for one in told],
        )
        self.assertEqual((sum(sizes), len(sizes)), (100, 3))
        pairs = self.rows("SELECT body, payload FROM posts JOIN events ON post = posts.id")
        self.assertEqual(
            ([body for body, _ in pairs], len(pairs)), ([payload for _, payload in pairs], 100)
        )

    def group(self, write: Any) -> GroupCommit[posts.PostDraft, Stored]:
        """A group commit that writes in the store's threads."""
        from twisted.internet import reactor

        return GroupCommit(self.store.writes, write, posts.size_of, 5, reactor)

    async def test_those_who_wait_are_counted(self) -> None:
        """Too many posts are refused like too many of anything."""
        store = await self.reached(threads=2, max_waiting=2)
        posting = together([store.add_post("ann", b"1", None) for _ in range(4)])
        await self.refused(Unavailable, posting[3])
        self.assertEqual(
            (len([await call for call in posting[:3]]), self.counters["store_full"]), (3, 1)
        )

    async def test_too_late_to_commit(self) -> None:
        """
        When a transaction of several took too long, each is tried by itself, and becomes visible
        soon or never.
        """
        seen: list[int] = []

        def late(txn: Transaction, new: Sequence[posts.PostDraft]) -> list[Stored]:
            seen.append(len(new))
            stored = posts.add_posts(txn, new)
            if len(new) > 1:
                time.sleep(0.6)
            return stored

        self.store = await self.reached(settle_seconds=1.0)
        group = self.group(late)
        for answer in [
            group.add(posts.PostDraft("ann", b"%d" % number, None, 5), "ann") for number in range(3)
        ]:
            await answer
        self.assertEqual(seen, [1, 2, 1, 1])
        self.assertEqual(len(self.rows("SELECT id FROM posts")), 3)

    async def test_a_mistake(self) -> None:
        """When anything is raised for one of several, the others are stored."""

        def choosy(txn: Transaction, new: Sequence[posts.PostDraft]) -> list[Stored]:
            stored = posts.add_posts(txn, new)
            if any(post.body == b"2" for post in new):
                raise ValueError
            return stored

        group = self.group(choosy)
        answers = [
            group.add(posts.PostDraft("ann", b"%d" % number, None, 5), "ann") for number in range(4)
        ]
        for number, answer in enumerate(answers):
            if number == 2:
                await self.refused(ValueError, answer)
            else:
                await answer
        self.assertEqual(
            sorted(body for (body,) in self.rows("SELECT body FROM posts")), ["0", "1", "3"]
        )
