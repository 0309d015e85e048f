"""Reads rows of the log by their ids, so that a piece has a bounded number of rows and bytes."""

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from feedd.core.event import Event
from feedd.feed.ports import Store

AT_ONCE = 250
"""Rows of one piece at most."""


class Piece(NamedTuple):
    """
    A part of the rows.

    :ivar events: ascending by id.
    :ivar gone: the ids of rows that are not there, or hold no event.
    """

    events: list[Event]
    gone: list[int]


async def read_rows(
    store: Store, ids: Sequence[int], viewer: str | None = None
) -> AsyncIterator[Piece]:
    """
    Read the rows of `ids`, which ascend, a piece at a time.

    :param viewer: the one for whom they are read; None for feedd itself.
    :raises feedd.feed.ports.Unavailable: when the database is away.
    """
    while ids:
        some, later = ids[:AT_ONCE], ids[AT_ONCE:]
        batch = await store.events_by_id(some, viewer)
        read = some[: len(some) - len(batch.rest)]
        found = {event.id for event in batch.events}
        yield Piece(batch.events, [id for id in read if id not in found])
        ids = [*batch.rest, *later]
