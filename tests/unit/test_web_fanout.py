"""Deliveries, worked out and sent."""

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from feedd.core.delivery import Delivery
from feedd.web.fanout import FanOut
from feedd.web.rendering import Renderer, Rendering
from feedd.web.responses import Spelling
from tests.unit.core import post


class Waiter:
    """
    A listener that writes down what happens to it.

    :ivar fails: what it cannot do: "work out" or "send".
    """

    def __init__(self, log: list[Any], fails: str = "") -> None:
        self._log = log
        self._fails = fails

    def work_out(self, rendering: Rendering, handle: str) -> tuple["Waiter", bytes]:
        if self._fails == "work out":
            raise ZeroDivisionError
        self._log.append(handle)
        return self, rendering.document(handle)

    def send_now(self, data: bytes) -> None:
        if self._fails == "send":
            raise ZeroDivisionError
        self._log.append(data)


class FanOutTests(SynchronousTestCase):
    """`FanOut.deliver`."""

    def setUp(self) -> None:
        self.log: list[Any] = []
        self.failures: list[str] = []
        self.asked = 0
        self.broken_at = 0
        self.fan_out = FanOut(Renderer(Spelling(Clock().seconds), self.is_degraded), self.failed)

    def failed(self, counter: str, what: str) -> None:
        self.failures.append(counter)

    def is_degraded(self) -> bool:
        """Whether events come by the net only; it may fail when it is asked."""
        self.asked += 1
        return bool(1 // (self.asked - self.broken_at)) and False

    def delivery(self, number: int, **waiters: str) -> Delivery:
        """One event, for these."""
        listeners = [(Waiter(self.log, fails), handle) for handle, fails in waiters.items()]
        return Delivery([post(number)], f"k1.{number}", listeners)

    def document(self, number: int, handle: str) -> bytes:
        """The document that is expected."""
        return b'{"events":[%b],"cursor":"k1.%d~%b"}' % (
            post(number).json,
            number,
            handle.encode(),
        )

    def test_order(self) -> None:
        """All are worked out in their order, and then sent in it; the rest is asked for once."""
        self.fan_out.deliver([self.delivery(1, a="", b=""), self.delivery(2, c="")])
        documents = [self.document(1, "a"), self.document(1, "b"), self.document(2, "c")]
        self.assertEqual(self.log, ["a", "b", "c", *documents])
        self.assertEqual(self.asked, 2)

    def test_nobody(self) -> None:
        """With no delivery nothing happens."""
        self.fan_out.deliver([])
        self.assertEqual(self.log, [])

    def test_not_worked_out(self) -> None:
        """An answer that cannot be worked out takes no other with it."""
        self.fan_out.deliver([self.delivery(1, a="work out", b=""), self.delivery(2, c="")])
        self.assertEqual(self.log[2:], [self.document(1, "b"), self.document(2, "c")])
        self.assertEqual(self.failures, ["fanout_failed"])

    def test_not_sent(self) -> None:
        """Nor does one that cannot be sent."""
        self.fan_out.deliver([self.delivery(1, a="send", b=""), self.delivery(2, c="")])
        self.assertEqual(self.log[3:], [self.document(1, "b"), self.document(2, "c")])
        self.assertEqual(self.failures, ["fanout_failed"])

    def test_not_rendered(self) -> None:
        """Nor a delivery that cannot be rendered."""
        self.broken_at = 1
        self.fan_out.deliver([self.delivery(1, a=""), self.delivery(2, b="")])
        self.assertEqual(self.log, ["b", self.document(2, "b")])
        self.assertEqual(self.failures, ["fanout_failed"])
