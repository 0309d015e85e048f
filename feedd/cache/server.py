"""
One memcached: a few connections to it, and a miss at once when it is away or hangs.

A connection is used once it has answered a greeting; so a server that accepts connections and then
says nothing costs its first askers one time limit, and nobody after them.
"""

from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar, cast

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from feedd.cache.connection import KEYS, Connection, Item, LeaseRequest
from feedd.cache.deletions import Deletions
from feedd.core.counters import Counters
from feedd.feed.settings import Cache
from feedd.reactor.batches import Batches, Bounds
from feedd.reactor.link import Backoff, Host, Link, Steps, Useless
from feedd.reactor.time_limit import limited

T = TypeVar("T")


BACKOFF = Backoff(first_seconds=0.2, longest_seconds=3.0)


class ServerLimits(NamedTuple):
    """
    The bounds of what a server is asked at once.

    :ivar outstanding: commands on one connection; with more the server is behind, and the database
        is the better answer.
    :ivar reads: keys that wait for the turn in which they are asked for.
    :ivar batch: deletions under way at the same time.
    :ivar deletions: deletions remembered while the server is away.
    """

    outstanding: int = 1000
    reads: int = 100_000
    batch: int = 500
    deletions: int = 100_000


class Lease(NamedTuple):
    """
    The right to fill `key`, until the key is deleted, taken over or expires.

    Bound to the connection it was taken on: a server that was started anew counts `cas` from 1
    again.
    """

    key: bytes
    cas: bytes
    connection: Connection


