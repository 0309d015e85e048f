"""
The bell of a single process: what it publishes is delivered to itself.
"""

from collections.abc import Callable, Sequence

from feedd.core.event import Event


class LocalBroker:
    """
    `feedd.feed.ports.Broker` without a broker.

    What a process publishes it has already offered to its own log, so what comes back is a repeat,
    and the log drops it by id.
    """

    up = True
    trouble = ""

    def __init__(self, deliver: Callable[[Event], object]) -> None:
        self._deliver = deliver
        self._followed: set[str] = set()

    def seal_with(self, epoch: str, key: bytes) -> None:
        """Nobody else can publish here."""

    def follow(self, author: str) -> None:
        """Deliver the events of `author` from now on."""
        self._followed.add(author)

    def unfollow(self, author: str) -> None:
        """Deliver the events of `author` no more."""
        self._followed.discard(author)

    def missed(self, author: str) -> None:
        """Nothing can have been missed between a process and itself."""

    def publish(self, events: Sequence[Event]) -> None:
        """Deliver the events of authors who are followed, at once and in order."""
        for event in events:
            if event.author in self._followed:
                self._deliver(event)
