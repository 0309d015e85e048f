"""One load for all who ask for the same key at the same time."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from feedd.reactor.single_flight import Flight, SingleFlight


class SingleFlightTests(SynchronousTestCase):
    """
    `SingleFlight`.

    :ivar begun: every load, with what it waits for.
    """

    def setUp(self) -> None:
        self.flights: SingleFlight[str] = SingleFlight()
        self.begun: list[tuple[Flight[str], Deferred[str]]] = []

    async def load(self, flight: Flight[str]) -> str:
        result: Deferred[str] = Deferred()
        self.begun.append((flight, result))
        return await result

    def join(self, key: str) -> Deferred[str]:
        return Deferred.fromCoroutine(self.flights.join(key, self.load))

    def test_shared(self) -> None:
        """Those who ask for one key share a load, others have their own; then it is forgotten."""
        asked = [self.join(key) for key in ("a", "b", "a")]
        self.assertEqual((len(self.begun), len(self.flights)), (2, 2))
        self.begun[0][1].callback("A")
        self.assertEqual([self.successResultOf(asked[at]) for at in (0, 2)], ["A", "A"])
        self.assertEqual(len(self.flights), 1)
        self.join("a")
        self.assertEqual(len(self.begun), 3)

    def test_error(self) -> None:
        """An error goes to all who wait, and is not kept."""
        asked = [self.join("a"), self.join("a")]
        self.begun[0][1].errback(ZeroDivisionError())
        for each in asked:
            self.failureResultOf(each, ZeroDivisionError)
        self.join("a")
        self.assertEqual(len(self.begun), 2)

    def test_one_goes(self) -> None:
        """One who goes away, even the first, takes nobody along."""
        first, second = self.join("a"), self.join("a")
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.begun[0][1].callback("A")
        self.assertEqual(self.successResultOf(second), "A")

    def test_forgotten(self) -> None:
        """After `forget` nobody joins a load that began before; it knows that it is old."""
        before = self.join("a")
        self.flights.forget("a")
        self.flights.forget("b")
        after = self.join("a")
        self.assertEqual([flight.forgotten for flight, _ in self.begun], [True, False])
        for number, (_, result) in enumerate(self.begun):
            result.callback(str(number))
        self.assertEqual([self.successResultOf(each) for each in (before, after)], ["0", "1"])
