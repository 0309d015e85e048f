"""
Time as the database lives it.

``settle_seconds`` bounds how long a transaction stays open. A database that hangs (stopped, failing
over, waiting for its disk) holds every open transaction for as long, and none of them is to blame;
so the clock that the bound is counted on stands still with it. This module knows seconds. It does
not know what is read.
"""


class AnsweredTime:
    """
    A clock that goes while the database answers: from one answer to the next it goes on by
    `most_seconds` at most.

    :param now: seconds of the clock that `read` is called with.
    """

    def __init__(self, now: float, most_seconds: float) -> None:
        self._most_seconds = most_seconds
        self._answered_at = now
        self._seconds = now

    def read(self, started: float, ended: float) -> tuple[float, float]:
        """
        When a read that `ended` after all earlier ones began and ended, on this clock; when in
        doubt, it began earlier.
        """
        before = self._seconds
        self._seconds += min(ended - self._answered_at, self._most_seconds)
        self._answered_at = ended
        return max(before, self._seconds - (ended - started)), self._seconds
