"""
The authors that this process follows, and the exchanges that it needs for them.

An author whom nobody hears any more is kept for a while, because a viewer who polls comes back.
"""

from collections import Counter
from itertools import takewhile

from feedd.amqp.exchanges import Exchanges


class FollowedAuthors:
    """
    The authors followed or lingering, and how many of them need each exchange.

    Its size is that of the hub's follower index, which is bounded there.

    :ivar by_name: the author of each exchange, or of each routing key when exchanges are shards;
        `Inbox` reads it for every message.
    """

    def __init__(self, exchanges: Exchanges, linger_seconds: float) -> None:
        self.exchanges = exchanges
        self.by_name: dict[bytes, str] = {}
        self._linger_seconds = linger_seconds
        self._lingering: dict[str, float] = {}
        self._needs: Counter[bytes] = Counter()

    def follow(self, author: str) -> bytes | None:
        """Need `author` now: the exchange that is newly needed for it, or None."""
        self._lingering.pop(author, None)
        name, exchange = self._names(author)
        if name in self.by_name:
            return None
        self.by_name[name] = author
        self._needs[exchange] += 1
        return exchange if self._needs[exchange] == 1 else None

    def unfollow(self, author: str, now: float) -> None:
        """Let `author` linger from `now` on, in seconds of any clock."""
        if self._names(author)[0] in self.by_name:
            self._lingering.setdefault(author, now + self._linger_seconds)

    def next_expiry(self) -> float | None:
        """
        When `expire` has something to do, in the seconds of `unfollow`; None when nobody lingers.
        """
        return next(iter(self._lingering.values()), None)

    def expire(self, now: float) -> list[bytes]:
        """
        Drop the authors that have lingered long enough: the exchanges that are not needed any more.
        """
        unneeded = []
        # All linger equally long, so those that are due stand in front.
        due = list(takewhile(lambda lingering: lingering[1] <= now, self._lingering.items()))
        for author, _ in due:
            del self._lingering[author]
            name, exchange = self._names(author)
            del self.by_name[name]
            self._needs[exchange] -= 1
            if not self._needs[exchange]:
                del self._needs[exchange]
                unneeded.append(exchange)
        return unneeded

    def needs(self, exchange: bytes) -> bool:
        """Whether an author on `exchange` is followed or lingers."""
        return exchange in self._needs

    def needed(self) -> list[bytes]:
        """Every exchange that is needed."""
        return list(self._needs)

    def _names(self, author: str) -> tuple[bytes, bytes]:
        """The key of `author` in `by_name`, and the exchange."""
        exchange = self.exchanges.of(author)
        return (author.encode() if self.exchanges.sharded else exchange), exchange
