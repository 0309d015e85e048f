"""
One load for many askers.

This module knows askers and loads. It does not know caches, time or what is loaded.
"""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


class Flight(Generic[T]):
    """
    One load under way.

    :ivar forgotten: what it brings may be older than a change: nobody new may join it, and it must
        not be kept.
    """

    def __init__(self) -> None:
        self.forgotten = False
        self._waiting: list[Deferred[T]] = []

    def board(self) -> Deferred[T]:
        """
        Fires with what the load brings. Cancelling it leaves the load and the other askers alone.
        """
        waiter: Deferred[T] = Deferred()  # once cancelled, it ignores the result
        self._waiting.append(waiter)
        return waiter

    def land(self, result: T | Failure) -> None:
        """Give `result` to all who wait."""
        for waiter in self._waiting:
            waiter.callback(result)  # a Failure starts the errbacks


class SingleFlight(Generic[T]):
    """Askers of one key share one load; an error goes to all of them and is not kept."""

    def __init__(self) -> None:
        self._flights: dict[str, Flight[T]] = {}

    async def join(self, key: str, load: Callable[[Flight[T]], Awaitable[T]]) -> T:
        """What the load under way for `key` brings; when there is none, `load` is started."""
        flight = self._flights.get(key)
        if flight is not None:
            return await flight.board()
        flight = self._flights[key] = Flight()
        waiter = flight.board()
        # A load of its own: an asker who goes away must not take it along.
        Deferred.fromCoroutine(self._fly(key, flight, load))
        return await waiter

    def forget(self, key: str) -> None:
        """Who asks for `key` from now on gets a load that starts from now on."""
        flight = self._flights.pop(key, None)
        if flight is not None:
            flight.forgotten = True

    async def _fly(
        self, key: str, flight: Flight[T], load: Callable[[Flight[T]], Awaitable[T]]
    ) -> None:
        result: T | Failure
        try:
            result = await load(flight)
        except Exception:
            result = Failure()
        if self._flights.get(key) is flight:
            del self._flights[key]
        flight.land(result)
