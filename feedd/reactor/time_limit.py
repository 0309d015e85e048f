"""
A time limit that a busy reactor does not make shorter.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, TimeoutError
from twisted.python.failure import Failure

T = TypeVar("T")


class _Limit:
    def __init__(
        self, answer: Deferred[Any], seconds: float, clock: Any, heard: Callable[[], int]
    ) -> None:
        self._answer = answer
        self._seconds = seconds
        self._clock = clock
        self._heard = heard
        self._before = -1
        self._over = False
        self._call = clock.callLater(seconds, self._due)

    def end(self, result: Any) -> Any:
        """The result, or that it is too late, whatever the cancelled answer has made of it."""
        if self._call.active():
            self._call.cancel()
        return Failure(TimeoutError(self._seconds, "Deferred")) if self._over else result

    def _due(self) -> None:
        """The time is over: from now on every turn has to bring something."""
        before, self._before = self._before, self._heard()
        if before != self._before:
            self._call = self._clock.callLater(0, self._due)
        else:
            self._over = True
            self._answer.cancel()


def limited(
    answer: Deferred[T], seconds: float, clock: Any, heard: Callable[[], int]
) -> Deferred[T]:
    """
    `answer`, or `twisted.internet.defer.TimeoutError` after `seconds` and a turn of the reactor
    that brings nothing.

    When many clients come at once, a turn may take longer than the limit, and reads no more of a
    connection than its buffer holds. So the answer may be there, and not be read yet; without a
    second look a crowd would pass for a server that hangs.

    :param clock: an `IReactorTime`.
    :param heard: how often something has come from the server.
    """
    return answer.addBoth(_Limit(answer, seconds, clock, heard).end)
