"""
Friend lists in memcached that the site writes, under keys and in a format of its own.

feedd only reads them: it puts no lease where the site looks for a list, and deletes no list that
might stand nowhere else. So a change leaves the list that is there; `feedd.feed.reading` corrects
what it reads by the friend changes in the recent log.
"""

from collections.abc import Collection, Sequence
from typing import Any

from feedd.cache.connection import Item
from feedd.cache.formats import users_in
from feedd.cache.loads import Load, make_loads
from feedd.cache.ring import HashRing, checked_key
from feedd.core.counters import Counters
from feedd.feed.settings import Cache
from feedd.reactor.single_flight import Flight, SingleFlight


class SiteFriends:
    """
    `feedd.feed.ports.Friends` over the site's lists; one that is missing or cannot be read comes
    from the database.
    """

    def __init__(
        self, ring: HashRing, load: Load, settings: Cache, counters: Counters, clock: Any
    ) -> None:
        """
        :param load: the database; what it raises goes to all who ask meanwhile.
        :param clock: an `IReactorTime`.
        """
        self._ring = ring
        self._load = load
        self._loads = make_loads(self._load_all, clock, settings, counters)
        self._settings = settings
        self._counters = counters
        self._flights: SingleFlight[tuple[str, ...]] = SingleFlight()

    @property
    def up(self) -> bool:
        """Whether every server of the cache can be asked now."""
        return self._ring.up

    @property
    def trouble(self) -> str:
        """Which servers cannot; "" when up."""
        return self._ring.trouble

    async def of(self, viewer: str) -> tuple[str, ...]:
        """The friends of `viewer`. Raises what the load raises."""

        async def read(_: Flight[tuple[str, ...]]) -> tuple[str, ...]:
            return await self._read(viewer)

        return await self._flights.join(viewer, read)

    async def forget(self, viewers: Collection[str]) -> None:
        """
        Their lists have changed: what is being read counts for those only who have asked already.
        """
        for viewer in viewers:
            self._flights.forget(viewer)

    async def _read(self, viewer: str) -> tuple[str, ...]:
        key = checked_key(self._settings.friends_key.replace("{user}", viewer))
        friends = self._readable(await self._ring.read(key), viewer)
        if friends is not None:
            self._counters.add("cache_hits")
            return friends
        self._counters.add("cache_misses")
        return await self._loads.ask(viewer)

    def _readable(self, item: Item | None, viewer: str) -> tuple[str, ...] | None:
        """The list in `item`, None for none."""
        if item is None or item.value is None:
            return None
        form = self._settings.friends_format
        found = users_in(item.value, item.flags, form, self._counters)
        if found is None:
            return None
        if found.left_out:
            self._counters.add("cache_names_left_out", found.left_out)
        return tuple(sorted(found.users - {viewer}))

    async def _load_all(self, viewers: Sequence[str]) -> list[tuple[str, ...]]:
        lists = await self._load(viewers)
        return [lists[viewer] for viewer in viewers]
