"""
The viewers who are here and their subscriptions: who comes, who goes, and what has to be let go of
then.
"""

from collections.abc import Callable, Sequence
from itertools import islice

from feedd.core.audience import Audiences
from feedd.core.delivery import Delivery, farewell
from feedd.core.lingering import Lingering
from feedd.core.slices import Job, Slices
from feedd.core.subscription import Subscription
from feedd.core.viewer import Viewer

ANSWER = 8
"""Units of work that it costs to answer a listener,"""

LEAVE = 2
"""and to let go of a viewer and of those who hear them."""

OLDEST = 100
"""Subscriptions of a user that are looked at to find one on which nobody waits."""


class Roster:
    """
    The subscriptions of a process by handle, and their viewers by name. Everybody hears themselves.

    To end one, or many, is a constant amount of work for each. Many are marked as ended at once;
    they are let go of, and their listeners answered with no events, in slices.

    :param instance: the prefix of the handles.
    :param slices: does what is long.
    :param deliver: answers listeners; never raises.
    :ivar viewers: those with an open subscription.
    :ivar subscriptions: those that are open, and those that have ended until they are let go of.
    """

    def __init__(
        self,
        audiences: Audiences,
        instance: str,
        slices: Slices,
        deliver: Callable[[Sequence[Delivery]], None],
    ) -> None:
        self.viewers: dict[str, Viewer] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self._audiences = audiences
        self._instance = instance
        self._slices = slices
        self._deliver = deliver
        self._lingering = Lingering()
        self._displaced: set[str] = set()
        self._expiring = False
        self._opened = 0

    def open(self, viewer: str, now: float) -> Subscription:
        """Open a subscription of `viewer`."""
        self._opened += 1
        subscription = Subscription(viewer, f"{self._instance}{self._opened:x}", now)
        self.subscriptions[subscription.handle] = subscription
        self._lingering.add(subscription, now, len(self.subscriptions))
        entry = self.viewers.get(viewer)
        if entry is None:
            entry = self.viewers[viewer] = Viewer(viewer)
            (entry.own,) = self._audiences.join(entry, (viewer,))
        entry.add(subscription)
        return subscription

    def close(self, subscription: Subscription) -> None:
        """End an open one, whose listener is the caller's to answer."""
        left = self._remove(subscription)
        if left is not None:
            self._slices.begin(self._leave(left))

    def make_room(self, entry: Viewer) -> bool:
        """
        End one of a viewer's subscriptions, which are as many as they may be: the first of the
        oldest on which nobody waits, else the oldest. Returns whether it did.

        The client of one that is waited on comes again at once, and would end the next: that is
        done once between two calls of `expire`, about a second.
        """
        oldest = next(iter(entry.subscriptions))
        idle = (each for each in islice(entry.subscriptions, OLDEST) if each.listener is None)
        ended = next(idle, oldest)
        if ended.listener is not None:
            if entry.name in self._displaced:
                return False
            self._displaced.add(entry.name)
        entry.remove(ended)
        ended.end()
        self._slices.put_off(self._let_go((ended,)))
        return True

    def close_viewer(self, viewer: str) -> int:
        """End all subscriptions of `viewer`; returns how many there were."""
        entry = self.viewers.pop(viewer, None)
        if entry is None:
            return 0
        ended, entry.subscriptions = list(entry.subscriptions), ()
        for subscription in ended:
            subscription.end()
        self._slices.begin(self._let_go(ended))
        self._slices.begin(self._leave(entry))
        return len(ended)

    def close_all(self) -> None:
        """End all subscriptions."""
        entries, self.viewers = list(self.viewers.values()), {}
        for entry in entries:
            entry.subscriptions = ()
        ended = list(self.subscriptions.values())
        for subscription in ended:  # 100,000 of them: 5 ms, which a call for each would double
            subscription.open = False
            subscription.pending = None
        self._slices.begin(self._let_go(ended))
        self._slices.begin(units for entry in entries for units in self._leave(entry))

    def expire(self, now: float, linger_seconds: float) -> None:
        """End those on which no listener has waited for `linger_seconds`."""
        self._displaced.clear()
        if not self._expiring:
            self._expiring = True
            self._slices.begin(self._expire(now, linger_seconds))

    def _expire(self, now: float, linger_seconds: float) -> Job:
        try:
            for subscription in self._lingering.over(now, linger_seconds):
                left = self._remove(subscription) if subscription is not None else None
                if left is not None:
                    yield from self._leave(left)
                yield 1
        finally:
            self._expiring = False

    def _remove(self, subscription: Subscription) -> Viewer | None:
        """End an open one; returns its viewer if it was their last."""
        del self.subscriptions[subscription.handle]
        subscription.end()
        entry = self.viewers[subscription.viewer]
        entry.remove(subscription)
        if entry.subscriptions:
            return None
        return self.viewers.pop(entry.name)

    def _let_go(self, ended: Sequence[Subscription]) -> Job:
        """Forget subscriptions that have ended, and answer their listeners."""
        chunk = 1 + self._slices.chunk // ANSWER
        for start in range(0, len(ended), chunk):
            some = ended[start : start + chunk]
            for subscription in some:
                self.subscriptions.pop(subscription.handle, None)
            deliveries = farewell(some)
            if deliveries:
                self._deliver(deliveries)
            yield len(some) + ANSWER * sum(len(delivery.listeners) for delivery in deliveries)

    def _leave(self, entry: Viewer) -> Job:
        """Take a viewer, whose last subscription has ended, out of all audiences."""
        entry.new_list = None
        forget = self._audiences.forget
        own, entry.own = entry.own, None
        if own is not None:
            forget(own)
            yield LEAVE
        while mine := entry.audiences:
            some = mine[-self._slices.chunk :]
            del mine[-self._slices.chunk :]
            for audience in some:
                forget(audience)
            yield len(some)
