"""
Answers questions in batches: those that come in one turn of the reactor are answered together.

Each caller has one question and waits for one answer; the batch does not show.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

Q = TypeVar("Q")
A = TypeVar("A")

PATIENCE_SECONDS = 1.0
"""A batch that takes longer to fail has run into a part that hangs."""


class Bounds(NamedTuple):
    """
    The bounds of what is asked.

    :ivar size: questions in a batch.
    :ivar at_once: batches under way.
    :ivar waiting: questions that wait for a batch to begin.
    """

    size: int
    at_once: int
    waiting: int


class Batches(Generic[Q, A]):
    """
    Answers together what is asked in one turn of the reactor, or while as many batches are under
    way as may be.

    A batch that fails, fails the questions in it. If that took longer than `PATIENCE_SECONDS`, it
    fails the questions that wait behind it too: a part that hangs costs everybody its time limit
    once, wherever they stand.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[Q]], Awaitable[Sequence[A]]],
        full: Callable[[], A],
        clock: Any,
        bounds: Bounds,
    ) -> None:
        """
        :param answer: called with the questions of a batch, returns their answers in the same
            order.
        :param full: called for a question that finds no room to wait: it answers instead, or
            raises.
        :param clock: an `IReactorTime`.
        """
        self._answer = answer
        self._full = full
        self._clock = clock
        self._bounds = bounds
        self._waiting: deque[tuple[Q, Deferred[A]]] = deque()
        self._under_way = 0
        self._arranged = False

    def __len__(self) -> int:
        """How many questions wait for a batch to begin."""
        return len(self._waiting)

    def ask(self, question: Q) -> Deferred[A]:
        """Fires with the answer. Cancelling it leaves the batch, and the others in it, alone."""
        if len(self._waiting) >= self._bounds.waiting:
            return maybeDeferred(self._full)
        waiter: Deferred[A] = Deferred()  # once cancelled, it ignores the answer
        self._waiting.append((question, waiter))
        self._arrange()
        return waiter

    def _arrange(self) -> None:
        """Let a batch begin in the next turn, if questions wait and another batch is allowed."""
        if self._waiting and not self._arranged and self._under_way < self._bounds.at_once:
            self._arranged = True
            self._clock.callLater(0, self._begin)

    def _begin(self) -> None:
        self._arranged = False
        while self._waiting and self._under_way < self._bounds.at_once:
            count = min(len(self._waiting), self._bounds.size)
            batch = [self._waiting.popleft() for _ in range(count)]
            self._under_way += 1
            Deferred.fromCoroutine(self._run(batch))

    async def _run(self, batch: list[tuple[Q, Deferred[A]]]) -> None:
        began = self._clock.seconds()
        answers: Sequence[A | Failure]
        try:
            answers = await self._answer([question for question, _ in batch])
        except Exception:
            if self._clock.seconds() - began > PATIENCE_SECONDS:
                batch += self._waiting
                self._waiting.clear()
            answers = [Failure()] * len(batch)
        self._under_way -= 1
        self._arrange()
        for (_, waiter), answer in zip(batch, answers, strict=True):
            waiter.callback(answer)  # a Failure starts the errbacks
