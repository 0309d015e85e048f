"""
A process as it is wired: one event to many parked polls lets the reactor breathe, and the first
start says what to open.
"""

from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from feedd.core.position import Position
from feedd.feed.settings import Auth, Config
from feedd.process import (
    Process,
    make_announcement,
    make_batch_reader,
)
from feedd.web.fanout import ANSWERS_A_TURN, EVENTS_A_TURN, EVENTS_MEANWHILE
from feedd.web.rendering import Rendering
from tests.unit.core import post


class Waiter:
    """A listener that notes its number when it is sent an answer."""

    def __init__(self, number: int, answered: list[int]) -> None:
        self._number = number
        self._answered = answered

    def work_out(self, rendering: Rendering, handle: str) -> tuple["Waiter", bytes]:
        return self, rendering.document(handle)

    def send_now(self, data: bytes) -> None:
        self._answered.append(self._number)


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
            subscription.start(Position(0), ())
            self.process.feed.hub.park(subscription, Waiter(index, self.answered))

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

    def test_polls_meanwhile(self) -> None:
        """
        Between the turns of a fan-out few polls are read, so that those who wait are not kept
        waiting.
        """
        reader = make_batch_reader(self.reactor, self.process.feed.hub)
        assert reader is not None
        self.park(ANSWERS_A_TURN + 1)
        self.assertEqual(reader.most(), EVENTS_A_TURN)
        self.process.feed.log.offer(post(1))
        self.turn()
        self.assertEqual(reader.most(), EVENTS_MEANWHILE)
        self.turn()
        self.assertEqual(reader.most(), EVENTS_A_TURN)

    def test_no_epoll(self) -> None:
        """Where there is no epoll the reactor reads."""
        self.assertIsNone(make_batch_reader(self.reactor, self.process.feed.hub, None))


class AnnouncementTests(SynchronousTestCase):
    """The first start says what to open."""

    def said(self, config: Config, address: str) -> list[str]:
        """What is logged when a process of this configuration listens there."""
        with capturedLogs() as events:
            make_announcement(config)(address)
        return [formatEvent(event) for event in events]

    def test_page(self) -> None:
        """Without a configuration there is a page to open."""
        address = "http://127.0.0.1:8080/"
        self.assertEqual(self.said(Config(), address), [f"open {address}"])

    def test_no_page(self) -> None:
        """Where there is none, or a browser cannot go, the address is named."""
        config = Config(auth=Auth(mode="http"))
        address = "http://0.0.0.0:80/"
        self.assertEqual(self.said(config, address), [f"listening on {address}"])
        address = "unix:/run/feedd.sock"
        self.assertEqual(self.said(Config(), address), [f"listening on {address}"])
