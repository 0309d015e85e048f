"""
Threads that work off one queue, fair to each key, and wake the reactor once for all that they
finish in one of its turns.

Twisted's own pool hands every piece of work over through a coordinator, two locks and a log
context, and wakes the reactor for each result; with short transactions that costs as much as they
do.
"""

from collections import deque
from collections.abc import Callable, Hashable
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar

from twisted.logger import Logger
from twisted.python.failure import Failure

from feedd.reactor.lines import Lines

T = TypeVar("T")

_Done = Callable[[Any], object]


class Threads:
    """Up to `most` threads, each begun when there is work for it."""

    _log = Logger()

    def __init__(self, reactor: Any, name: str, most: int) -> None:
        """:param reactor: an `IReactorFromThreads`."""
        self._reactor = reactor
        self._name = name
        self._most = most
        self._running = False
        self._threads: list[Thread] = []
        self._under_way = 0
        self._work: Lines[tuple[Callable[[], Any], _Done]] = Lines()
        self._lock = Lock()
        # One entry for each piece of work, and False for each thread that is to end.
        self._entries: SimpleQueue[bool] = SimpleQueue()
        self._results: deque[tuple[_Done, Any]] = deque()
        self._woken = False

    def __len__(self) -> int:
        """How many threads there are."""
        return len(self._threads)

    def start(self) -> None:
        """Begin with what was given to `run` before."""
        self._running = True
        for _ in range(self._under_way):
            self._begin_thread()

    def stop(self) -> None:
        """
        Return when all work is done and every thread has ended; the results are told when the
        reactor turns.
        """
        self._running = False
        for _ in self._threads:
            self._entries.put(False)
        threads, self._threads = self._threads, []
        for thread in threads:
            thread.join()

    def run(
        self,
        work: Callable[[], T],
        done: Callable[[T | Failure], object],
        key: Hashable = None,
        first: bool = False,
    ) -> None:
        """
        Run `work` in a thread; its result, or the Failure of what it raised, goes to `done` in the
        reactor's thread.

        :param key: work of one key is begun in its order, the keys take turns.
        :param first: it is begun before all that waits.
        """
        self._under_way += 1
        with self._lock:
            if first:
                self._work.put_first((work, done))
            else:
                self._work.put((work, done), key)
        self._entries.put(True)
        if self._running:
            self._begin_thread()

    def _begin_thread(self) -> None:
        """One more, unless there are enough for what is under way."""
        if len(self._threads) < min(self._under_way, self._most):
            thread = Thread(target=self._go, name=f"{self._name}-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _go(self) -> None:
        results = self._results
        while self._entries.get():
            with self._lock:
                work, done = self._work.take()
            try:
                result = work()
            except BaseException:
                result = Failure()
            results.append((done, result))
            # A thread that finds it set has appended before the reactor looks: its result is seen.
            if not self._woken:
                self._woken = True
                self._reactor.callFromThread(self._tell)

    def _tell(self) -> None:
        self._woken = False
        for _ in range(len(self._results)):
            done, result = self._results.popleft()
            self._under_way -= 1
            try:
                done(result)
            except Exception:
                self._log.failure("a result could not be told")
