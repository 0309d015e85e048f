"""The surroundings of a feed in memory: a test says when the next turn comes."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from twisted.internet.defer import Deferred

from feedd.core.delivery import Delivery
from feedd.reactor.deadlines import Deadlines


class MemoryTurns:
    """
    The surroundings of a feed without a reactor: a test says when the next turn comes.

    :ivar now: the time,
    :ivar today: and the time of day.
    :ivar deadlines: a wheel that nobody turns.
    :ivar errors: what the listeners raised.
    :ivar failures: the counters of what has failed.
    :ivar hastened: how often the net was to come by soon.
    :ivar went_back: how often an id was given out a second time.
    """

    answers_a_turn = answers_at_once = 1_000_000
    work_a_turn = 2_000

    def __init__(self) -> None:
        self.now = 0.0
        self.today = 0.0
        self.deadlines = Deadlines(0.0)
        self.errors: list[Exception] = []
        self.failures: list[str] = []
        self.hastened = 0
        self.went_back = 0
        self._next: list[Callable[[], None]] = []

    def seconds(self) -> float:
        return self.now

    def time_of_day(self) -> float:
        return self.today

    def random(self) -> float:
        return 0.5

    def soon(self, call: Callable[[], None]) -> None:
        self._next.append(call)

    def turn(self) -> Deferred[None]:
        comes: Deferred[None] = Deferred()
        self.soon(lambda: comes.callback(None))
        return comes

    def failed(self, counter: str, what: str) -> None:
        self.failures.append(counter)

    @property
    def asked(self) -> int:
        """The number of turns that were asked for and not taken yet."""
        return len(self._next)

    def take(self) -> None:
        """Take the next turn, if one was asked for."""
        if self._next:
            self._next.pop(0)()

    def take_all(self) -> None:
        """Take the turns that were asked for, and those that they ask for."""
        while self._next:
            self.take()

    def hasten(self) -> None:
        self.hastened += 1

    def ids_went_back(self) -> None:
        self.went_back += 1

    def start(self, coroutine: Coroutine[Any, Any, None], complaint: str) -> None:
        Deferred.fromCoroutine(coroutine)

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        self.errors += deliver(deliveries)


def deliver(deliveries: Sequence[Delivery]) -> list[Exception]:
    """
    Answer listeners that are callables, which take the events and the cursor after them. Returns
    what they raised.
    """
    errors = []
    for events, text, listeners in deliveries:
        for listener, handle in listeners:
            try:
                listener(events, f"{text}~{handle}")
            except Exception as error:
                errors.append(error)
    return errors
