"""
What feedd asks of the world: a store, a broker, friend lists, an authenticator.

A port is a Protocol; an implementation lives in one folder of layer 2 and turns its driver's errors
into the ones below.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from feedd.core.event import Event


class Unavailable(Exception):
    """
    A part is away, hung or overfull; nothing was stored. Ask again after `retry_after_seconds`.
    """

    def __init__(self, part: str, why: str, retry_after_seconds: int = 2) -> None:
        super().__init__(f"{part}: {why}")
        self.part = part
        self.why = why
        self.retry_after_seconds = retry_after_seconds


class NotFound(Exception):
    """There is no such post (any more)."""


class NotYours(Exception):
    """The post is somebody else's."""


class Unauthorized(Exception):
    """
    Nobody is logged in, or the credentials are wrong or over; the text says which, never the
    credential.
    """


class Stored(NamedTuple):
    """
    A post that is in the log. `fresh` is False when its Idempotency-Key had been used: then this is
    the first result.
    """

    post: int
    event: Event
    fresh: bool


class Page(NamedTuple):
    """
    One page of posts, newest first, and the cursor's part of the same snapshot.

    :ivar posts: each post as JSON bytes, already `feedd.core.event.safe_json`.
    :ivar ids: the ids above ``settled`` that are visible in the snapshot for the same authors,
        ascending.
    :ivar more: older posts exist.
    """

    posts: list[bytes]
    ids: tuple[int, ...]
    more: bool


class History(NamedTuple):
    """
    A stretch of the log for some authors.

    :ivar events: ascending by id.
    :ivar more: the limit cut it; more follows.
    :ivar pruned: the highest id that retention has deleted, 0 for none.
    :ivar highest: the highest id visible in the log (or ever pruned), 0 for none.
    """

    events: list[Event]
    more: bool
    pruned: int
    highest: int


class Opening(NamedTuple):
    """
    What a process starts from: the database's epoch, its settled watermark, and the last events
    before now, ascending.
    """

    epoch: str
    settled: int
    events: list[Event]


class Friendship(msgspec.Struct, frozen=True):
    """`viewer` hears `friend`."""

    viewer: str
    friend: str


class Store(Protocol):
    """
    The log and the tables beside it. Every method may raise `Unavailable`; then nothing was stored.

    Bodies are JSON text as bytes, validated by the caller. Authors and viewers are valid users.
    """

    @property
    def settle_seconds(self) -> float:
        """
        How long after its id was given out an event may become visible; 0 when ids become visible
        in their order.
        """

    async def open(self, last: int) -> Opening:
        """Read the epoch, ``meta.settled`` and the newest `last` events."""

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
    ) -> list[Event]:
        """
        Commit these rows, and a ``friend`` or ``unfriend`` event for each that really changed;
        returns those.
        """

    async def friends_of(self, viewers: Collection[str]) -> Mapping[str, tuple[str, ...]]:
        """Whom each of `viewers` hears, sorted, without themselves; () for nobody."""

    async def mark(self, viewer: str, post: int) -> int:
        """Move the read marker up to `post` (never down) and return where it stands."""

    async def page(
        self, authors: Collection[str], before: int | None, limit: int, settled: int
    ) -> Page:
        """
        The newest `limit` posts of `authors` (older than post `before`), in one snapshot with the
        ids above `settled`.
        """

    async def events_after(self, settled: int, authors: Collection[str], limit: int) -> History:
        """The first `limit` events of `authors` above `settled`."""

    async def ids_after(self, settled: int, limit: int) -> list[int]:
        """The first `limit` ids above `settled`, of all authors, ascending."""

    async def events_by_id(self, ids: Sequence[int]) -> list[Event]:
        """
        The events with these ids, ascending; one that is gone or unreadable (counted) is left out.
        """

    async def save_settled(self, epoch: str, settled: int) -> bool:
        """
        Move ``meta.settled`` up to `settled`, never down; False, and nothing is written, in a
        database of another epoch.
        """

    async def ping(self) -> None:
        """Return when the database answers."""


class Broker(Protocol):
    """
    The bell. What comes in goes to the callable ``deliver(event)`` that the constructor took.

    The tail is the net, so no method ever raises or waits for the network.
    """

    @property
    def up(self) -> bool:
        """Whether events travel now."""

    @property
    def trouble(self) -> str:
        """Why not, in a few words without secrets; "" when up."""

    def follow(self, author: str) -> None:
        """Start hearing `author`. Called when the first local subscription to the author begins."""

    def unfollow(self, author: str) -> None:
        """Stop hearing `author`, in a while. Called when the last local subscription ends."""

    def missed(self, author: str) -> None:
        """
        The net has found an event of `author` that the bell did not bring; see whether they are
        still heard.
        """

    def publish(self, events: Sequence[Event]) -> None:
        """Ring for these events, each on its author's exchange; they are in the log already."""


class Friends(Protocol):
    """Whom a viewer hears, through the cache."""

    async def of(self, viewer: str) -> tuple[str, ...]:
        """The friends of `viewer`. Raises `Unavailable` when neither cache nor database can say."""

    async def forget(self, viewers: Collection[str]) -> None:
        """
        Their lists have changed: no cached list older than now may be served by a fill. Never
        raises.
        """


class Credentials(NamedTuple):
    """
    What a request offers as proof of who is asking, as bytes of the request.

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
    Who is asking. `ambient`: proven only by a cookie, which a foreign page's script tag would send
    too.
    """

    user: str
    ambient: bool


class Known(NamedTuple):
    """
    Who is asking, and until when that holds without another look: seconds since 1970, or infinity.
    """

    identity: Identity
    until: float


class Authenticator(Protocol):
    """Who is asking."""

    async def identify(self, credentials: Credentials) -> Identity:
        """
        The user behind `credentials`. Raises `Unauthorized`, or `Unavailable` when the site cannot
        be asked.
        """

    def known(self, credentials: Credentials) -> Known | None:
        """
        What `identify` would answer, if that can be said at once and without looking closely; else
        None.
        """
