"""A process as it is wired: one event to many parked polls lets the reactor breathe."""

import select
from types import SimpleNamespace
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from feedd.feed.settings import Config
from feedd.tap import ANSWERS_A_TURN, EVENTS_A_TURN, EVENTS_MEANWHILE, Process, make_watch
from tests.unit.core import post


class FlushTests(SynchronousTestCase):
    """Answers in slices."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.process = Process(Config(), self.reactor)
        self.answered: list[int] = []

    def park(self, number: int) -> None:
        """So many viewers of bob, parked."""
        for index in range(number):
            subscription = self.process.feed.hub.open(f"v{index}")
            self.process.feed.hub.set_friends(f"v{index}", ["bob"], {})
            subscription.start(0, (), ())
            self.process.feed.hub.park(
                subscription, lambda events, cursor, index=index: self.answered.append(index)
            )

    def turn(self) -> int:
        """One turn of the reactor; returns how many were answered in it."""
        before = len(self.answered)
        for call in tuple(self.reactor.getDelayedCalls()):
            flush = call.func
            call.cancel()
            flush()
        return len(self.answered) - before

    def test_few(self) -> None:
        """A few are answered in one turn, and nothing is left to do."""
        self.park(ANSWERS_A_TURN)
        self.process.feed.log.offer(post(1))
        self.assertEqual((self.turn(), self.reactor.getDelayedCalls()), (ANSWERS_A_TURN, []))

    def test_many(self) -> None:
        """Many are answered in as many turns as it takes, in their order, everybody once."""
        number = 2 * ANSWERS_A_TURN + 1
        self.park(number)
        self.process.feed.log.offer(post(1))
        self.assertEqual([self.turn() for _ in range(4)], [ANSWERS_A_TURN, ANSWERS_A_TURN, 1, 0])
        self.assertEqual((self.answered, self.reactor.getDelayedCalls()), (list(range(number)), []))

    def test_next_event(self) -> None:
        """
        What comes between two turns is answered with the rest, and the event after them all as
        ever.
        """
        self.park(ANSWERS_A_TURN + 1)
        self.process.feed.log.offer(post(1))
        self.turn()
        self.process.feed.log.offer(post(2))
        self.assertEqual([self.turn(), self.turn()], [1, 0])
        self.park(1)
        self.process.feed.log.offer(post(3))
        self.assertEqual(self.turn(), 1)

    def test_sent(self) -> None:
        """What was kept during a turn of the fan-out is sent at its end."""
        sent: list[bytes] = []
        sender: Any = SimpleNamespace(send_now=sent.append)
        subscription = self.process.feed.hub.open("bob")
        self.process.feed.hub.park(
            subscription, lambda events, cursor: self.process.outbox.keep(sender, b"an answer")
        )
        self.process.feed.log.offer(post(1))
        self.reactor.advance(0)
        self.assertEqual((sent, self.process.outbox.is_open), ([b"an answer"], False))

    def test_failure(self) -> None:
        """What comes after a flush that failed is answered: there is another one."""
        self.park(2)
        flush, self.process.feed.hub.flush = self.process.feed.hub.flush, lambda *_: 1 / 0  # type: ignore[method-assign,assignment]
        self.process.feed.log.offer(post(1))
        self.assertRaises(ZeroDivisionError, self.turn)
        self.process.feed.hub.flush = flush  # type: ignore[method-assign]
        self.assertEqual(
            (self.process.outbox.is_open, self.turn(), self.answered), (False, 2, [0, 1])
        )

    def test_polls_meanwhile(self) -> None:
        """
        Between the turns of a fan-out few polls are read, so that those who wait are not kept
        waiting.
        """
        watch = make_watch(self.process)
        assert watch is not None
        self.park(ANSWERS_A_TURN + 1)
        self.assertEqual(watch.most(), EVENTS_A_TURN)
        self.process.feed.log.offer(post(1))
        self.turn()
        self.assertEqual(watch.most(), EVENTS_MEANWHILE)
        self.turn()
        self.assertEqual(watch.most(), EVENTS_A_TURN)

    def test_no_epoll(self) -> None:
        """Where there is no epoll the reactor reads."""
        self.patch(select, "epoll", None)
        del select.epoll
        self.assertIsNone(make_watch(self.process))
