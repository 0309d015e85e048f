"""The exchanges that the broker does not let us use, for as long as that matters."""

from collections.abc import Callable

AGAIN_SECONDS = 30.0
"""How long a refused exchange is not asked for again by those who publish to it."""

MATTERS_SECONDS = 60.0
"""How long a refusal of an exchange that nobody here hears is the state of the broker."""


class RefusedExchanges:
    """The last `limit` exchanges that were refused, with the broker's words."""

    def __init__(self, seconds: Callable[[], float], limit: int) -> None:
        """:param seconds: a clock that only moves forward."""
        self._seconds = seconds
        self._limit = limit
        self._refused: dict[bytes, tuple[float, str]] = {}

    def add(self, exchange: bytes, why: str) -> None:
        """Take note that `exchange` was refused."""
        self._refused.pop(exchange, None)
        self._refused[exchange] = (self._seconds(), why)
        if len(self._refused) > self._limit:
            del self._refused[next(iter(self._refused))]

    def discard(self, exchange: bytes) -> None:
        """Take note that `exchange` was not refused."""
        self._refused.pop(exchange, None)

    def hold(self, exchange: bytes) -> bool:
        """Whether `exchange` was refused a moment ago, so that asking again is of no use."""
        refused = self._refused.get(exchange)
        return refused is not None and self._seconds() - refused[0] < AGAIN_SECONDS

    def trouble(self, needs: Callable[[bytes], bool]) -> str:
        """Why an exchange cannot be used that is needed, or was lately; "" for none."""
        # The newest stand at the end, and those that do not matter any more in front.
        while self._refused:
            exchange, (at, why) = next(iter(self._refused.items()))
            if needs(exchange) or self._seconds() - at < MATTERS_SECONDS:
                return f"an exchange is refused: {why}"
            del self._refused[exchange]
        return ""
