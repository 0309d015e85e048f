"""
The post path: first the commit, then the recent log and the bell.
"""

from collections.abc import Awaitable, Callable, Sequence

from feedd.core.event import Event
from feedd.core.horizon import Horizon
from feedd.core.recent import RecentLog
from feedd.feed.ports import Block, Broker, FriendChanges, Friendship, Store, Stored, Unavailable

TOLD_AT_ONCE = 100
"""Events that are told in one turn of the reactor: 3 ms of friend changes."""


class Posting:
    """
    Commits changes to the store, and publishes their events.

    When a method raises, nothing is published. What was committed all the same (the answer of the
    database was lost, say) is found by the net.
    """

    def __init__(
        self,
        store: Store,
        log: RecentLog,
        broker: Broker,
        went_back: Callable[[], None],
        turn: Callable[[], Awaitable[None]],
    ) -> None:
        """
        :param went_back: called when an id has been given out a second time.
        :param turn: the next turn of the reactor.
        """
        self._store = store
        self._went_back = went_back
        self._log = log
        self._broker = broker
        self._turn = turn

    async def post(self, author: str, body: bytes, key: str | None) -> Stored:
        """
        Publish a post. One that repeats an Idempotency-Key gets the first result, and is not
        published again.
        """
        before = self._begin()
        stored = await self._store.add_post(author, body, key)
        if stored.fresh:
            self._publish([stored.event], before)
        return stored

    async def edit(self, author: str, post: int, body: bytes) -> Event:
        """Publish a new body of the author's own post."""
        before = self._begin()
        event = await self._store.edit_post(author, post, body)
        self._publish([event], before)
        return event

    async def delete(self, author: str, post: int) -> Event:
        """Delete the author's own post."""
        before = self._begin()
        event = await self._store.delete_post(author, post)
        self._publish([event], before)
        return event

    async def change_friends(
        self, add: Sequence[Friendship], remove: Sequence[Friendship]
    ) -> FriendChanges:
        """
        Begin and end friendships. The processes in which the events arrive forget the cached friend
        lists.
        """
        before = self._begin()
        changes = await self._store.change_friends(add, remove)
        await self._publish_many(changes.events, before)
        return changes

    async def change_blocks(self, add: Sequence[Block], remove: Sequence[Block]) -> list[Event]:
        """Begin and end blocks; returns the events of the friendships that ended by them."""
        before = self._begin()
        events = await self._store.change_blocks(add, remove)
        await self._publish_many(events, before)
        return events

    async def log_out(self, user: str) -> Event:
        """End what `user` polls with everywhere; what they proved themselves with is refused."""
        before = self._begin()
        event = await self._store.log_out(user)
        self._publish([event], before)
        return event

    async def _publish_many(self, events: Sequence[Event], before: Horizon) -> None:
        for start in range(0, len(events), TOLD_AT_ONCE):
            if start:
                await self._turn()
            self._publish(events[start : start + TOLD_AT_ONCE], before)

    def _begin(self) -> Horizon:
        """
        How far the log is settled now.

        :raises Unavailable: when it is not open: who has been logged out is not known before.
        """
        if not self._log.horizon.epoch:
            raise Unavailable("database", "not reached yet")
        return self._log.horizon

    def _publish(self, events: Sequence[Event], before: Horizon) -> None:
        """
        Tell of what has been committed.

        :param before: how far the log was settled before: its ids had been given out then.
        """
        for event in events:
            self._log.offer(event)
        self._broker.publish(events)
        if before.epoch == self._log.horizon.epoch and any(
            before.has(event.id) for event in events
        ):
            self._went_back()
