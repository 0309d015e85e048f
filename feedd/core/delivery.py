"""Deliveries: answers that are the same for many listeners."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from feedd.core.event import Event
from feedd.core.horizon import Horizon
from feedd.core.position import Position, Positions
from feedd.core.subscription import Listener, Pending, Subscription, in_order


class Delivery(NamedTuple):
    """
    One answer, and for whom it is.

    :ivar events: in the order in which they are told; none when a poll ends without any.
    :ivar text: the cursor after them, without a handle.
    :ivar listeners: each with the handle of its subscription; its cursor is ``text~handle``.
    """

    events: list[Event]
    text: str
    listeners: list[tuple[Listener, str]]


class _Group(NamedTuple):
    """A delivery, and the position of all whom it is for after it."""

    delivery: Delivery
    after: Position


def farewell(subscriptions: Iterable[Subscription]) -> list[Delivery]:
    """
    Take the listeners that wait on `subscriptions`, which have ended: no events, and the cursor
    that each had.
    """
    deliveries: list[Delivery] = []
    position = None
    for subscription in subscriptions:
        listener = subscription.unpark()
        if listener is None:
            continue
        if subscription.position is not position:
            position = subscription.position
            deliveries.append(Delivery([], position.text, []))
        deliveries[-1].listeners.append((listener, subscription.handle))
    return deliveries


def group(
    subscriptions: Iterable[Subscription],
    positions: Positions,
    horizon: Horizon,
    failed: Callable[[Subscription], None],
) -> list[Delivery]:
    """
    Take what is pending on `subscriptions`, and the listeners that wait on them.

    All who stand at the same position and get the same single event share one delivery; whoever
    gets several events has one of their own.

    :param horizon: how far the log is settled.
    :param failed: called in the handler of an exception, with the subscription whose answer could
        not be found; it keeps its listener.
    """
    grouping = _Grouping(positions, horizon)
    event = position = None
    for subscription in subscriptions:
        pending = subscription.pending
        # Most stand where the one before them stood, so this looks for no group as a rule.
        if pending is not event or subscription.position is not position:
            try:
                (_, _, listeners), after = grouping.of(subscription.position, pending)
            except Exception:
                failed(subscription)
                continue
            event, position = pending, subscription.position
        listeners.append((subscription.listener, subscription.handle))
        subscription.listener = subscription.pending = None
        subscription.position = after
    return grouping.deliveries


class _Grouping:
    def __init__(self, positions: Positions, horizon: Horizon) -> None:
        self.deliveries: list[Delivery] = []
        self._positions = positions
        self._horizon = horizon
        self._groups: dict[tuple[Position, int], _Group] = {}

    def of(self, position: Position, pending: Event | Pending | None) -> _Group:
        """The group of those who stand at `position` and get what is pending."""
        if not isinstance(pending, Event):
            return self._begin(position, in_order(pending))
        found = self._groups.get((position, pending.id))
        # An event may have lost its body for one viewer, and not for another.
        if found is None or found.delivery.events[0] is not pending:
            found = self._groups[position, pending.id] = self._begin(position, [pending])
        return found

    def _begin(self, position: Position, events: list[Event]) -> _Group:
        ids = [event.id for event in events]
        after = self._positions.after(position, self._horizon, ids)
        delivery = Delivery(events, after.text, [])
        self.deliveries.append(delivery)
        return _Group(delivery, after)
