"""Threads: what they run, and how the reactor hears of it."""

from collections.abc import Callable
from threading import Event, Semaphore
from typing import Any

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from feedd.reactor.threads import Threads


class FakeReactor:
    """Keeps what threads ask it to call."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], object]] = []
        self._called = Semaphore(0)

    def callFromThread(self, call: Callable[[], object]) -> None:
        self.calls.append(call)
        self._called.release()

    def wait(self) -> None:
        """Return when it has been woken once more."""
        assert self._called.acquire(timeout=30)
        self.turn()

    def turn(self) -> int:
        """Call it all; returns how much it was."""
        calls, self.calls = self.calls, []
        for call in calls:
            call()
        return len(calls)


class ThreadsTests(SynchronousTestCase):
    """`Threads`. `stop` returns when all is done, so nothing here waits for time."""

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.told: list[Any] = []

    def make(self, most: int) -> Threads:
        threads = Threads(self.reactor, "test", most)
        self.addCleanup(threads.stop)
        return threads

    def test_one_wake_for_many(self) -> None:
        """What is finished before the reactor turns costs it one call, and is told in its order."""
        threads = self.make(1)
        for number in range(5):
            threads.run(lambda number=number: number, self.told.append)  # type: ignore[misc]
        threads.start()
        threads.stop()
        self.assertEqual(self.told, [])
        self.assertEqual((self.reactor.turn(), self.told), (1, [0, 1, 2, 3, 4]))

    def test_keys_take_turns(self) -> None:
        """
        The work of one key is begun in its order, and the keys take turns; what is first comes
        before all that waits.
        """
        threads = self.make(1)
        for word in ("a1", "a2", "a3", "b1", "c1", "b2"):
            threads.run(lambda word=word: word, self.told.append, word[0])  # type: ignore[misc]
        for word in ("first", "second"):
            threads.run(lambda word=word: word, self.told.append, first=True)  # type: ignore[misc]
        threads.start()
        threads.stop()
        self.reactor.turn()
        self.assertEqual(self.told, ["first", "second", "a1", "b1", "c1", "a2", "b2", "a3"])

    def test_woken_again(self) -> None:
        """What is finished after it has turned wakes it again."""
        threads = self.make(1)
        threads.start()
        for _ in range(2):
            threads.run(lambda: 1, self.told.append)
            self.reactor.wait()
        self.assertEqual(self.told, [1, 1])

    def test_failure(self) -> None:
        """What is raised is told as a Failure, and the thread goes on."""
        threads = self.make(1)
        threads.run(lambda: 1 // 0, self.told.append)
        threads.run(lambda: 2, self.told.append)
        threads.start()
        threads.stop()
        self.reactor.turn()
        self.assertIsInstance(self.told[0], Failure)
        self.assertEqual((self.told[0].type, self.told[1]), (ZeroDivisionError, 2))

    def test_one_who_cannot_be_told(self) -> None:
        """Keeps nobody else from being told."""
        threads = self.make(1)
        threads.run(lambda: 1, lambda result: 1 // 0)
        threads.run(lambda: 2, self.told.append)
        threads.start()
        threads.stop()
        self.reactor.turn()
        self.assertEqual((self.told, len(self.flushLoggedErrors(ZeroDivisionError))), ([2], 1))

    def test_as_many_as_needed(self) -> None:
        """
        A thread for each piece of work, up to the bound; no further one for work that comes one by
        one.
        """
        threads, gate = self.make(2), Event()
        threads.start()
        for begun, expected in ((1, 1), (2, 2), (3, 2)):
            threads.run(lambda: gate.wait(30), self.told.append)
            self.assertEqual(len(threads), expected, begun)
        gate.set()
        threads.stop()
        self.reactor.turn()
        self.assertEqual(self.told, [True] * 3)

    def test_one_by_one(self) -> None:
        """One thread is enough for work that comes when the last is done."""
        threads = self.make(3)
        threads.start()
        for _ in range(3):
            threads.run(lambda: 1, self.told.append)
            self.reactor.wait()
        self.assertEqual((len(threads), self.told), (1, [1, 1, 1]))
