"""
Things that were thrown away: every one is counted, one a minute of each sort is logged.

This module knows counters and a log; it does not know AMQP.
"""

from collections.abc import Callable

from twisted.logger import Logger

from feedd.core.counters import Counters

QUIET_SECONDS = 60.0
MAX_TEXT = 200


class Complaints:
    """Counts under the name given, and logs the first of a minute under each name."""

    _log = Logger()

    def __init__(self, counters: Counters, seconds: Callable[[], float]) -> None:
        """`seconds` is a clock that only moves forward."""
        self._counters = counters
        self._seconds = seconds
        self._logged: dict[str, float] = {}

    def __call__(self, counter: str, why: str, amount: int = 1) -> None:
        """
        Count `amount` more of `counter`, a name out of a fixed set; `why` may hold strangers' text,
        never a secret.
        """
        self._counters.add(counter, amount)
        now = self._seconds()
        last = self._logged.get(counter)
        if last is None or now - last >= QUIET_SECONDS:
            self._logged[counter] = now
            self._log.warn("{counter}: {why}", counter=counter, why=why[:MAX_TEXT], amount=amount)