class MemcachedServer(Service):
    """
    A memcached that never fails: what it cannot say now is None.

    :ivar address: its name on the ring and in the log.
    """

    _log = Logger()

    def __init__(
        self,
        host: Host,
        clock: IReactorTime,
        settings: Cache,
        counters: Counters,
        limits: ServerLimits = ServerLimits(),  # noqa: B008
    ) -> None:
        self.address = host.name
        self._clock = clock
        self._now: Callable[[], float] = cast(Any, clock).seconds
        self._settings = settings
        self._counters = counters
        self._limits = limits
        self._open: set[Connection] = set()
        self._ready: list[Connection] = []
        self._deletions = Deletions(limits.deletions)
        self._reads: Batches[bytes, Item | None] = Batches(
            self._read_all,
            lambda: counters.add("cache_busy"),
            clock,
            Bounds(KEYS, limits.outstanding, limits.reads),
        )
        self._sweeping = False
        self._unread_until = 0.0
        steps = Steps(lambda: Connection(counters), self._greet, self._lost)
        self._links = [Link(clock, [host], steps, BACKOFF) for _ in range(settings.connections)]

    @property
    def connections(self) -> int:
        """How many connections can be asked now."""
        return len(self._ready)

    @property
    def up(self) -> bool:
        """Whether it can be asked now."""
        return bool(self._ready)

    def startService(self) -> None:
        """Connect, again and again."""
        super().startService()
        for link in self._links:
            link.start()

    def stopService(self) -> Deferred[Any]:
        """Close all connections, without waiting for a server that hangs."""
        super().stopService()
        self._deletions.release()
        return gatherResults([link.stop() for link in self._links])

    async def read(self, key: bytes) -> Item | None:
        """The item at `key`; None when that cannot be said, or is not to be trusted."""
        if self._is_unread(key) or self._pick() is None:
            return None
        return await self._reads.ask(key)

    async def lease_all(self, requests: Sequence[LeaseRequest], seconds: int) -> list[Lease]:
        """
        The leases of those requests that were granted; their marks are there meanwhile.
        """
        connection = self._pick()
        items = await self._ask(
            partial(Connection.take_all, requests=requests, seconds=seconds), connection
        )
        if items is None or connection is None:
            return []
        return [
            Lease(key, items[key].cas, connection)
            for key, mark, _ in requests
            if items[key].value == mark
        ]

    async def fill_all(self, values: Mapping[Lease, bytes], seconds: int) -> int:
        """
        Put each value in the place of its lease, pipelined; returns how many leases were not over.
        """
        fills = [
            lease.connection.cas(lease.key, value, lease.cas, seconds).addErrback(lambda _: False)
            for lease, value in values.items()
            if lease.key not in self._deletions
        ]
        filled = await self._in_time(gatherResults(fills))
        return sum(filled or ())

    async def forget(self, keys: Collection[bytes]) -> None:
        """
        Delete `keys`, and read none of them here before that has happened.

        Returns when it has, or when the server is away; then it happens when the server is back.
        """
        refused = self._deletions.add(keys)
        if refused:
            # Too many to remember: all that was cached before now must have expired before anything
            # is read again.
            self._counters.add("cache_deletes_dropped", refused)
            self._unread_until = self._now() + self._settings.friends_seconds
        done = self._deletions.when_done()
        self._start(self._sweep())
        await done

    async def _greet(self, connection: Connection) -> None:
        """Use `connection` once it has answered."""
        self._open.add(connection)
        late = partial(connection.fail, "no answer to the greeting")
        if await self._ask(Connection.greet, connection, late) is None or connection.trouble:
            raise Useless("no answer to the greeting")
        self._ready.append(connection)
        if len(self._ready) == 1:
            self._log.info("memcached {address} is there", address=self.address)
        self._start(self._sweep())

    def _lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._retire(connection)

    async def _sweep(self) -> None:
        """
        Delete what must be deleted, batch by batch, for all who wait; one sweep at a time.
        """
        if self._sweeping:
            return
        self._sweeping = True
        try:
            while self._deletions and self._ready:
                await self._sweep_batch(min(self._ready, key=_outstanding))
        finally:
            self._sweeping = False
            self._deletions.release()

    async def _sweep_batch(self, connection: Connection) -> None:
        batch = self._deletions.batch(self._limits.batch)
        if (
            await self._ask(
                partial(Connection.delete_all, keys=[key for key, _ in batch]), connection
            )
            is None
        ):
            self._counters.add("cache_deletes_delayed", len(batch))
            self._drop(connection)
        else:
            self._deletions.done(batch)

    async def _read_all(self, keys: Sequence[bytes]) -> list[Item | None]:
        """
        The items at `keys`, some of which may have been forgotten since they were asked for.
        """
        trusted = [key for key in dict.fromkeys(keys) if not self._is_unread(key)]
        items: dict[bytes, Item] | None = None
        if trusted:
            items = await self._ask(partial(Connection.read_all, keys=trusted), self._pick())
        return [items.get(key) for key in keys] if items else [None] * len(keys)

    def _is_unread(self, key: bytes) -> bool:
        """Whether what is there for `key` may be older than a change."""
        unread = key in self._deletions or self._now() < self._unread_until
        if unread:
            self._counters.add("cache_unread")
        return unread

    async def _ask(
        self,
        send: Callable[[Connection], Deferred[T]],
        connection: Connection | None,
        late: Callable[[], None] | None = None,
    ) -> T | None:
        """
        The answer, or None. An answer that is late calls `late`; by default the whole server is
        taken to hang.
        """
        if connection is None:
            return None
        return await self._in_time(send(connection), late)

    async def _in_time(
        self, answer: Deferred[T], late: Callable[[], None] | None = None
    ) -> T | None:
        try:
            return await limited(answer, self._settings.timeout_seconds, self._clock, self._heard)
        except CancelledError:
            raise
        except TimeoutError:
            self._counters.add("cache_timeouts")
            (late or self._abort)()
        except Exception:
            # A lost connection, a refusal of the server: whatever it is, a cache fails nobody.
            self._counters.add("cache_errors")
        return None

    def _heard(self) -> int:
        return sum(connection.heard for connection in self._open)

    def _pick(self) -> Connection | None:
        """The least busy connection, None when there is none or it is too busy."""
        if not self._ready:
            self._counters.add("cache_away")
            return None
        connection = min(self._ready, key=_outstanding)
        if connection.outstanding >= self._limits.outstanding:
            self._counters.add("cache_busy")
            return None
        return connection

    def _abort(self) -> None:
        for connection in list(self._open):
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        self._retire(connection)
        connection.fail("an answer that did not come")

    def _retire(self, connection: Connection) -> None:
        if connection in self._ready:
            self._ready.remove(connection)
            if not self._ready and self.running:
                self._log.warn("memcached {address} is away", address=self.address)

    def _start(self, work: Coroutine[Deferred[Any], Any, None]) -> None:
        """Let `work`, which belongs to the server and to no asker, go on by itself."""
        Deferred.fromCoroutine(work).addErrback(self._unexpected)

    def _unexpected(self, failure: Failure) -> None:
        self._log.failure("memcached {address}", failure, address=self.address)


def _outstanding(connection: Connection) -> int:
    return connection.outstanding
