"""A time limit that a busy reactor does not make shorter."""

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from feedd.reactor.time_limit import limited


class Limits(SynchronousTestCase):
    """`limited` to two seconds."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.heard = 0
        self.begin()
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def begin(self) -> None:
        self.answer: Deferred[int] = Deferred()
        self.limited = limited(self.answer, 2, self.clock, lambda: self.heard)

    def begin_behind(self, turns: int) -> None:
        """
        Begin, on a reactor that reads something in each of the next `turns` turns after the time is
        over.
        """
        self.limited.cancel()
        self.failureResultOf(self.limited, CancelledError)
        self.clock.callLater(2, self.clock.callLater, 0, self.turn_brings, turns)
        self.begin()

    def turn_brings(self, turns: int) -> None:
        """Let something come in each of the next `turns` turns."""
        if turns:
            self.heard += 1
            self.clock.callLater(0, self.turn_brings, turns - 1)
        elif self.heard > 3:
            self.answer.callback(1)

    def test_in_time(self) -> None:
        """An answer within the time is given."""
        self.clock.advance(1.9)
        self.answer.callback(1)
        self.assertEqual(self.successResultOf(self.limited), 1)

    def test_too_late(self) -> None:
        """
        After it the answer is cancelled, and that is a `TimeoutError`, even if something came
        earlier.
        """
        self.heard = 7
        self.clock.advance(2)
        self.failureResultOf(self.limited, TimeoutError)

    def test_read_after_a_long_turn(self) -> None:
        """
        What is read turn by turn is not too late, however many turns it takes: timers come first in
        a turn.
        """
        self.begin_behind(5)
        self.clock.advance(2)
        self.assertEqual(self.successResultOf(self.limited), 1)

    def test_silent_again(self) -> None:
        """A turn that brings nothing ends it."""
        self.begin_behind(2)
        self.clock.advance(2)
        self.failureResultOf(self.limited, TimeoutError)

    def test_cancelled(self) -> None:
        """Who goes away cancels the answer."""
        self.limited.cancel()
        self.failureResultOf(self.limited, CancelledError)
