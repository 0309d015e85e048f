"""Bounds in bytes of what is answered and kept."""

from collections.abc import Iterable

ANSWER_BYTES = 1_048_576
"""Where an answer ends, in bytes of its events or posts as JSON; a single one may be longer."""

PENDING_BYTES = 262_144
"""
The bytes that are pending on one subscription, likewise. With more it overflows: the recent log has
the events too, and bounds what all subscriptions keep of them.
"""

RECENT_BYTES = 16_777_216
"""The bytes that the recent log keeps, likewise: the default of ``poll.recent_bytes``."""


def fitting(sizes: Iterable[int], most: int) -> int:
    """How many of the first of these sizes make `most` together at most; one, if there is one."""
    count = total = 0
    for size in sizes:
        total += size
        if count and total > most:
            break
        count += 1
    return count
