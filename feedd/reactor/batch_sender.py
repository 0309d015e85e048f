"""
The answers of a fan-out, worked out a hundred at a time, then sent one after the other.

A system call drives what Python is doing out of the processor's caches. Called between two answers
it makes each of them dear; called in a loop that does nothing else it does not. This module knows
bytes and who sends them. It does not know what they say.
"""

from collections.abc import Callable
from typing import Protocol

from twisted.logger import Logger

_log = Logger()

AT_ONCE = 100
"""
Enough for the caches; and the first clients need not wait until the last answers have been worked
out.
"""


class Sender(Protocol):
    """A connection."""

    def send_now(self, data: bytes) -> None:
        """Send at once."""


class Outbox:
    """
    Keeps what is sent from `open` to `close`.

    :ivar is_open: whether `keep` may be called.
    """

    __slots__ = ("_kept", "is_open")

    def __init__(self) -> None:
        self.is_open = False
        self._kept: list[tuple[Sender, bytes]] = []

    def open(self) -> None:
        """Keep, from now on."""
        self.is_open = True

    def keep(self, sender: Sender, data: bytes) -> None:
        """
        Let `sender` send this soon: when there are `AT_ONCE` of them, or the outbox is closed.
        """
        self._kept.append((sender, data))
        if len(self._kept) == AT_ONCE:
            self._send()

    def close(self) -> None:
        """Send what was kept, and keep no more; never raises."""
        self.is_open = False
        self._send()

    def during(self, answer: Callable[[], bool]) -> bool:
        """Keep while `answer` runs, then send; returns its result."""
        self.open()
        try:
            return answer()
        finally:
            self.close()

    def _send(self) -> None:
        kept, self._kept = self._kept, []
        for sender, data in kept:
            try:
                sender.send_now(data)
            except Exception:
                _log.failure("an answer was not sent")
