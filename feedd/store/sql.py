"""
The store: `feedd.feed.ports.Store` on MariaDB, MySQL or SQLite.

A method says which query answers it, and within which bounds. The queries are in ``tables/``, and
``running/`` runs them.
"""

from bisect import bisect_right
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger

from feedd.core.counters import Counters
from feedd.core.event import MAX_ID, Event
from feedd.core.runs import NO_RUNS, Runs
from feedd.core.sizes import RECENT_BYTES
from feedd.feed.ports import (
    Batch,
    Block,
    FriendChanges,
    Friendship,
    History,
    Opening,
    Page,
    Stored,
    Unavailable,
)
from feedd.feed.settings import Store as Settings
from feedd.reactor.complaints import Complaints
from feedd.store.database.adapter import register
from feedd.store.database.dialect import PART, Dialect
from feedd.store.database.migrate import LOOSE_NAMES, loose_names, migrate
from feedd.store.running.group_commit import GroupCommit
from feedd.store.running.refusals import Refusals
from feedd.store.running.runner import Runner
from feedd.store.running.runners import Runners
from feedd.store.running.transaction import Transaction
from feedd.store.running.transactions import TRIES, Duplicate
from feedd.store.tables import epochs, events, friendships, logouts, posts, retention, trial
from feedd.store.tables.keyset import AT_ONCE
from feedd.store.tables.opening import opening
from feedd.store.unreadable import UnreadableRows

P = ParamSpec("P")
T = TypeVar("T")
Work = Callable[Concatenate[Transaction, P], T]

OPENING_SECONDS = 120.0

BULK = 4
"""How many times as long as others a change of friends may take."""

FRIENDSHIPS = 50_000
"""Rows of one answer: a quarter of a second."""


class _Started(NamedTuple):
    """The parts of a store that has been started."""

    runners: Runners
    posts: GroupCommit[posts.PostDraft, Stored]


