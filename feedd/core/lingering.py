"""
When to look whether a subscription is still in use.
"""

from collections.abc import Iterator
from heapq import heappop, heappush

from feedd.core.subscription import Subscription


class Lingering:
    """
    The open subscriptions by the time since when each was idle, or was known to be in use.

    A subscription is put off without being moved: it is polled every moment, and looked at once in
    the linger time. Those that have ended are left where they are until then, or until they are
    more than those that have not.
    """

    def __init__(self) -> None:
        self._since: dict[float, list[Subscription]] = {}
        self._times: list[float] = []  # a heap
        self._count = 0

    def add(self, subscription: Subscription, since: float, open: int) -> None:
        """
        :param since: nobody needs to look at it before the linger time after this.
        :param open: how many are open.
        """
        if self._count > 2 * open + 1_000:
            self._sweep()
        self._put(subscription, since)

    def over(self, now: float, seconds: float) -> Iterator[Subscription | None]:
        """
        Look at those whose time may be over, and yield, for each look, the subscription that has
        been idle for `seconds`, or None.
        """
        while self._times and self._times[0] + seconds <= now:
            some = self._since[self._times[0]]
            while some:
                yield self._look(some.pop(), now, seconds)
            del self._since[heappop(self._times)]

    def _look(self, subscription: Subscription, now: float, seconds: float) -> Subscription | None:
        self._count -= 1
        if not subscription.open:
            return None
        since = now if subscription.listener is not None else subscription.idle_since
        if since + seconds <= now:
            return subscription
        self._put(subscription, since)  # which is later than the time that is being looked at
        return None

    def _put(self, subscription: Subscription, since: float) -> None:
        if since not in self._since:
            self._since[since] = []
            heappush(self._times, since)
        self._since[since].append(subscription)
        self._count += 1

    def _sweep(self) -> None:
        """Let go of those that have ended."""
        for some in self._since.values():
            some[:] = [subscription for subscription in some if subscription.open]
        self._count = sum(map(len, self._since.values()))
