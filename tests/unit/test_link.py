"""One connection after the other, whatever becomes of each."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from feedd.reactor.link import Backoff, Host, Link, Steps, Useless

BACKOFF = Backoff(first_seconds=0.5, longest_seconds=30.0)


class FakeConnection:
    """
    A connection that is lost a turn of the clock after it was failed.

    :ivar ready: `use` waits for it.
    """

    def __init__(self, clock: Clock) -> None:
        self.ready: Deferred[None] = Deferred()
        self.failed: list[str] = []
        self._clock = clock
        self._why = ""
        self._waiting: list[Deferred[None]] = []

    def fail(self, why: str) -> None:
        self.failed.append(why)
        if len(self.failed) == 1:
            self._clock.callLater(0, self.lose, why)

    def lose(self, why: str) -> None:
        self._why = self._why or why
        for waiting in self._waiting:
            waiting.callback(None)
        self._waiting.clear()

    async def when_lost(self) -> str:
        if not self._why:
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            await waiting
        return self._why


class FakeEndpoint:
    """
    :ivar attempts: connections that were asked for and are not answered yet.
    :ivar refuses: it refuses at once.
    """

    def __init__(self) -> None:
        self.attempts: list[tuple[Deferred[Any], Any]] = []
        self.cancelled = 0
        self.refuses = False

    def connect(self, factory: Any) -> "Deferred[Any]":
        if self.refuses:
            return fail(ConnectionRefusedError())
        attempt: Deferred[Any] = Deferred(self._cancel)
        self.attempts.append((attempt, factory.buildProtocol(None)))
        return attempt

    def answer(self) -> Any:
        """The oldest attempt is connected."""
        attempt, protocol = self.attempts.pop(0)
        attempt.callback(protocol)
        return protocol

    def _cancel(self, _: object) -> None:
        self.cancelled += 1


class LinkTests(SynchronousTestCase):
    """
    `Link`.

    :ivar told: the host and its trouble, each time.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.endpoint = FakeEndpoint()
        self.lost: list[FakeConnection] = []
        self.told: list[tuple[str, str]] = []
        self.link = self.make([Host("one", self.endpoint)])
        self.addCleanup(self.end)

    def make(self, hosts: list[Host], backoff: Backoff = BACKOFF) -> Link[FakeConnection]:
        steps: Steps[FakeConnection] = Steps(
            lambda: FakeConnection(self.clock),
            self.use,
            self.lost.append,
            lambda *told: self.told.append(told),
        )
        return Link(self.clock, hosts, steps, backoff, lambda: 1.0)

    async def use(self, connection: FakeConnection) -> None:
        await connection.ready

    def end(self) -> None:
        stopping = self.link.stop()
        self.clock.advance(0)
        self.successResultOf(stopping)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def connect(self) -> FakeConnection:
        connection: FakeConnection = self.endpoint.answer()
        return connection

    def used(self) -> FakeConnection:
        """A connection that has become useful."""
        connection = self.connect()
        connection.ready.callback(None)
        return connection

    def test_used_and_lost(self) -> None:
        """Every connection is used, its loss is told, and another one is made."""
        self.assertEqual(self.link.trouble, "not started")
        self.link.start()
        self.assertEqual(self.link.trouble, "connecting")
        first = self.used()
        self.assertEqual((self.lost, self.link.trouble), ([], ""))
        first.lose("gone")
        self.assertEqual((self.lost, self.link.trouble), ([first], "one: gone"))
        self.clock.advance(0.5)
        second = self.used()
        self.assertEqual((self.lost, self.link.trouble), ([first], ""))
        self.assertEqual(self.told, [("one", ""), ("one", "gone"), ("one", "")])
        second.lose("gone again")

    def test_useless(self) -> None:
        """A connection that cannot be used is ended with the reason."""
        self.link.start()
        connection = self.connect()
        connection.ready.errback(Useless("it speaks no AMQP"))
        self.assertEqual((connection.failed, self.lost), (["it speaks no AMQP"], [connection]))
        self.clock.advance(0)
        self.assertEqual(self.link.trouble, "one: it speaks no AMQP")

    def test_lost_while_it_is_prepared(self) -> None:
        """A connection that is lost before it is useful is one that cannot be used."""
        self.link.start()
        connection = self.connect()
        connection.lose("hung up")
        connection.ready.errback(Useless("lost"))
        self.assertEqual((self.lost, self.link.trouble), ([connection], "one: hung up"))
        self.clock.advance(0)

    def test_our_own_mistake(self) -> None:
        """An error of ours is logged, ends the connection, and the next one is made."""
        self.link.start()
        connection = self.connect()
        connection.ready.errback(ZeroDivisionError("x"))
        self.clock.advance(0)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.link.trouble, "one: ZeroDivisionError('x')")
        self.clock.advance(0.5)
        self.used()
        self.assertEqual((self.lost, self.link.trouble), ([connection], ""))

    def test_told_once(self) -> None:
        """The same trouble again is not told again."""
        self.endpoint.refuses = True
        self.link.start()
        self.clock.pump([1] * 10)
        ((host, trouble),) = self.told
        self.assertEqual((host, "refused" in trouble), ("one", True))

    def test_patience_is_new_after_use(self) -> None:
        """However often a useful connection is lost, the next one is tried after half a second."""
        self.link.start()
        for _ in range(5):
            self.used().lose("gone")
            self.clock.advance(0.5)
        self.assertEqual(len(self.endpoint.attempts), 1)

    def test_patience_is_not_new_after_connecting(self) -> None:
        """A connection that never became useful makes the next pause longer."""
        self.link.start()
        for pause in (0.5, 1.0, 2.0):
            connection = self.connect()
            connection.ready.errback(Useless("no"))
            self.clock.advance(0)
            self.clock.advance(pause / 2)
            self.assertEqual(self.endpoint.attempts, [])
            self.clock.advance(pause / 2)

    def test_stopped_anywhere(self) -> None:
        """`stop` ends it while it connects, is being prepared, is used, or waits."""
        steps: tuple[Callable[[], object], ...] = (
            lambda: None,
            self.connect,
            self.used,
            lambda: self.used().lose("gone"),
        )
        for step in steps:
            self.endpoint.attempts.clear()
            self.link.start()
            step()
            self.end()
            self.assertEqual(self.link.trouble, "stopped")
            self.successResultOf(self.link.stop())
        self.assertEqual((self.endpoint.cancelled, len(self.lost)), (1, 3))

    def test_stopped_while_it_ends(self) -> None:
        """`stop` waits for a connection that is just being ended."""
        self.link.start()
        self.connect().ready.errback(Useless("no"))
        stopping = self.link.stop()
        self.assertNoResult(stopping)
        self.clock.advance(0)
        self.successResultOf(stopping)

    def test_several_hosts(self) -> None:
        """They are tried in turn, one soon after the other."""
        self.link = self.make([Host(name, self.endpoint) for name in ("one", "two")])
        self.endpoint.refuses = True
        self.link.start()
        for pause in (0.1, 0.5, 0.1):
            self.clock.advance(pause)
        self.assertEqual([host for host, _ in self.told], ["one", "two", "one", "two"])


class BackoffTests(SynchronousTestCase):
    """`Backoff`."""

    def test_doubled(self) -> None:
        """It doubles from the first to the longest pause, of which half is left to chance."""
        pauses = [BACKOFF.delay_seconds(n, 1, 1.0) for n in (1, 2, 3, 7, 8, 10**6)]
        self.assertEqual(pauses, [0.5, 1, 2, 30, 30, 30])
        self.assertEqual(BACKOFF.delay_seconds(3, 1, 0.0), 1)

    def test_hosts(self) -> None:
        """While there are hosts untried there is hardly a pause."""
        pauses = [BACKOFF.delay_seconds(n, 2, 1.0) for n in (1, 2, 3, 4)]
        self.assertEqual(pauses, [0.1, 0.5, 0.1, 1])
