"""
One load for all who ask for the same key at the same time.
"""

from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


class Flight(Generic[T]):
    """
    A load under way.

    :ivar forgotten: its result may be older than a change: nobody new joins it, and the result must
        not be kept.
    """

    def __init__(self) -> None:
        self.forgotten = False
        self._waiting: list[Deferred[T]] = []

    def board(self) -> Deferred[T]:
        """
        Fires with the result. Cancelling it leaves the load and the others who wait alone.
        """
        waiter: Deferred[T] = Deferred()  # once cancelled, it ignores the result
        self._waiting.append(waiter)
        return waiter

    def land(self, result: T | Failure) -> None:
        """Give `result` to all who wait."""
        for waiter in self._waiting:
            waiter.callback(result)  # a Failure starts the errbacks


class SingleFlight(Generic[T]):
    """
    Loads by key. Those who ask for one key share one load; its error goes to all of them, and is
    not kept.
    """

    def __init__(self) -> None:
        self._flights: dict[Hashable, Flight[T]] = {}

    def __len__(self) -> int:
        """How many loads are under way."""
        return len(self._flights)

    async def join(self, key: Hashable, load: Callable[[Flight[T]], Awaitable[T]]) -> T:
        """The result of the load under way for `key`; when there is none, `load` is started."""
        flight = self._flights.get(key)
        if flight is not None:
            return await flight.board()
        flight = self._flights[key] = Flight()
        waiter = flight.board()
        # A load of its own: an asker who goes away must not take it along.
        Deferred.fromCoroutine(self._fly(key, flight, load))
        return await waiter

    def forget(self, key: Hashable) -> None:
        """Let those who ask for `key` from now on share a load that begins from now on."""
        flight = self._flights.pop(key, None)
        if flight is not None:
            flight.forgotten = True

    async def _fly(
        self, key: Hashable, flight: Flight[T], load: Callable[[Flight[T]], Awaitable[T]]
    ) -> None:
        result: T | Failure
        try:
            result = await load(flight)
        except Exception:
            result = Failure()
        if self._flights.get(key) is flight:
            del self._flights[key]
        flight.land(result)
