"""
Friend lists in memcached, as JSON arrays of users, which the site may read and write too.

A fill can never put back a list that is older than a change. A reader that misses takes a lease: it
adds a mark of its own in the place of the list, and only then asks the database. What it read may
replace that mark and nothing else (memcached's ``cas``). A change deletes the key after its commit,
mark or list; so a fill that was read before the change finds its mark gone. A reader that finds
somebody else's mark asks the database and fills nothing.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from feedd.cache.connection import Item, LeaseRequest
from feedd.cache.formats import MAX_VALUE_BYTES, users_in
from feedd.cache.loads import Load, make_loads
from feedd.cache.ring import HashRing, checked_key
from feedd.cache.server import Lease
from feedd.core.counters import Counters
from feedd.feed.settings import Cache
from feedd.reactor.single_flight import Flight, SingleFlight

LEASE_SECONDS = 10
"""
Longer than a load may take. A lease left behind by a crash keeps others from filling for so long,
and from nothing else.
"""

LEASE_MARK = b"lease:"


class _Miss(NamedTuple):
    """A list that is not in the cache: `item` is what is there instead, as far as that is known."""

    viewer: str
    key: bytes
    item: Item | None
    flight: Flight[tuple[str, ...]]

    @property
    def may_fill(self) -> bool:
        """
        Whether a lease is worth asking for: the server is there, and nobody is known to have one.
        """
        return (
            not self.flight.forgotten
            and self.item is not None
            and not (self.item.value or b"").startswith(LEASE_MARK)
        )


class CachedFriends:
    """
    `feedd.feed.ports.Friends` over memcached; without any server that answers it is the database,
    one read for many askers.
    """

    def __init__(
        self,
        ring: HashRing,
        load: Load,
        settings: Cache,
        counters: Counters,
        token: Callable[[], bytes],
        clock: Any,
    ) -> None:
        """
        :param load: the database; what it raises goes to all who ask meanwhile.
        :param token: makes a value that no other call in any process makes, printable ASCII.
        :param clock: an `IReactorTime`.
        """
        self._ring = ring
        self._load = load
        self._loads = make_loads(self._load_all, clock, settings, counters)
        self._settings = settings
        self._counters = counters
        self._token = token
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

        async def read(flight: Flight[tuple[str, ...]]) -> tuple[str, ...]:
            return await self._read(viewer, flight)

        return await self._flights.join(viewer, read)

    async def forget(self, viewers: Collection[str]) -> None:
        """
        Their lists have changed. Never raises; returns when the servers that are there have deleted
        them.
        """
        for viewer in viewers:
            self._flights.forget(viewer)
        await self._ring.forget([self._key(viewer) for viewer in viewers])

    async def _read(self, viewer: str, flight: Flight[tuple[str, ...]]) -> tuple[str, ...]:
        key = self._key(viewer)
        item = await self._ring.read(key)
        friends = self._readable(item, viewer)
        if friends is not None:
            self._counters.add("cache_hits")
            return friends
        self._counters.add("cache_misses")
        return await self._loads.ask(_Miss(viewer, key, item, flight))

    async def _load_all(self, misses: Sequence[_Miss]) -> list[tuple[str, ...]]:
        """
        The lists of these misses, in their order: first leases are taken, then the lists are read,
        then those with a lease are filled.
        """
        leases = await self._lease_all(miss for miss in misses if miss.may_fill)
        lists = await self._load([miss.viewer for miss in misses])
        values = {
            leases[miss.key]: lists[miss.viewer]
            for miss in misses
            if miss.key in leases and not miss.flight.forgotten
        }
        await self._fill_all(values)
        return [lists[miss.viewer] for miss in misses]

    def _key(self, viewer: str) -> bytes:
        return checked_key(self._settings.friends_key.replace("{user}", viewer))

    def _readable(self, item: Item | None, viewer: str) -> tuple[str, ...] | None:
        """
        The list in `item`, None for none; a value that is no list is counted, and will be written
        over.
        """
        if item is None or item.value is None or item.value.startswith(LEASE_MARK):
            return None
        found = users_in(item.value, item.flags, "json", self._counters)
        if found is not None and found.left_out:
            self._counters.add("cache_unreadable")
            return None
        return None if found is None else tuple(sorted(found.users - {viewer}))

    async def _lease_all(self, misses: Iterable[_Miss]) -> dict[bytes, Lease]:
        """The leases that could be taken, by key."""
        requests = [
            LeaseRequest(miss.key, LEASE_MARK + self._token(), miss.item.cas)
            for miss in misses
            if miss.item is not None
        ]
        return await self._ring.lease_all(requests, LEASE_SECONDS)

    async def _fill_all(self, lists: Mapping[Lease, tuple[str, ...]]) -> None:
        values = {lease: msgspec.json.encode(friends) for lease, friends in lists.items()}
        fitting = {lease: value for lease, value in values.items() if len(value) <= MAX_VALUE_BYTES}
        filled = await self._ring.fill_all(fitting, self._settings.friends_seconds)
        self._count("cache_too_large", len(values) - len(fitting))
        self._count("cache_fills", filled)
        self._count("cache_leases_lost", len(fitting) - filled)

    def _count(self, name: str, amount: int) -> None:
        if amount:
            self._counters.add(name, amount)
