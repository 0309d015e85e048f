"""
Complaints: what was thrown away or failed is always counted, and logged once a minute.
"""

from collections.abc import Callable
from typing import Protocol

from twisted.logger import Logger

from feedd.core.counters import Counters

QUIET_SECONDS = 60.0
MAX_TEXT = 200


class Complain(Protocol):
    """Takes a complaint."""

    def __call__(self, counter: str, why: str, amount: int = 1) -> None:
        """
        Count `amount` more of `counter`, and log the reason from time to time.

        :param counter: a name out of a fixed set.
        :param why: may hold text of strangers, never a secret.
        """


class Complaints:
    """
    A `Complain` that logs the first complaint of each minute under each counter.

    A peer that sends nothing but garbage would otherwise fill the log.
    """

    _log = Logger()

    def __init__(self, counters: Counters, seconds: Callable[[], float]) -> None:
        """:param seconds: a clock that only moves forward."""
        self._counters = counters
        self._seconds = seconds
        self._logged: dict[str, float] = {}

    def __call__(self, counter: str, why: str, amount: int = 1) -> None:
        """Count always; log the first `MAX_TEXT` characters of `why` once a minute."""
        self._counters.add(counter, amount)
        if self._is_due(counter):
            self._log.warn("{counter}: {why}", counter=counter, why=why[:MAX_TEXT], amount=amount)

    def failed(self, counter: str, what: str) -> None:
        """Count the exception that is being handled; log it once a minute, with its traceback."""
        self._counters.add(counter)
        if self._is_due(counter):
            self._log.failure("{counter}: {what}", counter=counter, what=what)

    def _is_due(self, counter: str) -> bool:
        now = self._seconds()
        last = self._logged.get(counter)
        if last is not None and now - last < QUIET_SECONDS:
            return False
        self._logged[counter] = now
        return True
