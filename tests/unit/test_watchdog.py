"""A reactor that stands still is noticed, and where."""

import sys
import threading
from types import FrameType
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from feedd.core.counters import Counters
from feedd.reactor.watchdog import BEAT_SECONDS, LOG_SECONDS, STALL_SECONDS, Heart, Watchdog


class HeartTests(SynchronousTestCase):
    """`Heart`, looked at as often as it wants to be."""

    def setUp(self) -> None:
        self.now = 100.0
        self.counters = Counters()
        self.look_at = self.beat_at = 0.0
        self.frames: dict[int, FrameType] = {threading.get_ident(): sys._getframe()}
        self.heart = Heart(lambda: self.now, lambda: self.frames, self.counters)

    def begin(self) -> None:
        """A reactor that turns."""
        self.look_at = self.now + self.heart.look()
        self.heart.beat()
        self.beat_at = self.now + BEAT_SECONDS

    def run_for(self, seconds: float, beating: bool = True) -> list[str]:
        """Let time go by; what was logged."""
        end = self.now + seconds
        with capturedLogs() as logs:
            while self.now < end:
                self.now = min(self.look_at, self.beat_at if beating else end, end)
                if self.now == self.look_at:
                    self.look_at += self.heart.look()
                elif self.now == self.beat_at:
                    self.heart.beat()
                    self.beat_at += BEAT_SECONDS
        return [str(log["log_format"]).format(**log) for log in logs]

    def test_a_reactor_that_turns(self) -> None:
        """Says nothing."""
        self.begin()
        self.assertEqual((self.run_for(10.0), self.counters.snapshot()), ([], {}))

    def test_one_that_does_not_turn_yet(self) -> None:
        """Is not waited for."""
        self.look_at = self.now + self.heart.look()
        self.assertEqual(self.run_for(10.0, beating=False), [])

    def test_a_stall(self) -> None:
        """
        Is logged once, when it has lasted long enough, with the function's name and the stack; when
        it is over it is counted, and its whole length is logged.
        """
        self.begin()
        self.run_for(1.07)
        self.heart.beat()
        self.assertEqual(self.run_for(STALL_SECONDS - 0.01, beating=False), [])
        (line,) = self.run_for(20.0, beating=False)
        name = "tests.unit.test_watchdog.HeartTests.setUp"
        self.assertIn(f"has stood still for 0.20 seconds, in {name} (line ", line)
        self.assertIn("in setUp", line)
        self.assertEqual(self.counters["reactor_stalls"], 0)
        with capturedLogs() as logs:
            self.heart.beat()
        self.assertEqual(self.counters["reactor_stalls"], 1)
        (log,) = logs
        line = str(log["log_format"]).format(**log)
        self.assertIn(f"has stood still for 20.19 seconds in all, in {name}", line)

    def test_the_function_of_feedd(self) -> None:
        """Is named, also where it has called another library."""
        code = "def dispatch(call): return call()"
        module: dict[str, Any] = {"__name__": "feedd.core.hub"}
        exec(code, module)  # a function of that module
        self.frames[threading.get_ident()] = module["dispatch"](lambda: sys._getframe())
        self.begin()
        (line,) = self.run_for(1.0, beating=False)
        self.assertIn("in feedd.core.hub.dispatch (line 1), and is here", line)

    def test_many_stalls(self) -> None:
        """Each is counted; one a second is logged."""
        self.begin()
        lines = []
        for _ in range(20):
            self.heart.beat()
            lines += self.run_for(0.25, beating=False)
        self.heart.beat()
        self.assertEqual((len(lines), self.counters["reactor_stalls"]), (5 / LOG_SECONDS, 20))

    def test_the_whole_process(self) -> None:
        """
        When the watching thread is late too it says that the code it shows need not be the cause.
        """
        self.begin()
        self.now += 30.0
        with capturedLogs() as logs:
            self.heart.look()
        (log,) = logs
        self.assertIn(
            "30.00 seconds, with the whole process or in", str(log["log_format"]).format(**log)
        )

    def test_a_thread_that_has_ended(self) -> None:
        """Has no stack."""
        self.begin()
        self.frames.clear()
        (line,) = self.run_for(1.0, beating=False)
        self.assertIn("its thread has ended", line)
        self.heart.beat()


class WatchdogTests(SynchronousTestCase):
    """`Watchdog`."""

    def test_stopping(self) -> None:
        """Leaves neither a thread nor a timer, and may be done twice; it can begin again."""
        clock: Any = Clock()
        watchdog = Watchdog(clock, Counters())
        for _ in range(2):
            watchdog.startService()
            clock.advance(BEAT_SECONDS)
            self.assertEqual(
                [thread.name for thread in threading.enumerate()].count("feedd-watchdog"), 1
            )
            watchdog.stopService()
            watchdog.stopService()
            self.assertEqual(
                [thread.name for thread in threading.enumerate()].count("feedd-watchdog"), 0
            )
        self.assertEqual(clock.getDelayedCalls(), [])
