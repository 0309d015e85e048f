"""
The read path: a page and its cursor, polls that are hot or cold, and the events missed between two
polls.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import NamedTuple

from feedd.core.cursor import Cursor, parse_cursor
from feedd.core.event import LOGOUT, Event
from feedd.core.horizon import Horizon, advance
from feedd.core.hub import Hub
from feedd.core.owner import HubFull
from feedd.core.position import Position
from feedd.core.recent import RecentLog
from feedd.core.runs import above
from feedd.core.sizes import ANSWER_BYTES, fitting
from feedd.core.subscription import Subscription
from feedd.feed.authors import authors_of, is_among
from feedd.feed.ports import Friends, Page, Store, Unavailable
from feedd.feed.rows import read_rows

MAX_MISSED = 500
"""
Events in one answer, which ends at `ANSWER_BYTES` too. When more were missed it says so, and the
next poll brings the next.
"""

_TRIES = 3


class FirstPage(NamedTuple):
    """
    The answer to a page load.

    :ivar friends: the users whom the viewer hears.
    :ivar cursor: the cursor from which to poll on.
    """

    friends: tuple[str, ...]
    page: Page
    cursor: str


class Reply(NamedTuple):
    """
    The result of a poll that need not wait, or the subscription on which it waits.

    :ivar events: ascending by id; empty when there are none yet.
    :ivar cursor: the cursor after them.
    :ivar subscription: the one on which to wait when `events` is empty; None when the poll must not
        wait.
    :ivar more: there are more events, which the next poll brings at once.
    :ivar gap: events were pruned that the viewer has not had, or the cursor is of another database;
        the page must be loaded again.
    """

    events: list[Event]
    cursor: str
    subscription: Subscription | None
    more: bool = False
    gap: bool = False


class Reading:
    """
    Answers viewers from what is pending, from the recent log, or from the database, whichever
    suffices first.
    """

    def __init__(
        self,
        log: RecentLog,
        hub: Hub,
        store: Store,
        friends: Friends,
        turn: Callable[[], Awaitable[None]],
    ) -> None:
        """:param turn: the next turn of the reactor."""
        self._turn = turn
        self._log = log
        self._hub = hub
        self._store = store
        self._friends = friends

    async def friends_of(self, viewer: str) -> tuple[str, ...]:
        """
        The users whom `viewer` hears, sorted. A list from the cache is corrected by the friend
        changes in the recent log.
        """
        return self._corrected(viewer, await self._friends.of(viewer))

    def _corrected(self, viewer: str, friends: tuple[str, ...]) -> tuple[str, ...]:
        changes = self._log.friend_changes(viewer)
        wrong = {
            friend
            for friend, change in changes.items()
            if friend != viewer and is_among(friends, friend) != (change.kind == "friend")
        }
        if not wrong:  # nearly always, and the same list is no work for the hub
            return friends
        corrected = [friend for friend in friends if friend not in wrong]
        corrected += wrong.difference(friends)
        return tuple(sorted(corrected))

    async def page(self, viewer: str, before: int | None, limit: int) -> FirstPage:
        """
        The newest posts that `viewer` may see, and a cursor of the same snapshot.

        What is settled is read before the page: an event that appears in between is among the ids
        of the snapshot, or the next poll brings it. A friend change among these ids counts as seen,
        so the page must be that of the friends after it; otherwise the page is read again.
        """
        self._check_open()
        horizon = self._log.horizon
        friends = await self.friends_of(viewer)
        for _ in range(_TRIES):
            page = await self._store.page(
                (viewer, *friends), before, limit, horizon.settled, horizon.holes, viewer
            )
            await self._learn(page.ids, viewer)
            read, friends = friends, self._corrected(viewer, friends)
            if friends == read:
                return FirstPage(friends, page, _text(*advance(horizon, (), horizon, page.ids)))
        raise Unavailable("hub", "the friends keep changing")

    def hot(self, viewer: str, cursor: str) -> Reply | None:
        """
        The answer to a poll whose subscription is here and has issued exactly `cursor`; None for
        any other poll, which is cold.
        """
        subscription = self._hub.find(cursor.rpartition("~")[2], viewer, cursor)
        if subscription is None:
            return None
        self._hub.end(subscription)
        if not subscription.pending:
            return Reply([], cursor, subscription)
        self._hub.leave(subscription)  # it is polled, though it never parks
        return self._taken(subscription)

    async def cold(self, viewer: str, text: str | None) -> Reply:
        """
        The answer to any poll: subscribe first, then read what came after the cursor, then merge.
        In this order nothing that comes in between is lost.

        :param text: the cursor, None to start now.
        :raises feedd.core.cursor.BadCursor: when `text` is not a cursor.
        :raises Unavailable: when memory cannot answer and the database is away, when there are too
            many subscriptions, or when this one has been ended meanwhile.
        """
        cursor = parse_cursor(text) if text is not None else None
        self._check_open()
        for _ in range(_TRIES):
            try:
                subscription = self._hub.open(viewer)
            except HubFull:
                raise Unavailable("hub", "too many subscriptions") from None
            try:
                reply = await self._catch_up(subscription, cursor)
            except BaseException:
                self._hub.close(subscription)
                raise
            if reply.more:
                return reply
            if not subscription.open:  # what came since it ended is not pending on it
                raise Unavailable("hub", "the subscription has ended")
            if not subscription.overflowed:
                return reply
            self._hub.close(subscription)
        raise Unavailable("hub", "more came in than could be held")

    async def _catch_up(self, subscription: Subscription, cursor: Cursor | None) -> Reply:
        viewer, horizon = subscription.viewer, self._log.horizon
        if cursor is not None and cursor.epoch == horizon.epoch:
            await self._learn(cursor.ids, viewer)
            await self._learn_changes(viewer, cursor)
        authors = authors_of(viewer, await self._hear(viewer))
        if cursor is None:
            return self._begin_now(subscription, authors, horizon)
        if cursor.epoch != self._log.horizon.epoch:
            return self._gap(subscription, authors, horizon)
        position = Position(cursor.settled, cursor.ids, holes=cursor.holes)
        missed = self._in_memory(position, authors)
        is_whole = True
        if missed is None:
            history = await self._store.events_after(
                cursor.settled, authors, MAX_MISSED, cursor.holes, cursor.ids, viewer
            )
            if not history.pruned <= cursor.settled <= history.highest:
                return self._gap(subscription, authors, horizon)
            missed, is_whole = history.events, not history.more
        count = fitting((len(event.json) for event in missed[:MAX_MISSED]), ANSWER_BYTES)
        if count < len(missed) or not is_whole:
            return self._some(subscription, cursor, missed[:count], horizon)
        subscription.start(position, self._heard(viewer, missed))
        return self._taken(subscription)

    async def _hear(self, viewer: str) -> tuple[str, ...]:
        """Let `viewer` hear their friends, which takes some turns for a long list; returns them."""
        friends = await self.friends_of(viewer)
        self._hub.set_friends(viewer, friends, self._log.friend_changes(viewer))
        while not self._hub.has_friends(viewer):
            await self._turn()
            friends = self._corrected(viewer, friends)
        return friends

    def _in_memory(self, position: Position, authors: Collection[str]) -> list[Event] | None:
        """The events that a viewer at `position` lacks; None when memory does not hold them all."""
        if position.settled > self._log.highest:
            return None
        return self._log.after(position, authors)

    async def _learn(self, ids: Sequence[int], viewer: str) -> None:
        """
        Read the events that the viewer has and this process has not. An unfriend may be among them,
        after which nothing more may come from that friend.
        """
        async for events, _ in read_rows(self._store, self._log.unknown(ids), viewer):
            for event in events:
                self._log.offer(event)

    async def _learn_changes(self, viewer: str, cursor: Cursor) -> None:
        """
        Do the same for what the cursor does not name, as it is settled where the viewer comes from:
        all that they did themselves, which their friend changes are a part of.

        :raises Unavailable: when the database is away, or that is very much: the net has to come by
            first.
        """
        lacking = self._log.settling.lacks(cursor.settled, cursor.holes)
        for _ in range(_TRIES):
            if not lacking:
                return
            history = await self._store.events_after(
                cursor.settled, (viewer,), MAX_MISSED, lacking, (), viewer
            )
            for event in history.events:
                self._log.offer(event)
            if not history.more:
                return
            lacking = lacking.both(above(history.events[-1].id))
        raise Unavailable("hub", "the log is behind")

    def _heard(self, viewer: str, events: Sequence[Event]) -> list[Event]:
        """
        Those of `events` that `viewer` may see after the friend changes and deletions among them,
        and after those that came in while they were read.
        """
        for event in events:
            self._log.offer(event)
        return [
            self._log.shown(event)
            for event in events
            if event.kind != LOGOUT and self._hub.hears(viewer, event.author)
        ]

    def take(self, subscription: Subscription) -> list[Event]:
        """
        The pending events, none of an overflowed subscription; the cursor after them is then
        `Subscription.issued`.
        """
        if subscription.overflowed:
            return []
        return self._hub.take(subscription, self._log.horizon)

    def _taken(self, subscription: Subscription) -> Reply:
        return Reply(self.take(subscription), subscription.issued, subscription)

    def _begin_now(
        self, subscription: Subscription, authors: Collection[str], horizon: Horizon
    ) -> Reply:
        """
        Count as seen all that is known here, except what came in since the subscription was opened.

        :param horizon: how far the log was settled then.
        """
        opened = Position(horizon.settled, holes=horizon.holes)
        known = self._log.after(opened, authors) or []
        subscription.start_now(horizon, [event.id for event in known])
        return self._taken(subscription)

    def _gap(self, subscription: Subscription, authors: Collection[str], horizon: Horizon) -> Reply:
        return self._begin_now(subscription, authors, horizon)._replace(gap=True)

    def _some(
        self,
        subscription: Subscription,
        cursor: Cursor,
        history: Sequence[Event],
        horizon: Horizon,
    ) -> Reply:
        """
        A part of a long history. Its cursor names no subscription, and goes no further than the
        part.

        :param history: at least one event.
        :param horizon: how far the log was settled before the history was read; what settled since
            may not be in it.
        """
        events = self._heard(subscription.viewer, history)
        self._hub.close(subscription)
        stands = Horizon(cursor.epoch, cursor.settled, cursor.holes)
        told = [event.id for event in history]
        stands, ids = advance(stands, cursor.ids, horizon.below(told[-1]), told)
        return Reply(events, _text(stands, ids), None, more=True)

    def _check_open(self) -> None:
        if not self._log.horizon.epoch:
            raise Unavailable("database", "not reached yet")


def _text(stands: Horizon, ids: tuple[int, ...]) -> str:
    """The cursor of a viewer who stands there, without a handle."""
    return Cursor(stands.epoch, stands.settled, ids, holes=stands.holes).text()
