"""
The ports in memory: a log whose transactions become visible late, a friend cache that serves a list
until it is told to forget it, and a broker that only takes notes.

`MemoryStore` is a faithful model of `feedd.feed.ports.Store`: ids are given out at the insert, rows
become visible at the commit, a friendship that is being changed is locked until then, and what was
pruned is known to have been there.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence

from feedd.core.event import BODY_KINDS, LOGOUT, Event, at_of, safe_json, without_body
from feedd.core.runs import NO_RUNS, Runs
from feedd.core.sizes import ANSWER_BYTES, RECENT_BYTES, fitting
from feedd.feed.ports import (
    Batch,
    Block,
    FriendChanges,
    Friendship,
    History,
    NotFound,
    NotYours,
    Opening,
    Page,
    Stored,
    Unavailable,
)
from tests.transaction import Transaction


async def at_once() -> None:
    """The pace of a database that answers immediately."""


class MemoryStore:
    """
    The tables in memory.

    :ivar rows: the visible rows of ``events``; None for one that nobody can read.
    :ivar multi_writer: nobody sees what others have open.
    :ivar away: every method raises `Unavailable`.
    :ivar pace: awaited before and after every look at the tables, so that a test can hold a
        question or its answer back.
    """

    def __init__(self) -> None:
        self.epoch = "k1"
        self.settle_seconds = 0.0
        self.multi_writer = False
        self.settled = 0
        self.pruned = 0
        self.last_id = 0
        self.away = False
        self.pace: Callable[[], Awaitable[None]] = at_once
        self.rows: dict[int, Event | None] = {}
        self.open_transactions: list[Transaction] = []
        self.friendships: set[tuple[str, str]] = set()
        self.blocks: set[tuple[str, str]] = set()
        self.logouts: dict[str, int] = {}
        self.posts: dict[int, tuple[str, bytes]] = {}
        self.deleted: set[int] = set()
        self.asked: Counter[str] = Counter()
        self._last_post = 0
        self._keys: dict[tuple[str, str], Stored] = {}
        self._markers: dict[str, int] = {}

    def begin(self) -> Transaction:
        """A transaction that somebody else (a PHP page, say) has open."""
        return Transaction(self)

    def insert_post(
        self, transaction: Transaction, author: str, body: bytes, is_placed: bool = True
    ) -> Event:
        """A new post within `transaction`."""
        self._last_post += 1
        post = self._last_post
        event = transaction.insert("post", author, post, body, is_placed)
        transaction.effect(lambda: self.posts.update({post: (author, body)}))
        return event

    def locked(self, viewer: str, friend: str) -> bool:
        """Whether an open transaction is changing this friendship."""
        return any((viewer, friend) in transaction.pairs for transaction in self.open_transactions)

    def insert_change(self, transaction: Transaction, viewer: str, friend: str) -> Event:
        """
        A friendship begun or ended, whichever it is not, within `transaction`; nobody else may
        change it meanwhile.
        """
        pair = (viewer, friend)
        assert not self.locked(*pair), "a writer would have waited for this row"
        transaction.pairs.add(pair)
        ends = pair in self.friendships
        transaction.effect(
            lambda: self.friendships.discard(pair) if ends else self.friendships.add(pair)
        )
        return transaction.insert(
            "unfriend" if ends else "friend", viewer, None, b'{"friend":"%s"}' % friend.encode()
        )

    def insert_logout(self, transaction: Transaction, user: str) -> Event:
        """A logout within `transaction`; of two the later one stands."""
        event = transaction.insert(LOGOUT, user, None, b"{}")
        at = at_of(event)
        transaction.effect(lambda: self.logouts.update({user: max(at, self.logouts.get(user, 0))}))
        return event

    def burn(self, count: int) -> None:
        """Give out ids that nobody uses."""
        self.last_id += count

    def kill(self) -> None:
        """
        End all open transactions, as a crash does; ids above the highest that is committed are
        given out again.
        """
        for transaction in tuple(self.open_transactions):
            transaction.rollback()
        self.last_id = max(self.rows, default=self.pruned)

    def prune(self, upto: int) -> None:
        """Retention: delete the rows up to this id."""
        self.rows = {id: event for id, event in self.rows.items() if id > upto}
        self.pruned = max(self.pruned, upto)

    async def open(self, last: int, most_bytes: int = RECENT_BYTES) -> Opening:
        await self._ask("open")
        settled = max(self.settled, self.pruned)
        newest = self._events()[::-1][:last]
        count = fitting((len(event.json) for event in newest), most_bytes)
        logouts = tuple(self.logouts.items())
        opening = Opening(self.epoch, settled, newest[:count][::-1], b"k" * 32, logouts)
        await self.pace()
        return opening

    async def add_post(self, author: str, body: bytes, key: str | None) -> Stored:
        await self._ask("add_post")
        if key is not None and (author, key) in self._keys:
            return self._keys[author, key]._replace(fresh=False)
        transaction = self.begin()
        event = self.insert_post(transaction, author, body)
        transaction.commit()
        assert event.post is not None
        stored = Stored(event.post, event, True)
        if key is not None:
            self._keys[author, key] = stored
        await self.pace()
        return stored

    async def edit_post(self, author: str, post: int, body: bytes) -> Event:
        await self._ask("edit_post")
        self._own(author, post)
        self.posts[post] = (author, body)
        return self._commit("edit", author, post, body)

    async def delete_post(self, author: str, post: int) -> Event:
        await self._ask("delete_post")
        self._own(author, post)
        del self.posts[post]
        self.deleted.add(post)
        return self._commit("delete", author, post, b"{}")

    async def change_friends(
        self, add: Sequence[Friendship], remove: Sequence[Friendship]
    ) -> FriendChanges:
        await self._ask("change_friends")
        wanted = {(pair.viewer, pair.friend): True for pair in add} | {
            (pair.viewer, pair.friend): False for pair in remove
        }
        events, blocked = [], []
        for pair, stands in wanted.items():
            if stands and self.blocks.intersection((pair, pair[::-1])):
                blocked.append(Friendship(*pair))
            elif pair[0] != pair[1] and (pair in self.friendships) != stands:
                events.append(self._change(pair))
        return FriendChanges(events, blocked)

    async def change_blocks(self, add: Sequence[Block], remove: Sequence[Block]) -> list[Event]:
        await self._ask("change_blocks")
        ended = {(block.viewer, block.author) for block in remove}
        begun = {(block.viewer, block.author) for block in add} - ended
        begun = {pair for pair in begun if pair[0] != pair[1]}
        self.blocks = (self.blocks | begun) - ended
        parted = sorted({*begun, *((author, viewer) for viewer, author in begun)})
        return [self._change(pair) for pair in parted if pair in self.friendships]

    async def log_out(self, user: str) -> Event:
        await self._ask("log_out")
        transaction = self.begin()
        event = self.insert_logout(transaction, user)
        transaction.commit()
        return event

    async def friends_of(self, viewers: Collection[str]) -> dict[str, tuple[str, ...]]:
        await self._ask("friends_of")
        lists = {
            viewer: tuple(
                sorted(friend for listens, friend in self.friendships if listens == viewer)
            )
            for viewer in viewers
        }
        await self.pace()
        return lists

    async def mark(self, viewer: str, post: int) -> int:
        await self._ask("mark")
        self._markers[viewer] = max(post, self._markers.get(viewer, 0))
        return self._markers[viewer]

    async def set_mark(self, viewer: str, post: int) -> None:
        await self._ask("set_mark")
        self._markers[viewer] = post

    async def page(
        self,
        authors: Collection[str],
        before: int | None,
        limit: int,
        settled: int,
        holes: Runs = NO_RUNS,
        viewer: str | None = None,
    ) -> Page:
        await self._ask("page")
        shown = [
            post for post in sorted(self.posts, reverse=True) if self.posts[post][0] in authors
        ]
        older = [post for post in shown if before is None or post < before]
        texts = [
            b'{"id":%d,"author":"%s","body":%s}' % (p, self.posts[p][0].encode(), self.posts[p][1])
            for p in older
        ]
        ids = tuple(event.id for event in self._after(settled, holes) if event.author in authors)
        posts = [safe_json(text) for text in texts[:limit]]
        posts = posts[: fitting(map(len, posts), ANSWER_BYTES)]
        page = Page(posts, ids, len(older) > len(posts))
        await self.pace()
        return page

    async def events_after(
        self,
        settled: int,
        authors: Collection[str],
        limit: int,
        holes: Runs = NO_RUNS,
        known: Collection[int] = (),
        viewer: str | None = None,
    ) -> History:
        await self._ask("events_after")
        events = [
            event
            for event in self._after(settled, holes)
            if event.author in authors and event.id not in known
        ]
        highest = max(self.rows, default=self.pruned)
        some = _first_fitting(events[:limit])
        history = History(some, len(events) > len(some), self.pruned, highest)
        await self.pace()
        return history

    async def ids_after(self, settled: int, limit: int, holes: Runs = NO_RUNS) -> list[int]:
        await self._ask("ids_after")
        ids = sorted(id for id in self.rows if id > settled or id in holes)[:limit]
        await self.pace()
        return ids

    async def ids_standing(
        self, settled: int, limit: int, holes: Runs = NO_RUNS
    ) -> list[int] | None:
        await self._ask("ids_standing")
        if self.multi_writer or not self.settle_seconds:
            return None
        ids = {id for transaction in self.open_transactions for id in transaction.placed}
        found = sorted(id for id in ids.union(self.rows) if id > settled or id in holes)[:limit]
        await self.pace()
        return found

    async def events_by_id(self, ids: Sequence[int], viewer: str | None = None) -> Batch:
        await self._ask("events_by_id")
        ids = sorted(set(ids))
        events = [self._shown(event) for id in ids if (event := self.rows.get(id))]
        some = _first_fitting(events)
        await self.pace()
        rest = [id for id in ids if id > some[-1].id] if len(some) < len(events) else []
        return Batch(some, rest)

    async def save_settled(self, epoch: str, settled: int) -> bool:
        await self._ask("save_settled")
        if epoch == self.epoch:
            self.settled = max(self.settled, settled)
        return epoch == self.epoch

    async def renew_epoch(self, epoch: str) -> None:
        await self._ask("renew_epoch")
        if epoch == self.epoch:
            self.epoch += "x"

    async def ping(self) -> None:
        await self._ask("ping")

    async def _ask(self, what: str) -> None:
        self.asked[what] += 1
        await self.pace()
        if self.away:
            raise Unavailable("database", "away")

    def _after(self, settled: int, holes: Runs) -> list[Event]:
        return [event for event in self._events() if event.id > settled or event.id in holes]

    def _events(self) -> list[Event]:
        return [self._shown(event) for _, event in sorted(self.rows.items()) if event is not None]

    def _shown(self, event: Event) -> Event:
        return (
            without_body(event)
            if event.kind in BODY_KINDS and event.post in self.deleted
            else event
        )

    def _own(self, author: str, post: int) -> None:
        if post not in self.posts:
            raise NotFound
        if self.posts[post][0] != author:
            raise NotYours

    def _change(self, pair: tuple[str, str]) -> Event:
        transaction = self.begin()
        event = self.insert_change(transaction, *pair)
        transaction.commit()
        return event

    def _commit(self, kind: str, author: str, post: int | None, body: bytes) -> Event:
        transaction = self.begin()
        event = transaction.insert(kind, author, post, body)
        transaction.commit()
        return event


class MemoryFriends:
    """
    Friend lists through a cache that serves a list until it is told to forget it, and is never
    filled with an older one.
    """

    def __init__(self, store: MemoryStore) -> None:
        self.lists: dict[str, tuple[str, ...]] = {}
        self._store = store
        self._forgotten: Counter[str] = Counter()

    async def of(self, viewer: str) -> tuple[str, ...]:
        if viewer in self.lists:
            return self.lists[viewer]
        before = self._forgotten[viewer]
        friends = (await self._store.friends_of([viewer]))[viewer]
        if self._forgotten[viewer] == before:
            self.lists[viewer] = friends
        return friends

    async def forget(self, viewers: Collection[str]) -> None:
        for viewer in viewers:
            self._forgotten[viewer] += 1
            self.lists.pop(viewer, None)


def _first_fitting(events: list[Event]) -> list[Event]:
    return events[: fitting((len(event.json) for event in events), ANSWER_BYTES)]


class MemoryBroker:
    """Takes note of what it is asked to do."""

    up = True
    trouble = ""

    def __init__(self) -> None:
        self.sealed_with = ("", b"")
        self.followed: set[str] = set()
        self.published: list[Event] = []
        self.heard_late: list[str] = []

    def seal_with(self, epoch: str, key: bytes) -> None:
        self.sealed_with = (epoch, key)

    def follow(self, author: str) -> None:
        assert author not in self.followed, "followed twice"
        self.followed.add(author)

    def unfollow(self, author: str) -> None:
        self.followed.remove(author)

    def missed(self, author: str) -> None:
        self.heard_late.append(author)

    def publish(self, events: Sequence[Event]) -> None:
        self.published.extend(events)
