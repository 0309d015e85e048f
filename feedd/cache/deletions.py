"""
Which keys must be deleted before they may be read again.

This module knows keys and who waits for them. It does not know connections or time.
"""

from collections import deque
from collections.abc import Collection, Sequence
from itertools import islice

from twisted.internet.defer import Deferred

Batch = Sequence[tuple[bytes, int]]


class Deletions:
    """
    The keys of one server whose deletion it has not confirmed yet, the oldest wish first, `limit`
    at most.

    Every wish has a number, so that the answer to an earlier deletion of a key does not settle a
    later one.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._wishes = 0
        self._keys: dict[bytes, int] = {}
        self._waiting: deque[tuple[int, Deferred[None]]] = deque()

    def __contains__(self, key: bytes) -> bool:
        return key in self._keys

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, keys: Collection[bytes]) -> int:
        """These must be deleted from now on; returns for how many there was no room."""
        self._wishes += 1
        refused = 0
        for key in keys:
            self._keys.pop(key, None)
            if len(self._keys) >= self._limit:
                refused += 1
            else:
                self._keys[key] = self._wishes
        return refused

    def batch(self, size: int) -> Batch:
        """The oldest wishes, `size` at most; they stay until `done`."""
        return list(islice(self._keys.items(), size))

    def done(self, batch: Batch) -> None:
        """The server has confirmed `batch`; who waited for that goes on."""
        for key, wish in batch:
            if self._keys.get(key) == wish:
                del self._keys[key]
        oldest = next(iter(self._keys.values()), self._wishes + 1)
        while self._waiting and self._waiting[0][0] < oldest:
            self._waiting.popleft()[1].callback(None)

    def when_done(self) -> Deferred[None]:
        """Fires when all wishes up to now are done, or at `release`."""
        waiter: Deferred[None] = Deferred()
        self._waiting.append((self._wishes, waiter))
        return waiter

    def release(self) -> None:
        """Nobody shall wait any longer; the keys stay."""
        waiting, self._waiting = self._waiting, deque()
        for _, waiter in waiting:
            waiter.callback(None)
