"""
The ports of a feed: a store, a broker, friend lists, an authenticator, and their errors.

A port is a Protocol. An implementation stands in one folder of the floor above the reactor's, and
turns the errors of its driver into those below.
"""

from collections.abc import Collection, Mapping, Sequence
from math import inf
from typing import NamedTuple, Protocol

import msgspec

from feedd.core.event import Event
from feedd.core.runs import NO_RUNS, Runs
from feedd.core.sizes import RECENT_BYTES


class Unavailable(Exception):
    """
    A part is away, hung or overfull; nothing was stored.

    :ivar part: ``database``, ``broker`` and so on.
    :ivar why: the reason in a few words, without secrets.
    :ivar retry_after_seconds: when trying again is worth it.
    """

    def __init__(self, part: str, why: str, retry_after_seconds: int = 2) -> None:
        super().__init__(f"{part}: {why}")
        self.part = part
        self.why = why
        self.retry_after_seconds = retry_after_seconds


class NotFound(Exception):
    """There is no such post (any more)."""


class NotYours(Exception):
    """The post is another author's."""


class Unauthorized(Exception):
    """
    Nobody is logged in, or the credentials are wrong or over; the text says which, never the
    credential.
    """


class Forbidden(Exception):
    """A cookie alone is no proof that the site itself is asking."""


class Stored(NamedTuple):
    """
    A post that is in the log.

    :ivar fresh: False when its Idempotency-Key had been used before; then this is the first result.
    """

    post: int
    event: Event
    fresh: bool


class Page(NamedTuple):
    """
    A page of posts, newest first, and the ids for a cursor of the same snapshot. It ends where its
    posts have `feedd.core.sizes.ANSWER_BYTES`.

    :ivar posts: each post as JSON bytes, already `feedd.core.event.safe_json`.
    :ivar ids: the ids above ``settled`` that are visible in the snapshot for the same authors,
        ascending.
    :ivar more: older posts exist.
    """

    posts: list[bytes]
    ids: tuple[int, ...]
    more: bool


class Batch(NamedTuple):
    """
    Some of the rows that were asked for.

    :ivar events: ascending by id.
    :ivar rest: the ids that were not read, because all rows together would be too large.
    """

    events: list[Event]
    rest: Sequence[int]


class History(NamedTuple):
    """
    A stretch of the log for some authors.

    :ivar events: ascending by id.
    :ivar more: the limit, or `feedd.core.sizes.ANSWER_BYTES`, left some out.
    :ivar pruned: the highest id that retention has deleted, 0 for none.
    :ivar highest: the highest id visible in the log (or ever pruned), 0 for none.
    """

    events: list[Event]
    more: bool
    pruned: int
    highest: int


class Opening(NamedTuple):
    """
    The beginning of a process: the epoch of the database, the watermark that it keeps, and its
    newest events, ascending.

    :ivar seal_key: the random key of this database with which the bell is sealed; b"" for none.
    :ivar logouts: the newest ones, ascending: the user, and milliseconds since 1970.
    """

    epoch: str
    settled: int
    events: list[Event]
    seal_key: bytes = b""
    logouts: Sequence[tuple[str, int]] = ()


class Friendship(msgspec.Struct, frozen=True):
    """`viewer` hears `friend`."""

    viewer: str
    friend: str


class Block(msgspec.Struct, frozen=True):
    """`viewer` wants to have nothing to do with `author`."""

    viewer: str
    author: str


class FriendChanges(NamedTuple):
    """
    The outcome of a change of friendships.

    :ivar events: those of the ones that really changed.
    :ivar blocked: those that were not added, as one of the two blocks the other.
    """

    events: list[Event]
    blocked: list[Friendship]


