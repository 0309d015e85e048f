"""
The heartbeat of a connection: it notices a peer that has gone silent, and tells it that we live.

One timer, twice an interval, looks at two flags that reading and writing set; traffic itself never
touches a timer. Source: AMQP 0-9-1 section 4.2.7.
"""

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

SILENT_TICKS = 4
"""
Half intervals of silence after which the peer is given up: two intervals, as the specification has
it.
"""


class Heartbeat:
    """
    Calls `send` when nothing was written for a while, and `lost` once nothing was heard for two
    intervals.
    """

    def __init__(
        self, clock: IReactorTime, send: Callable[[], None], lost: Callable[[], None]
    ) -> None:
        self.heard = True
        self.wrote = True
        self._send = send
        self._lost = lost
        self._silent = 0
        self._loop = LoopingCall(self._tick)
        self._loop.clock = clock

    def start(self, interval_seconds: int) -> None:
        """Begin; 0 means that both sides want none."""
        if interval_seconds and not self._loop.running:
            self._loop.start(interval_seconds / 2, now=False).addErrback(
                lambda failure: self._lost()
            )

    def stop(self) -> None:
        """End; may be called again."""
        if self._loop.running:
            self._loop.stop()

    def _tick(self) -> None:
        self._silent = 0 if self.heard else self._silent + 1
        self.heard = False
        if self._silent >= SILENT_TICKS:
            self.stop()
            self._lost()
            return
        if not self.wrote:
            self._send()
        self.wrote = False


def negotiate(ours: int, theirs: int) -> int:
    """
    The limit both can live with, where 0 means none of one's own: of AMQP's frame-max, channel-max
    and heartbeat.
    """
    return min(ours, theirs) if ours and theirs else ours or theirs
