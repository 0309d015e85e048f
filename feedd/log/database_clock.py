"""
Time as the database lives it.

``settle_seconds`` bounds how long a transaction stays open. A database that hangs (stopped, failing
over, waiting for its disk) holds every open transaction for as long, and none of them is to blame;
so the clock that the bound is counted on stands still with it.
"""


class DatabaseClock:
    """
    A clock that goes while the database answers: from one answer to the next it goes on by
    `most_seconds` at most.

    :param now_seconds: the time now, on the clock that `times_of` is called with.
    """

    def __init__(self, now_seconds: float, most_seconds: float) -> None:
        self._most_seconds = most_seconds
        self._answered_at = now_seconds
        self._seconds = now_seconds

    def times_of(self, started: float, ended: float) -> tuple[float, float]:
        """
        The start and the end, on this clock, of a read that `ended` after all earlier ones, in
        seconds.

        When in doubt it began earlier, so that less is taken for settled.
        """
        before = self._seconds
        self._seconds += min(ended - self._answered_at, self._most_seconds)
        self._answered_at = ended
        return max(before, self._seconds - (ended - started)), self._seconds
