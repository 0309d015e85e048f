"""
Whether the database takes writes, as far as those that were tried have shown.

A server may be there and answer every read, and take no write: it has become a replica, its disk is
full, or a right is missing.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from feedd.feed.ports import Unavailable
from feedd.reactor.complaints import Complain

LOOK_SECONDS = 1.0
QUIET_SECONDS = 5.0
"""How long nothing may have been refused; a full disk takes a write that has no rows."""


class Refusals:
    """
    The writes that were refused, counted as ``store_writes_refused``; then a write that changes
    nothing is tried every `LOOK_SECONDS`, until it is taken again.

    :ivar trouble: the database's own words, "" while it takes writes.
    """

    _log = Logger()

    def __init__(self, clock: Any, complain: Complain, look: Callable[[], Deferred[None]]) -> None:
        """
        :param clock: an `IReactorTime`.
        :param look: tries to write nothing; what is refused then is to be noted too.
        """
        self.trouble = ""
        self._clock = clock
        self._complain = complain
        self._look = look
        self._refused_at = 0.0
        self._timer: Any = None
        self._stopped = False

    def note(self, why: str) -> None:
        """Take note that a write was refused."""
        self.trouble = why
        self._complain("store_writes_refused", why)
        self._refused_at = self._clock.seconds()
        self._schedule()

    def stop(self) -> None:
        """Look no more."""
        self._stopped = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _schedule(self) -> None:
        if self._timer is None and not self._stopped:
            self._timer = self._clock.callLater(LOOK_SECONDS, self._due)

    def _due(self) -> None:
        self._look().addCallbacks(self._taken, self._not_taken).addErrback(
            lambda failure: self._log.failure("the database cannot be looked at", failure=failure)
        )

    def _taken(self, _: None) -> None:
        self._timer = None
        if self._clock.seconds() - self._refused_at < QUIET_SECONDS:
            self._schedule()
        else:
            self.trouble = ""
            self._log.info("the database takes writes again")

    def _not_taken(self, failure: Failure) -> None:
        self._timer = None
        self._schedule()
        failure.trap(Unavailable)
