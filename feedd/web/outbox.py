"""
The answers of a fan-out, kept until all have been worked out, then sent one after the other.

A system call drives what Python is doing out of the processor's caches. Called between two answers it makes each of them dear;
called in a loop that does nothing else it does not. This module knows bytes and who sends them. It does not know what they say.
"""

from typing import Protocol


class Sender(Protocol):
    """A connection."""

    def send_now(self, data: bytes) -> None:
        """Send at once; never raises."""


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
        """Let `sender` send this when the outbox is closed."""
        self._kept.append((sender, data))

    def close(self) -> None:
        """Send what was kept, and keep no more."""
        self.is_open = False
        kept, self._kept = self._kept, []
        for sender, data in kept:
            sender.send_now(data)
