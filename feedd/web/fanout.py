"""
The fan-out: deliveries are worked out and sent.

How much is done in one turn of the reactor, and at once, stands here: the figures depend on each
other.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from feedd.core.delivery import Delivery
from feedd.web.rendering import Renderer, Rendering

ANSWERS_A_TURN = 1000
"""Some 10 ms; a fan-out to more lets the reactor have its turn in between."""

WORK_A_TURN = 2000
"""Units of the hub's other work: some 3 ms, after the answers; see `feedd.core.slices`."""

ANSWERS_AT_ONCE = 100
"""
Worked out before they are sent. It is enough for the processor's caches, and the first clients need
not wait until the last answers have been worked out.
"""

EVENTS_A_TURN = 250
"""Some 2 ms of polls that come in; see `feedd.reactor.turn_limit`."""

EVENTS_MEANWHILE = 25
"""
The same between the turns of a fan-out: those who have been answered already, and poll again, wait
for those who have not.
"""


class Sender(Protocol):
    """The connection or request that an answer is sent on."""

    def send_now(self, data: bytes) -> None:
        """Send at once."""


class Waiter(Protocol):
    """A listener of the web: each that a `feedd.feed.polling.Poll` is made for is one."""

    def work_out(self, rendering: Rendering, handle: str) -> tuple[Sender, bytes]:
        """
        Take note that the wait is over; returns the answer, and the sender for it.

        :param handle: that of the cursor.
        """


class FanOut:
    """Delivers to the listeners of the web."""

    def __init__(self, renderer: Renderer, failed: Callable[[str, str], None]) -> None:
        """
        :param failed: counts the exception that is being handled, and logs it from time to time.
        """
        self._renderer = renderer
        self._failed = failed

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """
        Answer all listeners, `ANSWERS_AT_ONCE` of them as a rule; never raises.

        An answer that cannot be worked out or sent takes no other with it.
        """
        answers: list[tuple[Sender, bytes]] = []
        for delivery in deliveries:
            try:
                self._work_out(delivery, answers)
            except Exception:
                self._failed("fanout_failed", "a delivery was not worked out")
        # A second loop, because a system call drives what Python is doing out of the processor's
        # caches: the Python of a delivery and its next poll takes 4 us alone, and took 12 between
        # two calls.
        for sender, data in answers:
            try:
                sender.send_now(data)
            except Exception:
                self._failed("fanout_failed", "an answer was not sent")

    def _work_out(self, delivery: Delivery, answers: list[tuple[Sender, bytes]]) -> None:
        rendering = self._renderer.rendering(delivery)
        waiter: Waiter
        for waiter, handle in delivery.listeners:
            try:
                answers.append(waiter.work_out(rendering, handle))
            except Exception:
                self._failed("fanout_failed", "an answer was not worked out")
