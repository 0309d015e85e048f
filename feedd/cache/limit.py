"""
A time limit that a busy reactor does not make shorter.

This module knows one answer and a clock. It does not know who is late.
"""

from typing import Any, TypeVar

from twisted.internet.defer import Deferred, TimeoutError
from twisted.python.failure import Failure

T = TypeVar("T")


class _Limit:
    def __init__(self, answer: Deferred[Any], seconds: float, clock: Any) -> None:
        self._answer = answer
        self._seconds = seconds
        self._clock = clock
        self._over = False
        self._call = clock.callLater(seconds, self._wait_a_turn)

    def end(self, result: Any) -> Any:
        """The result, or that it is too late, whatever the cancelled answer has made of it."""
        if self._call.active():
            self._call.cancel()
        return Failure(TimeoutError(self._seconds, "Deferred")) if self._over else result

    def _wait_a_turn(self) -> None:
        self._call = self._clock.callLater(0, self._end)

    def _end(self) -> None:
        self._over = True
        self._answer.cancel()


def limited(answer: Deferred[T], seconds: float, clock: Any) -> Deferred[T]:
    """
    `answer`, or `twisted.internet.defer.TimeoutError` after `seconds` and one more turn of the reactor.

    When many clients come at once a turn can take longer than the limit. What had been answered by then is read at the end of
    that turn, but timers are looked at first: without the second look, a crowd would pass for a server that hangs.

    :param clock: an `IReactorTime`.
    """
    return answer.addBoth(_Limit(answer, seconds, clock).end)
