"""
The runners of a store: reads, writes and feedd's own reads have threads of their own, and do not
wait for each other.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from feedd.core.counters import Counters
from feedd.feed.settings import Store as Settings
from feedd.reactor.threads import Threads
from feedd.store.database.adapter import Connections, Renewal
from feedd.store.database.dialect import Dialect
from feedd.store.running.queue import Queue
from feedd.store.running.runner import Runner
from feedd.store.running.transactions import Transactions

OWN_THREADS = 3
"""For a read of the net, and for two queries of friend lists."""


class Runners:
    """
    The runners of a store that has been started; their threads begin when the reactor runs.

    SQLite has one thread that writes, since it takes one writer at a time. So feedd's own writes,
    few and short, have no thread of their own, but are the first that a free one takes.

    :ivar reads: runs what clients read.
    :ivar own: runs what feedd itself reads.
    :ivar writes: runs what writes.
    :ivar writers: how many threads write.
    """

    def __init__(
        self,
        reactor: Any,
        settings: Settings,
        dialect: Dialect,
        counters: Counters,
        refused: Callable[[str], None],
    ) -> None:
        """
        :param reactor: an `IReactorCore`, `IReactorTime` and `IReactorFromThreads`.
        :param refused: see `Runner`.
        """
        self._refused = refused
        self._renewal = Renewal()
        self._reactor = reactor
        self._settings = settings
        self._dialect = dialect
        self._counters = counters
        self.writers = 1 if dialect.one_writer else max(1, settings.threads // 2)
        self.writes = self._make("feedd-store-write", self.writers, write=True)
        readers = max(1, settings.threads - self.writers)
        self.reads = self._make("feedd-store-read", readers, write=False)
        self.own = self._make("feedd-store-own", OWN_THREADS, write=False)

    async def finish(self) -> None:
        """Let what was accepted come to its end, then end the threads."""
        runners = (self.writes, self.reads, self.own)
        finishing = [Deferred.fromCoroutine(runner.finish()) for runner in runners]
        for finished in finishing:
            await finished

    def _make(self, name: str, count: int, *, write: bool) -> Runner:
        settings = self._settings
        threads = Threads(self._reactor, name, count)
        most = count + settings.max_waiting
        queue = Queue(self._reactor, self._counters, most, not write, settings.waiting_of_user)
        # Half of the time in which an id must be visible: the other half is for the COMMIT itself.
        commit_seconds = max(settings.settle_seconds / 2, 0.5)
        connections = Connections(self._reactor, self._dialect, threads, self._renewal)
        transactions = Transactions(connections, write, commit_seconds)
        seconds = settings.query_seconds
        return Runner(self._reactor, threads, queue, transactions, seconds, self._refused)
