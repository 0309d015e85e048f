"""
Friend lists in memcached, as JSON arrays of users, which the site may read and write too.

A fill can never put back a list that is older than a change. Who misses takes a lease: it adds a mark of its own in the place
of the list, and only then asks the database. What it read may replace that mark and nothing else (memcached's ``cas``). A
change deletes the key after its commit, mark or list; so a fill that was read before the change finds its mark gone. Who finds
somebody else's mark asks the database and fills nothing. This module does not know connections or servers.
"""

from collections.abc import Callable, Collection

import msgspec

from feedd.cache.connection import Item
from feedd.cache.flight import Flight, SingleFlight
from feedd.cache.local import Load
from feedd.cache.ring import Ring, checked_key
from feedd.cache.server import Lease
from feedd.config import Cache
from feedd.counters import Counters
from feedd.event import is_user

LEASE_SECONDS = 10
"""Longer than a load may take. A lease left behind by a crash keeps others from filling for so long, and from nothing else."""

LEASE_MARK = b"lease:"

MAX_VALUE_BYTES = 1_000_000
"""A list whose JSON is longer stays out of the cache; memcached's own limit is 1 MiB."""


class CachedFriends:
    """`feedd.ports.Friends` over memcached; without any server that answers it is the database, one read for many askers."""

    def __init__(self, ring: Ring, load: Load, settings: Cache, counters: Counters, token: Callable[[], bytes]) -> None:
        """
        :param load: the database; what it raises goes to all who ask meanwhile.
        :param token: makes a value that no other call in any process makes, printable ASCII.
        """
        self._ring = ring
        self._load = load
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
        """Their lists have changed. Never raises; returns when the servers that are there have deleted them."""
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
        lease = await self._lease(key, item)
        friends = await self._load(viewer)
        if lease is not None and not flight.forgotten:
            await self._fill(lease, friends)
        return friends

    def _key(self, viewer: str) -> bytes:
        return checked_key(self._settings.friends_key.replace("{user}", viewer))

    def _readable(self, item: Item | None, viewer: str) -> tuple[str, ...] | None:
        """The list in `item`, None for none; a value that is no list is counted, and will be written over."""
        if item is None or item.value is None or item.value.startswith(LEASE_MARK):
            return None
        try:
            users = set(msgspec.json.decode(item.value, type=list[str]))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            users = {""}
        if not all(map(is_user, users)):
            self._counters.add("cache_unreadable")
            return None
        return tuple(sorted(users - {viewer}))

    async def _lease(self, key: bytes, item: Item | None) -> Lease | None:
        """The right to fill `key`; None when the server is away, or somebody else has it."""
        if item is None or (item.value or b"").startswith(LEASE_MARK):
            return None
        return await self._ring.lease(key, LEASE_MARK + self._token(), LEASE_SECONDS, item.cas)

    async def _fill(self, lease: Lease, friends: tuple[str, ...]) -> None:
        value = msgspec.json.encode(friends)
        if len(value) > MAX_VALUE_BYTES:
            self._counters.add("cache_too_large")
            return
        filled = await self._ring.fill(lease, value, self._settings.friends_seconds)
        self._counters.add("cache_fills" if filled else "cache_leases_lost")
