"""
Work that many have in any number of pieces: a piece of each after the other, in slices of turns.

However many pieces somebody has, the rest of the process waits for one slice at most, and has a
turn of the reactor, if not the whole of the rest that follows, before the next one.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol

from twisted.logger import Logger

SLICE_SECONDS = 0.0005
"""How long pieces are done in one turn; one is done in any case."""

REST_SECONDS = 0.001
"""
What follows a slice that was used up. The reactor sleeps then, if it has nothing else: threads need
Python's lock, which a thread that never sleeps gives away after 5 ms.
"""

_log = Logger()


class Worker(Protocol):
    """One who has pieces."""

    def go_on(self) -> None:
        """Do one piece, and `RoundRobin.add` yourself again if there are more."""

    def fail(self) -> None:
        """`go_on` has raised, which is logged: end."""


class RoundRobin:
    """
    Does the pieces.

    :param clock: an `IReactorTime`.
    :param now: seconds of a clock that only goes forward.
    """

    def __init__(self, clock: Any, now: Callable[[], float]) -> None:
        self._clock = clock
        self._now = now
        self._waiting: OrderedDict[Worker, None] = OrderedDict()
        self._is_arranged = False
        self._rests_until = 0.0

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def add(self, worker: Worker) -> None:
        """Let `worker` do a piece, behind the others; one that waits already keeps its place."""
        self._waiting.setdefault(worker)
        self._arrange()

    def discard(self, worker: Worker) -> None:
        """Forget `worker`, if it waits."""
        self._waiting.pop(worker, None)

    def _arrange(self) -> None:
        if self._waiting and not self._is_arranged:
            self._is_arranged = True
            self._clock.callLater(max(0.0, self._rests_until - self._now()), self._work)

    def _work(self) -> None:
        ends = self._now() + SLICE_SECONDS
        while self._waiting:
            _go_on(self._waiting.popitem(last=False)[0])
            if self._now() >= ends:
                self._rests_until = self._now() + REST_SECONDS
                break
        self._is_arranged = False
        self._arrange()


def _go_on(worker: Worker) -> None:
    """An exception is its worker's, and keeps no other waiting."""
    try:
        worker.go_on()
    except Exception:
        _log.failure("a piece of work failed")
        worker.fail()
