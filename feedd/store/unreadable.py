"""Rows that a site has written and nobody can be told of: they are counted, and left out."""

from bisect import bisect_right
from typing import TypeVar

from feedd.core.event import MAX_ID
from feedd.reactor.complaints import Complain

T = TypeVar("T")


class UnreadableRows:
    """Leaves them out of what was read; counts ``store_unreadable`` and ``store_ids_too_large``."""

    def __init__(self, complain: Complain) -> None:
        self._complain = complain
        self._counted = MAX_ID

    def without(self, answer: tuple[T, list[int]]) -> T:
        """Return an answer that came with the ids of its unreadable rows."""
        value, unreadable = answer
        if unreadable:
            why = f"rows that hold no event or post, the first with the id {unreadable[0]}"
            self._complain("store_unreadable", why, len(unreadable))
        return value

    def without_large(self, ids: list[int]) -> list[int]:
        """Return those of `ids`, which ascend, up to `MAX_ID`; each other one is counted once."""
        large = ids[bisect_right(ids, self._counted) :]
        if large:
            self._counted = large[-1]
            why = f"rows of events with ids of 2^53 and more, the first {large[0]}"
            self._complain("store_ids_too_large", why, len(large))
        return ids[: bisect_right(ids, MAX_ID)]
