"""
The hash ring: several memcached servers as one.

A key lives on one server of the ring, also while that server is away: a remap would leave old lists
behind on the server that stood in. The ring is libmemcached's weighted ketama (PHP:
``Memcached::OPT_LIBKETAMA_COMPATIBLE``), so that a site with the same list of servers finds the
same keys in the same places.
"""

import hashlib
import re
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import uhashring
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IReactorTime

from feedd.cache.connection import Item, LeaseRequest
from feedd.cache.server import Lease, MemcachedServer
from feedd.core.counters import Counters
from feedd.feed.settings import Cache
from feedd.reactor.link import Host

T = TypeVar("T")

DEFAULT_PORT = 11211

_KEY = re.compile(rb"[\x21-\x7e]{1,250}\Z")
_ADDRESS = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+))(?::(?P<port>[0-9]{1,5}))?\Z"
)


def checked_key(text: str) -> bytes:
    """
    The key for `text`: the text itself where memcached allows it, else a hash of it.

    Source of the rule: memcached's protocol.txt, at most 250 bytes, no space, no control. A line
    break in a key would begin a second command.
    """
    key = text.encode("utf-8", "surrogatepass")
    return key if _KEY.match(key) else b"feedd:" + hashlib.sha256(key).hexdigest().encode()


def addresses_in(url: str) -> list[tuple[str, int]]:
    """
    Host and port of each server of ``memcached://host:port,host:port``; a port left out is 11211.

    :raises ValueError: with a sentence that names the part that is wrong.
    """
    scheme, _, rest = url.partition("://")
    if scheme != "memcached":
        raise ValueError("cache.url must start with memcached://")
    addresses = [_address(text) for text in rest.rstrip("/").split(",")]
    if len(set(addresses)) < len(addresses):
        raise ValueError("cache.url names a server twice")
    return addresses


def node_name(host: str, port: int) -> str:
    """The name of a server on libmemcached's ring."""
    return host if port == DEFAULT_PORT else f"{host}:{port}"


def make_hash_ring(reactor: IReactorTime, settings: Cache, counters: Counters) -> "HashRing":
    """
    The servers that ``settings.url`` names, not connected yet.

    :param reactor: connects, resolves names and tells the time.
    :raises ValueError: when the URL is none.
    """
    return HashRing(
        [
            MemcachedServer(_host(reactor, address, settings), reactor, settings, counters)
            for address in addresses_in(settings.url)
        ]
    )


def _host(reactor: IReactorTime, address: tuple[str, int], settings: Cache) -> Host:
    endpoint = HostnameEndpoint(reactor, *address, timeout=settings.timeout_seconds)
    return Host(node_name(*address), endpoint)


class HashRing(MultiService):
    """Reads, leases and deletions, each at the server of its key; no method ever raises."""

    def __init__(self, servers: Sequence[MemcachedServer]) -> None:
        super().__init__()
        self._servers = {server.address: server for server in servers}
        self._ring = uhashring.HashRing(list(self._servers), hash_fn="ketama")
        for server in servers:
            server.setServiceParent(self)

    @property
    def up(self) -> bool:
        """Whether every server can be asked now."""
        return all(server.up for server in self._servers.values())

    @property
    def trouble(self) -> str:
        """Which servers cannot, in a few words; "" when up."""
        away = [address for address, server in self._servers.items() if not server.up]
        return f"memcached {', '.join(away)} away" if away else ""

    async def read(self, key: bytes) -> Item | None:
        """The item at `key`, or None when that cannot be said."""
        return await self.server_of(key).read(key)

    async def lease_all(self, requests: Sequence[LeaseRequest], seconds: int) -> dict[bytes, Lease]:
        """The leases, for `seconds`, of those requests that were granted; by key."""
        shares = self._shares(requests, lambda request: request.key)
        leases = await _all(server.lease_all(share, seconds) for server, share in shares.items())
        return {lease.key: lease for some in leases for lease in some}

    async def fill_all(self, values: Mapping[Lease, bytes], seconds: int) -> int:
        """Put each value where its lease is still in place; returns how many were."""
        shares = self._shares(values, lambda lease: lease.key)
        fills = (
            server.fill_all({lease: values[lease] for lease in share}, seconds)
            for server, share in shares.items()
        )
        return sum(await _all(fills))

    async def forget(self, keys: Collection[bytes]) -> None:
        """Delete `keys`, now where the server is there, else before it is read again."""
        await _all(
            server.forget(share) for server, share in self._shares(keys, lambda key: key).items()
        )

    def server_of(self, key: bytes) -> MemcachedServer:
        """The server of `key`, whether it is there or not."""
        return self._servers[self._ring.get_node(key.decode("ascii"))]

    def _shares(
        self, items: Iterable[T], key: Callable[[T], bytes]
    ) -> dict[MemcachedServer, list[T]]:
        """The items of each server."""
        shares: dict[MemcachedServer, list[T]] = {}
        for item in items:
            shares.setdefault(self.server_of(key(item)), []).append(item)
        return shares


async def _all(work: Iterable[Coroutine[Deferred[Any], Any, T]]) -> list[T]:
    """The results of all of `work`, begun together."""
    return await gatherResults([Deferred.fromCoroutine(each) for each in work], consumeErrors=True)


def _address(text: str) -> tuple[str, int]:
    match = _ADDRESS.match(text)
    port = int(match["port"] or DEFAULT_PORT) if match else 0
    if match is None or not 0 < port < 65_536:
        raise ValueError(f"cache.url: {text!r} is not of the form host:port")
    return match["v6"] or match["host"], port
