"""
When parked polls and idle connections are over: one wheel for all of them.

A deadline that is put off, or taken back, is only written down at the item itself; the wheel looks
when it comes by. So the common poll, which is answered long before its deadline and asked again at
once, costs an assignment.
"""

from collections.abc import Iterator
from typing import Protocol

from twisted.logger import Logger

_log = Logger()


class Item(Protocol):
    """
    Something with a deadline.

    :ivar due: the slot of its deadline, 0 for none. To set it to 0 takes the deadline back; the
        wheel may hold the item for a while, and it costs nothing to set it again.
    :ivar slot: the slot of the wheel that holds it, 0 for none; not after `due`, if that is set.
    """

    due: int
    slot: int

    def expire(self) -> None:
        """The time is over."""


class Expiring:
    """An `Item` that has no deadline yet."""

    __slots__ = ("due", "slot")

    def __init__(self) -> None:
        self.due = 0
        self.slot = 0

    def expire(self) -> None:
        """The time is over."""
        raise NotImplementedError


class Deadlines:
    """
    Slots of half a second.

    :param now: seconds of the clock that `tick` is called with.
    """

    STEP_SECONDS = 0.5

    def __init__(self, now: float) -> None:
        self._slot = int(now / self.STEP_SECONDS)
        self._slots: dict[int, dict[Item, None]] = {}

    def set(self, item: Item, seconds: float) -> None:
        """
        Let `item` expire in `seconds`, rounded up to the next slot, and not when it was to before.
        """
        item.due = due = self._slot + 1 + int(seconds / self.STEP_SECONDS)
        if not 0 < item.slot <= due:
            self._hold(item, due)

    def forget(self, item: Item) -> None:
        """Let go of `item` at once: it will not be set again."""
        item.due = 0
        self._let_go(item)

    def tick(self, now: float) -> None:
        """Expire what is due at `now`; call it every `STEP_SECONDS`."""
        until = int(now / self.STEP_SECONDS)
        while self._slot < until:
            self._slot += 1
            for item in self._slots.pop(self._slot, ()):
                self._come_by(item)

    def __iter__(self) -> Iterator[Item]:
        """Each item that has a deadline."""
        return (item for items in self._slots.values() for item in items if item.due)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @property
    def held(self) -> int:
        """The number of items on the wheel, with those whose deadline was taken back."""
        return sum(map(len, self._slots.values()))

    def _come_by(self, item: Item) -> None:
        item.slot = 0
        if item.due > self._slot:
            self._hold(item, item.due)
        elif item.due:
            item.due = 0
            _expire(item)

    def _hold(self, item: Item, slot: int) -> None:
        self._let_go(item)
        item.slot = slot
        self._slots.setdefault(slot, {})[item] = None

    def _let_go(self, item: Item) -> None:
        items = self._slots.get(item.slot)  # while the wheel comes by it holds them no more
        item.slot = 0
        if items is not None:
            items.pop(item, None)


def _expire(item: Item) -> None:
    """One that fails keeps no other waiting, and does not stop the timer that ticks."""
    try:
        item.expire()
    except Exception:
        _log.failure("a deadline failed")
