"""
The keys that must be deleted before they may be read again.
"""

from collections import deque
from collections.abc import Collection, Sequence
from itertools import islice

from twisted.internet.defer import Deferred

Batch = Sequence[tuple[bytes, int]]


class Deletions:
    """
    The keys of one server whose deletion it has not confirmed yet, the oldest request first,
    `limit` at most.

    Every request has a number, so that the answer to an earlier deletion of a key does not settle a
    later one.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._requests = 0
        self._keys: dict[bytes, int] = {}
        self._waiting: deque[tuple[int, Deferred[None]]] = deque()

    def __contains__(self, key: bytes) -> bool:
        return key in self._keys

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, keys: Collection[bytes]) -> int:
        """Keep `keys` until they are deleted; returns for how many there was no room."""
        self._requests += 1
        refused = 0
        for key in keys:
            self._keys.pop(key, None)
            if len(self._keys) >= self._limit:
                refused += 1
            else:
                self._keys[key] = self._requests
        return refused

    def batch(self, size: int) -> Batch:
        """The oldest requests, `size` at most; they stay until `done`."""
        return list(islice(self._keys.items(), size))

    def done(self, batch: Batch) -> None:
        """Forget `batch`, which the server has confirmed; those who waited for it go on."""
        for key, request in batch:
            if self._keys.get(key) == request:
                del self._keys[key]
        oldest = next(iter(self._keys.values()), self._requests + 1)
        while self._waiting and self._waiting[0][0] < oldest:
            self._waiting.popleft()[1].callback(None)

    def when_done(self) -> Deferred[None]:
        """Fires when all requests up to now are done, or at `release`."""
        waiter: Deferred[None] = Deferred()
        self._waiting.append((self._requests, waiter))
        return waiter

    def release(self) -> None:
        """Let all go on who wait; the keys stay."""
        waiting, self._waiting = self._waiting, deque()
        for _, waiter in waiting:
            waiter.callback(None)
