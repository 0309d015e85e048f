"""
Logouts: since when the tokens of a user count for nothing.
"""

from collections import OrderedDict

from feedd.core.counters import Counters

MOST = 100_000
"""Users whose last logout is remembered: 15 MiB."""


class Revocations:
    """
    The last logout of each user, of the newest `most`. Times are integers, of any clock.

    Over that the oldest is forgotten, which is counted (``auth_logouts_dropped``), and counts for
    everybody from then on: a token from before it is refused, whoever's it is. That is more than
    was asked for, and never less.
    """

    def __init__(self, counters: Counters, most: int = MOST) -> None:
        self._counters = counters
        self._most = most
        self._logouts: OrderedDict[str, int] = OrderedDict()
        self._floor = 0

    def note(self, user: str, at: int) -> None:
        """Take note that `user` was logged out then; an older one than the last has no effect."""
        if at <= self._logouts.get(user, 0):
            return
        self._logouts[user] = at
        self._logouts.move_to_end(user)
        if len(self._logouts) > self._most:
            self._floor = max(self._floor, self._logouts.popitem(last=False)[1])
            self._counters.add("auth_logouts_dropped")

    def refuses(self, user: str, issued: int) -> bool:
        """Whether `user` was logged out after a token was issued."""
        return issued < max(self._logouts.get(user, 0), self._floor)
