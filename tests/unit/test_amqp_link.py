"""One connection after the other, whatever becomes of each."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from feedd.amqp.hosts import Host
from feedd.amqp.link import Link, delay_seconds
from feedd.amqp.protocol.client import Client
from tests.unit.amqp_peer import LOGIN, FakeRabbit


class LinkTests(SynchronousTestCase):
    """`Link`."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.rabbit = FakeRabbit(self.clock)
        self.used: list[Client] = []
        self.lost = 0
        self.link = self.make(self.use)

    def make(self, use: Callable[[Client], Any]) -> Link:
        clock: Any = self.clock
        hosts = [Host("rabbit:1", self.rabbit)]
        return Link(
            clock,
            hosts,
            lambda: Client(LOGIN, clock, print, print, 0),
            use,
            self.count_lost,
            lambda: 1.0,
        )

    def count_lost(self) -> None:
        self.lost += 1

    async def use(self, client: Client) -> None:
        self.used.append(client)

    def test_used_and_lost(self) -> None:
        """Every connection that is logged in is used, and its loss told."""
        self.link.start()
        self.rabbit.run()
        self.assertEqual((len(self.used), self.lost, self.link.trouble), (1, 0, ""))
        self.rabbit.wires[0].hang_up()
        self.rabbit.run()
        self.assertEqual((self.lost, self.link.trouble[:10]), (1, "rabbit:1: "))
        self.rabbit.pass_time(0.5)
        self.assertEqual((len(self.used), self.lost, self.link.trouble), (2, 1, ""))
        self.end()

    def end(self) -> None:
        stopping = self.link.stop()
        self.rabbit.run()
        self.successResultOf(stopping)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_our_own_mistake(self) -> None:
        """
        An error of ours in the use of a connection is logged, ends it, and the next one is made.
        """

        async def use(client: Client) -> None:
            self.used.append(client)
            if len(self.used) == 1:
                raise ZeroDivisionError("x")

        self.link = self.make(use)
        self.link.start()
        self.rabbit.run()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual((self.lost, self.link.trouble), (1, "rabbit:1: ZeroDivisionError('x')"))
        self.rabbit.pass_time(0.5)
        self.assertEqual((len(self.used), self.link.trouble), (2, ""))
        self.end()

    def test_patience_is_new_after_use(self) -> None:
        """However often a useful connection is lost, the next one is tried after half a second."""
        self.link.start()
        self.rabbit.run()
        for number in range(1, 5):
            self.rabbit.wires[-1].hang_up()
            self.rabbit.run()
            self.rabbit.pass_time(0.5)
            self.assertEqual(len(self.used), number + 1)
        self.end()

    def test_stopped_anywhere(self) -> None:
        """
        `stop` ends it while it connects, logs in, is used, or waits, and leaves nothing behind.
        """
        for silent, refuse in (
            ("Connection.StartOk", False),
            ("Connection.Open", False),
            ("", False),
            ("", True),
        ):
            self.rabbit.silent, self.rabbit.refuse = {silent}, refuse
            self.link = self.make(self.use)
            self.link.start()
            self.rabbit.run()
            self.end()
            self.assertEqual(self.link.trouble, "stopped")
            self.successResultOf(self.link.stop())

    def test_stopped_while_connecting(self) -> None:
        """Also before there is a connection at all."""
        cancelled: list[int] = []

        class Slow:
            def connect(self, factory: Any) -> "Deferred[Any]":
                return Deferred(lambda deferred: cancelled.append(1))

        clock: Any = self.clock
        self.link = Link(
            clock,
            [Host("slow:1", Slow())],
            lambda: self.used[0],
            self.use,
            self.count_lost,
            lambda: 1.0,
        )
        self.link.start()
        self.end()
        self.assertEqual(cancelled, [1])

    def test_delays(self) -> None:
        """
        Doubling from half a second to half a minute, at least half of that; hardly any while hosts
        are untried.
        """
        self.assertEqual(
            [delay_seconds(n, 1, 1.0) for n in (1, 2, 3, 7, 8, 10**6)], [0.5, 1, 2, 30, 30, 30]
        )
        self.assertEqual(delay_seconds(3, 1, 0.0), 1)
        self.assertEqual([delay_seconds(n, 2, 1.0) for n in (1, 2, 3, 4)], [0.1, 0.5, 0.1, 1])