class SQLStore(Service):
    """
    The log and the tables beside it, in one database.

    Every method raises `Unavailable` until `prepare` has returned once.

    :ivar dialect: the database's own ways.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: Settings,
        dialect: Dialect,
        counters: Counters,
        now_ms: Callable[[], int],
    ) -> None:
        """
        :param reactor: an `IReactorCore`, `IReactorTime` and `IReactorFromThreads`.
        :param now_ms: milliseconds since 1970, UTC.
        """
        self.dialect = dialect
        self._reactor = reactor
        self._settings = settings
        self._counters = counters
        self._complain = Complaints(counters, reactor.seconds)
        self._now_ms = now_ms
        self._refusals = Refusals(reactor, self._complain, self._write_nothing)
        self._unreadable = UnreadableRows(self._complain)
        self._started: _Started | None = None
        self._prepared = False
        self._was_behind = False

    @property
    def settle_seconds(self) -> float:
        """
        How long after its INSERT a row may become visible; 0 on SQLite, where ids become visible in
        their order.
        """
        return 0.0 if self.dialect.one_writer else self._settings.settle_seconds

    @property
    def trouble(self) -> str:
        """Why the database takes no writes, in its own words; "" while it does."""
        return self._refusals.trouble

    @property
    def reads(self) -> Runner:
        """Runs what clients read. Raises `Unavailable`."""
        return self._ready().runners.reads

    @property
    def writes(self) -> Runner:
        """Runs what writes. Raises `Unavailable`."""
        return self._ready().runners.writes

    # Its life

    def startService(self) -> None:
        """Make the threads; they begin when the reactor runs."""
        super().startService()
        self._refusals = Refusals(self._reactor, self._complain, self._write_nothing)
        runners = Runners(
            self._reactor, self._settings, self.dialect, self._counters, self._refusals.note
        )
        group = GroupCommit(
            runners.writes, posts.add_posts, posts.size_of, runners.writers, self._reactor
        )
        self._started = _Started(runners, group)
        register(self.dialect, runners.reads.run)

    def stopService(self) -> Deferred[None]:
        """Let what has begun come to its end, then end the threads; fires when they have ended."""
        super().stopService()
        started, self._started = self._started, None
        self._prepared = False
        self._refusals.stop()
        return Deferred.fromCoroutine(started.runners.finish()) if started else succeed(None)

    async def prepare(self) -> None:
        """
        Create or upgrade the schema. Call it again, after a while, when it raises `Unavailable`.

        :raises feedd.store.database.migrate.Outdated: an `Unavailable` too, when ``store.migrate``
            is off and there is something to do.
        """
        if self._started is None:
            raise Unavailable(PART, "feedd is not running")
        run_alone = self._started.runners.writes.run_alone
        before, now = await run_alone(lambda: migrate(self.dialect, self._settings.migrate))
        if now != before:
            self._log.info(
                "the schema has version {now} now; it was {before}", now=now, before=before
            )
        loose = await run_alone(lambda: loose_names(self.dialect))
        if loose:
            self._counters.add("store_loose_names", len(loose))
            self._log.warn(LOOSE_NAMES, columns=", ".join(loose))
        self._prepared = True

    def _ready(self) -> _Started:
        if self._started is None or not self._prepared:
            raise Unavailable(PART, "not reached yet")
        return self._started

    # Posts

    async def add_post(self, author: str, body: bytes, key: str | None) -> Stored:
        """
        Commit a post and its event in one transaction, which others' may share; `key` is the
        Idempotency-Key.

        The key is not looked up first: nearly all are new, and only the index decides when two
        arrive at once. The first result is read in a transaction of its own, since a transaction
        cannot see what was committed after it began.
        """
        if key is not None:
            key = posts.stored_key(key)
        for _ in range(TRIES):
            draft = posts.PostDraft(author, body, key, self._now_ms())
            try:
                return await self._ready().posts.add(draft, author)
            except Duplicate:
                if key is None:
                    raise
                first = await self._read(author, posts.first_result, author, key)
                if first is not None:
                    return first
        raise Unavailable(PART, "the Idempotency-Key comes and goes")

    async def edit_post(self, author: str, post: int, body: bytes) -> Event:
        """Commit a new body and its ``edit``. Raises `NotFound`, `NotYours`."""
        return await self._write(author, posts.edit_post, author, post, body, self._now_ms())

    async def delete_post(self, author: str, post: int) -> Event:
        """Commit a deletion and its ``delete``. Raises `NotFound`, `NotYours`."""
        return await self._write(author, posts.delete_post, author, post, self._now_ms())

    async def page(
        self,
        authors: Collection[str],
        before: int | None,
        limit: int,
        settled: int,
        holes: Runs = NO_RUNS,
        viewer: str | None = None,
    ) -> Page:
        """
        Read the newest `limit` posts of `authors` (older than post `before`), and the ids above
        `settled` or in `holes`, in one snapshot; for `viewer`.
        """
        if not authors:
            self._ready()
            return Page([], (), False)
        return self._unreadable.without(
            await self._read(viewer, posts.page, authors, before, limit, settled, holes)
        )

    # Friendships and markers

    async def change_friends(
        self, add: Sequence[Friendship], remove: Sequence[Friendship]
    ) -> FriendChanges:
        """
        Commit these rows and an event for each that really changed; a pair in both lists is
        removed. It may take `BULK` times as long as others.
        """
        return await self._write_many(friendships.change_friends, add, remove, self._now_ms())

    async def change_blocks(self, add: Sequence[Block], remove: Sequence[Block]) -> list[Event]:
        """Commit these blocks, and an event for each friendship that they end. It may as well."""
        return await self._write_many(friendships.change_blocks, add, remove, self._now_ms())

    async def log_out(self, user: str) -> Event:
        """Commit that `user` is logged out now, and the ``logout``; it waits for no client."""
        return await self._own_write(logouts.log_out, user, self._now_ms())

    async def friends_of(self, viewers: Collection[str]) -> dict[str, tuple[str, ...]]:
        """
        Read whom each of `viewers` hears, sorted, without themselves.

        It does not stand in the clients' queue: the cache asks for many viewers at a time, and
        seldom, and they must not all wait for many small queries.
        """
        left = sorted(set(viewers))
        lists: dict[str, tuple[str, ...]] = {}
        while left:
            some = await self._own_read(friendships.friends_of, left[:AT_ONCE], FRIENDSHIPS)
            lists |= some
            left = left[len(some) :]
        return lists

    async def mark(self, viewer: str, post: int) -> int:
        """Move the read marker up to `post` (never down) and return where it stands."""
        return await self._write(viewer, friendships.mark, viewer, post, self._now_ms())

    async def set_mark(self, viewer: str, post: int) -> None:
        """Move the read marker to `post`, also down."""
        await self._write(viewer, friendships.set_mark, viewer, post, self._now_ms())

    # The log

    async def open(self, last: int, most_bytes: int = RECENT_BYTES) -> Opening:
        """
        Read the epoch, ``meta.settled`` and the newest `last` events, or as many of these as have
        `most_bytes` as JSON.
        """
        run = self._ready().runners.own.run
        work = _call(opening, last, most_bytes)
        return self._unreadable.without(await run(work, seconds=OPENING_SECONDS, own=True))

    async def events_after(
        self,
        settled: int,
        authors: Collection[str],
        limit: int,
        holes: Runs = NO_RUNS,
        known: Collection[int] = (),
        viewer: str | None = None,
    ) -> History:
        """
        Read the first `limit` events of `authors` above `settled` or in `holes`, without `known`;
        for `viewer`.
        """
        return self._unreadable.without(
            await self._read(viewer, events.history, settled, authors, limit, holes, known)
        )

    async def ids_after(self, settled: int, limit: int, holes: Runs = NO_RUNS) -> list[int]:
        """
        Read the first `limit` ids above `settled` or in `holes`, of all authors, ascending. One
        above `MAX_ID` is counted, once, and left out.
        """
        ids = await self._own_read(events.ids_above, settled, limit, holes)
        return self._unreadable.without_large(ids)

    async def ids_standing(
        self, settled: int, limit: int, holes: Runs = NO_RUNS
    ) -> list[int] | None:
        """
        As `ids_after`, but also ids of rows that are not committed. None where there is no seeing
        them (several nodes write), or no need (SQLite).
        """
        if self.dialect.one_writer or self._settings.multi_writer:
            return None
        ids = await self._own_read(events.ids_standing, settled, limit, holes)
        return None if ids is None else ids[: bisect_right(ids, MAX_ID)]

    async def events_by_id(self, ids: Sequence[int], viewer: str | None = None) -> Batch:
        """
        Read the events with these ids, which ascend, as far as they fit in a batch; one that is
        gone or unreadable (counted) is left out. For `viewer`, or for feedd itself.
        """
        if not ids:
            return Batch([], ())
        if viewer is None:
            return self._unreadable.without(await self._own_read(events.batch, ids))
        return self._unreadable.without(await self._read(viewer, events.batch, ids))

    async def save_settled(self, epoch: str, settled: int) -> bool:
        """
        Move ``meta.settled`` up to `settled`, never down; False, and it stays, in a database of
        another epoch.

        When the log ends below `settled`, twice in a row, a new epoch begins: False.
        """
        is_behind = await self._own_read(epochs.is_behind, settled)
        if is_behind and self._was_behind:
            self._was_behind = False
            await self.renew_epoch(epoch)
            return False
        # Once may be a node of a cluster that has not got the last rows yet.
        self._was_behind = is_behind
        return await self._own_write(events.save_settled, epoch, settled)

    async def renew_epoch(self, epoch: str) -> None:
        """Begin a new epoch, unless the present one is not `epoch` any more."""
        if await self._own_write(epochs.renew_epoch, epoch, self._now_ms()):
            why = f"ids have gone backwards: the log is of another epoch than {epoch} now"
            self._complain("ids_backwards", why)

    async def prune(self, owner: str, keep_seconds: float, limit: int) -> int:
        """
        Delete the oldest events, `limit` at most, that are older than `keep_seconds`; returns how
        many went.

        One process at a time: another than `owner`, a word, has to wait for a minute after its last
        call.
        """
        now = self._now_ms()
        before = now - int(keep_seconds * 1000)
        return await self._own_write(retention.prune, owner, now, before, limit)

    async def ping(self) -> None:
        """Return when the database answers."""
        await self._own_read(Transaction.row, "SELECT 1")

    # How they run

    def _read(
        self, user: str | None, work: Work[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> Awaitable[T]:
        return self.reads.run(_call(work, *args, **kwargs), user=user)

    def _write(
        self, user: str, work: Work[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> Awaitable[T]:
        return self.writes.run(_call(work, *args, **kwargs), user=user)

    def _write_many(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        seconds = BULK * self._settings.query_seconds
        return self.writes.run(_call(work, *args, **kwargs), seconds=seconds)

    def _own_read(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """
        Run a query of feedd's own, of which there are a few at most, as of the tail: it must not
        wait for those of clients, nor be turned away because of them.
        """
        return self._ready().runners.own.run(_call(work, *args, **kwargs), own=True)

    def _own_write(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        return self.writes.run(_call(work, *args, **kwargs), own=True)

    def _write_nothing(self) -> Deferred[None]:
        try:
            return self.writes.run(trial.write_nothing, own=True)
        except Unavailable:
            return fail()


def _call(work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> Callable[[Transaction], T]:
    return lambda transaction: work(transaction, *args, **kwargs)
