"""
A `MemcachedServer` over a memcached in memory.
"""

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from feedd.cache.connection import LeaseRequest
from feedd.cache.server import MemcachedServer, ServerLimits
from feedd.core.counters import Counters
from feedd.feed.settings import Cache
from feedd.reactor.link import Host
from tests.unit.fake_memcached import FakeMemcached


class ServerCase(SynchronousTestCase):
    """A server of two connections over a memcached in memory."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.memcached = FakeMemcached(self.clock)
        self.counters = Counters()
        host = Host("one", self.memcached)
        settings = Cache(connections=2, timeout_seconds=1)
        limits = ServerLimits(outstanding=20, reads=300, batch=5, deletions=50)
        self.server = MemcachedServer(host, self.clock, settings, self.counters, limits)
        self.server.startService()
        self.clock.advance(0)
        self.addCleanup(self.end)

    def end(self) -> None:
        self.successResultOf(self.server.stopService())
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def begin(self, work: Coroutine[Deferred[Any], Any, Any]) -> Deferred[Any]:
        begun = Deferred.fromCoroutine(work)
        self.clock.advance(0)
        return begun

    def drive(self, work: Coroutine[Deferred[Any], Any, Any]) -> Any:
        return self.successResultOf(self.begin(work))

    def lease(self, key: bytes, over: bytes = b"") -> Any:
        """The right to fill `key`, None when it cannot be had."""
        leases = self.drive(self.server.lease_all([LeaseRequest(key, b"mark", over)], 10))
        return leases[0] if leases else None

    def reconnect(self) -> None:
        """Let the longest pause between two attempts pass, and one greeting."""
        for _ in range(6):
            self.clock.advance(1)
        self.clock.advance(0)
