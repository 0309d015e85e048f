"""
A bulkhead: what runs in one part of the ship cannot fill the others.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, TimeoutError

T = TypeVar("T")


LATE_TIMES = 8
"""
How much longer a place rests when its turn of the reactor comes late: a busy process asks less.
With 20 the others waited longer, as strangers who are turned away come back in bursts.
"""

LATE_SECONDS = 0.25
"""The most that is believed of a lateness: the clock may have been set."""


class Full(Exception):
    """There is no room to wait, or the wait has taken too long."""


class Bulkhead:
    """
    Runs so many calls at the same time; others wait, first come, first served.

    :param clock: an `IReactorTime`.
    :param patience_seconds: how long one waits.
    :param rest_seconds: how long the place of a call stays taken when that has ended, which bounds
        the calls a second however fast they end.
    """

    def __init__(
        self, clock: Any, at_once: int, patience_seconds: float, rest_seconds: float = 0.0
    ) -> None:
        self._clock = clock
        self._at_once = at_once
        self._patience_seconds = patience_seconds
        self._rest_seconds = rest_seconds
        self._under_way = 0
        self._waiting: deque[Deferred[None]] = deque()

    async def run(self, call: Callable[[], Awaitable[T]], room: int) -> T:
        """
        The result of `call`, which is called when it is its turn.

        :param room: how many may wait before it.
        :raises Full: when more do, or its turn does not come in time.
        """
        if self._under_way < self._at_once:
            self._under_way += 1
        else:
            await self._wait(room)
        try:
            return await call()
        finally:
            self._rest()

    async def _wait(self, room: int) -> None:
        self._forget_impatient()
        if len(self._waiting) >= room:
            raise Full
        turn: Deferred[None] = Deferred()
        self._waiting.append(turn)
        try:
            await turn.addTimeout(self._patience_seconds, self._clock)
        except TimeoutError:
            raise Full from None

    def _rest(self) -> None:
        if self._waiting or self._rest_seconds:
            # In a turn of its own: calls that fail at once would go deeper than Python's stack.
            due = self._clock.seconds() + self._rest_seconds
            self._clock.callLater(self._rest_seconds, self._rested, due)
        else:
            self._under_way -= 1

    def _rested(self, due: float) -> None:
        """Rest longer, by some times of what the turn comes late: the process is busy."""
        late = min(max(0.0, self._clock.seconds() - due), LATE_SECONDS)
        if self._rest_seconds and late:
            self._clock.callLater(late * LATE_TIMES, self._hand_over)
        else:
            self._hand_over()

    def _hand_over(self) -> None:
        """The place of one that has ended is the next one's."""
        self._forget_impatient()
        if self._waiting:
            self._waiting.popleft().callback(None)
        else:
            self._under_way -= 1

    def _forget_impatient(self) -> None:
        """All have the same patience, so they stand in front."""
        while self._waiting and self._waiting[0].called:
            self._waiting.popleft()