class Store(Protocol):
    """
    The log and the tables beside it. Every method may raise `Unavailable`; then nothing was stored.

    Bodies are JSON text as bytes, validated by the caller. Authors and viewers are valid users.
    """

    @property
    def settle_seconds(self) -> float:
        """
        The longest time between the moment when an id is given out and the one when its event
        becomes visible; 0 when ids become visible in their order.
        """

    async def open(self, last: int, most_bytes: int = RECENT_BYTES) -> Opening:
        """
        Read the epoch, ``meta.settled`` and the newest `last` events, or as many of these as have
        `most_bytes` as JSON.
        """

    async def add_post(self, author: str, body: bytes, key: str | None) -> Stored:
        """Commit a post and its event in one transaction; `key` is the Idempotency-Key."""

    async def edit_post(self, author: str, post: int, body: bytes) -> Event:
        """Commit a new body and its ``edit``. Raises `NotFound`, `NotYours`."""

    async def delete_post(self, author: str, post: int) -> Event:
        """
        Commit a deletion and its ``delete``, whose body is ``{}``. Raises `NotFound`, `NotYours`.
        """

    async def change_friends(
        self, add: Sequence[Friendship], remove: Sequence[Friendship]
    ) -> FriendChanges:
        """
        Commit these rows, and a ``friend`` or ``unfriend`` event for each that really changed; a
        friendship of two of whom one blocks the other is not added.
        """

    async def change_blocks(self, add: Sequence[Block], remove: Sequence[Block]) -> list[Event]:
        """
        Commit these rows, the end of the friendships of whom they part, in both directions, and an
        ``unfriend`` event for each of these; returns the events. A block in both lists is removed.
        """

    async def log_out(self, user: str) -> Event:
        """Commit that `user` is logged out now, and the ``logout`` event; returns it."""

    async def friends_of(self, viewers: Collection[str]) -> Mapping[str, tuple[str, ...]]:
        """The users whom each of `viewers` hears, sorted, without themselves."""

    async def mark(self, viewer: str, post: int) -> int:
        """Move the read marker up to `post` (never down) and return where it stands."""

    async def set_mark(self, viewer: str, post: int) -> None:
        """Move the read marker to `post`, also down; 0 is before the first post."""

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
        The newest `limit` posts of `authors` (older than post `before`), in one snapshot with the
        ids above `settled` or in `holes`; asked for `viewer`, one of many who wait.
        """

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
        The first `limit` events of `authors` above `settled` or in `holes`, without `known`; asked
        for `viewer`, one of many who wait.
        """

    async def ids_after(self, settled: int, limit: int, holes: Runs = NO_RUNS) -> list[int]:
        """The first `limit` ids above `settled` or in `holes`, of all authors, ascending."""

    async def ids_standing(
        self, settled: int, limit: int, holes: Runs = NO_RUNS
    ) -> list[int] | None:
        """
        As `ids_after`, but also the ids of rows that are not committed.

        None where nobody can see all of these, or needs to: then a row becomes visible within
        `settle_seconds` of its INSERT.
        """

    async def events_by_id(self, ids: Sequence[int], viewer: str | None = None) -> Batch:
        """
        The events with these ids, which ascend; one that is gone or unreadable (counted) is left
        out. A piece at a time, see `feedd.feed.rows`. Asked for `viewer`, one of many who wait, or
        for feedd itself.
        """

    async def save_settled(self, epoch: str, settled: int) -> bool:
        """
        Move ``meta.settled`` up to `settled`, never down; False, and it goes no further, in a
        database of another epoch, or when the ids have gone backwards: then a new epoch begins.
        """

    async def renew_epoch(self, epoch: str) -> None:
        """Begin a new epoch, since the ids have gone backwards; unless one has begun already."""

    async def ping(self) -> None:
        """Return when the database answers."""


class Broker(Protocol):
    """
    The bell. An event that comes in goes to the callable ``deliver(event)`` that the constructor
    took; the id of one that cannot prove to be an event of the log to ``hint(id)``.

    No method raises or waits for the network: what the bell does not bring, the net does.
    """

    @property
    def up(self) -> bool:
        """Whether events travel now."""

    @property
    def trouble(self) -> str:
        """
        Why not, or what the broker refuses while events travel, in a few words without secrets; ""
        when all is well.
        """

    def seal_with(self, epoch: str, key: bytes) -> None:
        """Tell others' messages by `key` from those of this database, whose `epoch` that is."""

    def follow(self, author: str) -> None:
        """Bring the events of `author`, whom somebody here begins to hear."""

    def unfollow(self, author: str) -> None:
        """Bring the events of `author`, whom nobody here hears any more, only for a while yet."""

    def missed(self, author: str) -> None:
        """
        Check whether `author` is still followed: the net has found an event that the bell did not
        bring.
        """

    def publish(self, events: Sequence[Event]) -> None:
        """Publish these events, which are in the log, each on the exchange of its author."""


class Friends(Protocol):
    """The friend lists, through the cache."""

    async def of(self, viewer: str) -> tuple[str, ...]:
        """
        The friends of `viewer`, sorted. Raises `Unavailable` when neither cache nor database
        answers.
        """

    async def forget(self, viewers: Collection[str]) -> None:
        """
        Forget the cached lists of `viewers`, which have changed: one that was read before now must
        not come into the cache again. Never raises.
        """


class Credentials(NamedTuple):
    """
    The parts of a request that can prove who the user is, as its bytes.

    :ivar authorization: the Authorization header, or None.
    :ivar token: the query argument ``token``, or None.
    :ivar name: the query argument ``as`` (demo mode), or None.
    :ivar cookie: the whole Cookie header, or None.
    """

    authorization: bytes | None = None
    token: bytes | None = None
    name: bytes | None = None
    cookie: bytes | None = None


class Identity(NamedTuple):
    """
    The user who asks.

    :ivar ambient: only a cookie proves it, which a foreign page's script tag would send too.
    :ivar until: the same credentials prove the same up to here, without being checked again;
        seconds of the monotonic clock, or infinity. It is in the past when they have to be checked
        each time.
    :ivar ends: from then on they prove nobody, and no poll waits on them; seconds since 1970, or
        infinity when nobody knows. This is another clock, as the time of day may be set while a
        poll waits.
    """

    user: str
    ambient: bool
    until: float
    ends: float = inf


class Authenticator(Protocol):
    """Finds out which user asks, as ``auth.mode`` says."""

    @property
    def trouble(self) -> str:
        """Why that cannot be found out now, in a few words without secrets; "" when it can."""

    async def identify(self, credentials: Credentials) -> Identity:
        """
        The user behind `credentials`. It waits only when somebody else has to be asked.

        :raises Unauthorized: when they prove nobody.
        :raises Unavailable: when the site cannot be asked.
        """

    def revoke(self, user: str, at: int) -> None:
        """
        Believe nothing any more that proved `user` before `at`, milliseconds since 1970, which is
        now or earlier.
        """
