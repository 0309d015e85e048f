"""
Friend lists in the memory of one process.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from typing import Any, cast

from twisted.internet.interfaces import IReactorTime

from feedd.cache.loads import Load, make_loads
from feedd.core.counters import Counters
from feedd.feed.settings import Cache
from feedd.reactor.single_flight import Flight, SingleFlight


class LocalFriends:
    """
    `feedd.feed.ports.Friends` with a memory of ``max_entries`` lists, each kept for
    ``friends_seconds``.

    :ivar up: always True; there is nothing that could be away.
    :ivar trouble: always "".
    """

    up = True
    trouble = ""

    def __init__(
        self, load: Load, settings: Cache, clock: IReactorTime, counters: Counters
    ) -> None:
        self._load = load
        self._loads = make_loads(self._load_all, clock, settings, counters)
        self._settings = settings
        self._now: Callable[[], float] = cast(Any, clock).seconds
        self._counters = counters
        self._lists: OrderedDict[str, tuple[float, tuple[str, ...]]] = OrderedDict()
        self._flights: SingleFlight[tuple[str, ...]] = SingleFlight()

    async def of(self, viewer: str) -> tuple[str, ...]:
        """The friends of `viewer`. Raises what the load raises."""
        expires, friends = self._lists.get(viewer, (0.0, ()))
        if expires > self._now():
            self._lists.move_to_end(viewer)
            self._counters.add("cache_hits")
            return friends

        async def read(flight: Flight[tuple[str, ...]]) -> tuple[str, ...]:
            return await self._read(viewer, flight)

        return await self._flights.join(viewer, read)

    async def forget(self, viewers: Collection[str]) -> None:
        """Their lists have changed. Never raises, never waits."""
        for viewer in viewers:
            self._flights.forget(viewer)
            self._lists.pop(viewer, None)

    async def _read(self, viewer: str, flight: Flight[tuple[str, ...]]) -> tuple[str, ...]:
        self._counters.add("cache_misses")
        friends = await self._loads.ask(viewer)
        if not flight.forgotten:
            self._keep(viewer, friends)
        return friends

    async def _load_all(self, viewers: Sequence[str]) -> list[tuple[str, ...]]:
        lists = await self._load(viewers)
        return [lists[viewer] for viewer in viewers]

    def _keep(self, viewer: str, friends: tuple[str, ...]) -> None:
        self._lists.pop(viewer, None)
        self._lists[viewer] = self._now() + self._settings.friends_seconds, friends
        if len(self._lists) > self._settings.max_entries:
            self._lists.popitem(last=False)
            self._counters.add("cache_evictions")
