"""
The store: `feedd.feed.ports.Store` on MariaDB, MySQL or SQLite.

This module knows which query answers which question and what bounds it has. The queries are in the
modules beside it; they know neither threads nor time.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from feedd.core.counters import Counters
from feedd.core.event import Event
from feedd.feed.ports import Friendship, History, Opening, Page, Stored, Unavailable
from feedd.feed.settings import Store as Settings
from feedd.store.database.address import File, parse_address
from feedd.store.database.dialect import Dialect
from feedd.store.database.mariadb import MariaDB
from feedd.store.database.migrate import migrate
from feedd.store.database.models import register
from feedd.store.database.sqlite import SQLite
from feedd.store.running.group_commit import Group
from feedd.store.running.pool import TRIES, Duplicate, Pool
from feedd.store.running.queue import PART
from feedd.store.running.transaction import Transaction
from feedd.store.tables import events, friendships, posts, retention
from feedd.store.tables.keyset import AT_ONCE

P = ParamSpec("P")
T = TypeVar("T")
Work = Callable[Concatenate[Transaction, P], T]

OPENING_SECONDS = 120.0
COMPLAINT_SECONDS = 60.0
BULK = 4
FRIENDSHIPS = 50_000
"""Rows of one answer: a quarter of a second."""


def make_dialect(settings: Settings, password: str) -> Dialect:
    """
    The database behind ``store.url``; a `password` wins over the one in the URL.

    :raises BadConfig: when the URL cannot be used.
    """
    address = parse_address(settings.url, password)
    if isinstance(address, File):
        return SQLite(address, settings.query_seconds)
    return MariaDB(address, settings.query_seconds)


class SQLStore(Service):
    """
    The log and the tables beside it, in one database.

    Reads and writes have threads of their own, so that neither waits for the other. SQLite has one
    thread that writes, since it takes one writer at a time. Every method raises `Unavailable` until
    `prepare` has returned once.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: Settings,
        password: str,
        counters: Counters,
        now_ms: Callable[[], int],
    ) -> None:
        """
        :param reactor: an `IReactorCore`, `IReactorTime` and `IReactorFromThreads`.
        :param now_ms: milliseconds since 1970, UTC.
        :raises BadConfig: when ``store.url`` cannot be used.
        """
        self._reactor = reactor
        self._settings = settings
        self._dialect = make_dialect(settings, password)
        self._counters = counters
        self._now_ms = now_ms
        self._reads: Pool | None = None
        self._writes: Pool | None = None
        self._posts: Group[posts.New, Stored] | None = None
        self._prepared = False
        self._complained: float | None = None

    @property
    def settle_seconds(self) -> float:
        """
        How long after its INSERT a row may become visible; 0 on SQLite, where ids become visible in
        their order.
        """
        return 0.0 if self._dialect.one_writer else self._settings.settle_seconds

    def startService(self) -> None:
        """Make the threads; they begin when the reactor runs."""
        super().startService()
        writers = 1 if self._dialect.one_writer else max(1, self._settings.threads // 2)
        self._writes = self._pool(True, writers)
        self._posts = Group(self._writes, posts.add_posts, posts.size, writers, self._reactor)
        self._reads = self._pool(False, max(1, self._settings.threads - writers))
        register(self._reads, self._dialect)

    def stopService(self) -> Deferred[None]:
        """Let what has begun come to its end, then end the threads; fires when they have ended."""
        super().stopService()
        return Deferred.fromCoroutine(self._finish())

    async def _finish(self) -> None:
        pools = [pool for pool in (self._writes, self._reads) if pool is not None]
        self._writes = self._reads = self._posts = None
        self._prepared = False
        finishing = [Deferred.fromCoroutine(pool.finish()) for pool in pools]
        for finished in finishing:
            await finished

    def _pool(self, write: bool, threads: int) -> Pool:
        settings = self._settings
        return Pool(
            self._reactor,
            self._dialect,
            self._counters,
            write=write,
            threads=threads,
            max_waiting=settings.max_waiting,
            query_seconds=settings.query_seconds,
            # Half of the time in which an id must be visible: the other half is for the COMMIT
            # itself.
            commit_seconds=max(settings.settle_seconds / 2, 0.5),
        )

    async def prepare(self) -> None:
        """
        Create or upgrade the schema. Call it again, after a while, when it raises `Unavailable`.

        :raises feedd.store.database.migrate.Outdated: an `Unavailable` too, when ``store.migrate``
            is off and there is something to do.
        """
        if self._writes is None:
            raise Unavailable(PART, "feedd is not running")
        before, now = await self._writes.call(
            lambda: migrate(self._dialect, self._settings.migrate)
        )
        if now != before:
            self._log.info(
                "the schema has version {now} now; it was {before}", now=now, before=before
            )
        self._prepared = True

    async def open(self, last: int) -> Opening:
        """Read the epoch, ``meta.settled`` and the newest `last` events."""
        return self._noting(
            await self._ready(self._reads).run(_call(events.opening, last), seconds=OPENING_SECONDS)
        )

    async def add_post(self, author: str, body: bytes, key: str | None) -> Stored:
        """
        Commit a post and its event in one transaction, which others' may share; `key` is the
        Idempotency-Key.

        It is not looked for first: nearly all are new, and only the index decides when two arrive
        at once. The first result is read in a transaction of its own, since a transaction cannot
        see what was committed after it began.
        """
        if key is not None:
            key = posts.stored_key(key)
        for _ in range(TRIES):
            try:
                return await self._ready(self._posts).add(
                    posts.New(author, body, key, self._now_ms())
                )
            except Duplicate:
                if key is None:
                    raise
                first = await self._read(posts.first_result, author, key)
                if first is not None:
                    return first
        raise Unavailable(PART, "the Idempotency-Key comes and goes")

    async def edit_post(self, author: str, post: int, body: bytes) -> Event:
        """Commit a new body and its ``edit``. Raises `NotFound`, `NotYours`."""
        return await self._write(posts.edit_post, author, post, body, self._now_ms())

    async def delete_post(self, author: str, post: int) -> Event:
        """Commit a deletion and its ``delete``. Raises `NotFound`, `NotYours`."""
        return await self._write(posts.delete_post, author, post, self._now_ms())

    async def change_friends(
        self, add: Sequence[Friendship], remove: Sequence[Friendship]
    ) -> list[Event]:
        """
        Commit these rows and an event for each that really changed; returns those.

        A pair in both lists is removed, one that hears itself is passed over. It may take `BULK`
        times as long as others.
        """
        work = _call(friendships.change_friends, add, remove, self._now_ms())
        return await self._ready(self._writes).run(
            work, seconds=BULK * self._settings.query_seconds
        )

    async def friends_of(self, viewers: Collection[str]) -> dict[str, tuple[str, ...]]:
        """
        Whom each of `viewers` hears, sorted, without themselves.

        Who asks asks for many at a time, and seldom; they must not all be turned away because
        others ask for little, and often.
        """
        left = sorted(set(viewers))
        lists: dict[str, tuple[str, ...]] = {}
        while left:
            some = await self._unbounded(friendships.friends_of, left[:AT_ONCE], FRIENDSHIPS)
            lists |= some
            left = left[len(some) :]
        return lists

    async def mark(self, viewer: str, post: int) -> int:
        """Move the read marker up to `post` (never down) and return where it stands."""
        return await self._write(friendships.mark, viewer, post, self._now_ms())

    async def page(
        self, authors: Collection[str], before: int | None, limit: int, settled: int
    ) -> Page:
        """
        The newest `limit` posts of `authors` (older than post `before`), and the ids above
        `settled`, in one snapshot.
        """
        if not authors:
            self._ready(self._reads)
            return Page([], (), False)
        return self._noting(await self._read(posts.page, authors, before, limit, settled))

    async def events_after(self, settled: int, authors: Collection[str], limit: int) -> History:
        """The first `limit` events of `authors` above `settled`."""
        return self._noting(await self._read(events.history, settled, authors, limit))

    async def ids_after(self, settled: int, limit: int) -> list[int]:
        """The first `limit` ids above `settled`, of all authors, ascending."""
        return await self._unbounded(events.ids_above, settled, limit)

    async def events_by_id(self, ids: Sequence[int]) -> list[Event]:
        """
        The events with these ids, ascending; one that is gone or unreadable (counted) is left out.
        """
        if not ids:
            return []
        return self._noting(await self._unbounded(events.by_id, ids))

    async def save_settled(self, epoch: str, settled: int) -> bool:
        """
        Move ``meta.settled`` up to `settled`, never down; False, and nothing is written, in a
        database of another epoch.
        """
        return await self._write(events.save_settled, epoch, settled)

    async def prune(self, owner: str, keep_seconds: float, limit: int) -> int:
        """
        Delete the oldest events, `limit` at most, that are older than `keep_seconds`; returns how
        many went.

        One process at a time: another than `owner`, a word, has to wait for a minute after its last
        call.
        """
        now = self._now_ms()
        return await self._write(retention.prune, owner, now, now - int(keep_seconds * 1000), limit)

    async def ping(self) -> None:
        """Return when the database answers."""
        await self._read(_one)

    def _read(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        return self._ready(self._reads).run(_call(work, *args, **kwargs))

    def _write(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        return self._ready(self._writes).run(_call(work, *args, **kwargs))

    def _unbounded(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """
        For who asks one question at a time, or two, and must not be turned away by those who ask
        many: the tail is one.
        """
        return self._ready(self._reads).run(_call(work, *args, **kwargs), bounded=False)

    def _ready(self, part: T | None) -> T:
        if part is None or not self._prepared:
            raise Unavailable(PART, "not reached yet")
        return part

    def _noting(self, answer: tuple[T, list[int]]) -> T:
        """
        The answer without its unreadable rows, which are counted, and named in the log once a
        minute.
        """
        value, unreadable = answer
        if unreadable:
            self._counters.add("store_unreadable", len(unreadable))
            now = self._reactor.seconds()
            if self._complained is None or now - self._complained >= COMPLAINT_SECONDS:
                self._complained = now
                self._log.warn(
                    "rows that hold no event or post, the first with the id {id}", id=unreadable[0]
                )
        return value


def _call(work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> Callable[[Transaction], T]:
    return lambda transaction: work(transaction, *args, **kwargs)


def _one(txn: Transaction) -> None:
    txn.row("SELECT 1")
