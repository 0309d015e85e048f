"""
When parked polls are over: one wheel for all of them.

This module knows seconds and slots. It does not know what expires.
"""

from typing import Protocol

from twisted.logger import Logger

_log = Logger()


class Expiring(Protocol):
    """Something with a deadline."""

    def expire(self) -> None:
        """The time is over."""


class Deadlines:
    """
    Slots of half a second; adding and removing cost one dictionary each, whatever the number of polls.

    :param now: seconds of the clock that `tick` is called with.
    """

    STEP_SECONDS = 0.5

    def __init__(self, now: float) -> None:
        self._slot = int(now / self.STEP_SECONDS)
        self._slots: dict[int, dict[Expiring, None]] = {}

    def add(self, item: Expiring, seconds: float) -> int:
        """Let `item` expire in `seconds`, rounded up to the next slot; returns the slot, for `remove`."""
        slot = self._slot + 1 + int(seconds / self.STEP_SECONDS)
        items = self._slots.get(slot)
        if items is None:
            items = self._slots[slot] = {}
        items[item] = None
        return slot

    def remove(self, item: Expiring, slot: int) -> None:
        """Forget `item`, which may have expired."""
        items = self._slots.get(slot)
        if items is not None:
            items.pop(item, None)

    def tick(self, now: float) -> None:
        """Expire what is due at `now`; call it every `STEP_SECONDS`."""
        until = int(now / self.STEP_SECONDS)
        while self._slot < until:
            self._slot += 1
            for item in self._slots.pop(self._slot, ()):
                _expire(item)

    def __len__(self) -> int:
        return sum(map(len, self._slots.values()))


def _expire(item: Expiring) -> None:
    """One that fails keeps no other waiting, and does not stop the timer that ticks."""
    try:
        item.expire()
    except Exception:
        _log.failure("a deadline failed")
