"""
The delay of the bench's own reactor, for which no server can be blamed: the machine is too busy
then.
"""

from typing import Any

from twisted.internet.task import LoopingCall

STEP_SECONDS = 0.05
NOTED_SECONDS = 0.05


class Lag:
    """
    Looks at the clock again and again.

    :ivar seen: when it was late, and by how many seconds.
    """

    def __init__(self, reactor: Any) -> None:
        self.seen: list[tuple[float, float]] = []
        self._reactor = reactor
        self._last = 0.0
        self._loop = LoopingCall(self._look)
        self._loop.clock = reactor

    def start(self) -> None:
        """Begin to look."""
        self._last = self._reactor.seconds()
        self._loop.start(STEP_SECONDS, now=False).addErrback(lambda failure: None)

    def stop(self) -> None:
        """Look no longer."""
        self._loop.stop()

    def _look(self) -> None:
        now = self._reactor.seconds()
        lag = now - self._last - STEP_SECONDS
        if lag > NOTED_SECONDS:
            self.seen.append((now, lag))
        self._last = now
