"""What is complained of is counted always and logged sometimes."""

from typing import Any

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from feedd.core.counters import Counters
from feedd.reactor.complaints import MAX_TEXT, Complaints


class ComplaintsTests(SynchronousTestCase):
    """`Complaints`."""

    def test_logged_once_a_minute(self) -> None:
        """Each counter is logged once a minute, in a few words, and counted always."""
        now, counters = [0.0], Counters()
        complain = Complaints(counters, lambda: now[0])
        logged: list[tuple[str, str]] = []
        self.watch_log(logged)
        for second, name in ((0, "a"), (1, "a"), (2, "b"), (59, "a"), (60, "a")):
            now[0] = second
            complain(name, "x" * 1000)
        self.assertEqual(logged, [(name, "x" * MAX_TEXT) for name in ("a", "b", "a")])
        self.assertEqual(counters.snapshot(), {"a": 4, "b": 1})

    def test_failures(self) -> None:
        """Of exceptions the first of a minute is logged, with its traceback; all are counted."""
        now, counters = [0.0], Counters()
        complaints = Complaints(counters, lambda: now[0])
        for now[0] in (0, 1, 59, 60):
            try:
                raise ZeroDivisionError(now[0])
            except ZeroDivisionError:
                complaints.failed("a_failed", "what it was")
        logged = self.flushLoggedErrors(ZeroDivisionError)
        self.assertEqual([failure.value.args for failure in logged], [(0,), (60,)])
        self.assertEqual(counters.snapshot(), {"a_failed": 4})

    def watch_log(self, logged: list[tuple[str, str]]) -> None:
        """Note the counters and reasons that are logged."""

        def observe(event: Any) -> None:
            if event.get("log_namespace", "").startswith("feedd.reactor.complaints"):
                logged.append((event["counter"], event["why"]))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
