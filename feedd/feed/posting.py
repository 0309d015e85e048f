"""
The order of the post path: commit, then tell.

This module knows that the log comes first. It does not know HTTP, SQL or AMQP.
"""

from collections.abc import Sequence

from feedd.core.event import Event
from feedd.core.recent import RecentLog
from feedd.feed.ports import Broker, Friendship, Store, Stored


class Posting:
    """
    Writes to the log and rings the bell for what it wrote.

    When a method raises, nothing is told; what was committed all the same, the net finds.
    """

    def __init__(self, store: Store, log: RecentLog, broker: Broker) -> None:
        self._store = store
        self._log = log
        self._broker = broker

    async def post(self, author: str, body: bytes, key: str | None) -> Stored:
        """
        Publish a post; one that repeats an Idempotency-Key is answered with the first result and
        not told again.
        """
        stored = await self._store.add_post(author, body, key)
        if stored.fresh:
            self._tell([stored.event])
        return stored

    async def edit(self, author: str, post: int, body: bytes) -> Event:
        """Publish a new body of the author's own post."""
        event = await self._store.edit_post(author, post, body)
        self._tell([event])
        return event

    async def delete(self, author: str, post: int) -> Event:
        """Take back the author's own post."""
        event = await self._store.delete_post(author, post)
        self._tell([event])
        return event

    async def change_friends(
        self, add: Sequence[Friendship], remove: Sequence[Friendship]
    ) -> list[Event]:
        """
        Begin and end friendships; returns what really changed. Cached lists are forgotten where the
        events arrive.
        """
        events = await self._store.change_friends(add, remove)
        self._tell(events)
        return events

    def _tell(self, events: Sequence[Event]) -> None:
        for event in events:
            self._log.offer(event)
        self._broker.publish(events)
