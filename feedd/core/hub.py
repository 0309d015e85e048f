"""
The subscriptions of a process, and the way of an event from its dispatch to the listeners.
"""

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple, Protocol

from feedd.core.audience import Audiences, Follower, Viewer
from feedd.core.delivery import Delivery, group
from feedd.core.event import FRIEND_KINDS, Event
from feedd.core.horizon import Horizon
from feedd.core.position import Positions
from feedd.core.subscription import Listener, Subscription


class HubFull(Exception):
    """There are as many subscriptions as there may be."""


class HubOwner(Protocol):
    """The feed that a hub belongs to, as far as the hub needs it."""

    def wake(self) -> None:
        """Call `Hub.flush` soon. It is asked for once, and again only after that call."""

    def friends_changed(self, viewers: Collection[str]) -> None:
        """Take note that the friends of `viewers` have changed."""

    def recall(self, since: int, author: str) -> list[Event] | None:
        """The events of `author` after event `since`; None when that is too long ago."""

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Answer the listeners of `deliveries`, who do not wait any more."""


class HubLimits(NamedTuple):
    """
    The bounds of a hub.

    :ivar pending: events on one subscription; with more it overflows, and is ended.
    :ivar subscriptions: subscriptions in all.
    """

    pending: int
    subscriptions: int


class Hub:
    """
    All subscriptions of this process.

    :param follower: follows the authors who are heard here.
    :param owner: the feed; it flushes, forgets friend lists and knows earlier events.
    :param instance: the prefix of this process's handles, [A-Za-z0-9], at most 8 characters.
    :param now: seconds of the clock that `expire` is called with.
    :ivar audiences: who hears whom.
    """

    def __init__(
        self,
        follower: Follower,
        owner: HubOwner,
        instance: str,
        limits: HubLimits,
        now: float = 0.0,
    ) -> None:
        self.audiences = Audiences(follower)
        self._owner = owner
        self._instance = instance
        self._limits = limits
        self._opened = 0
        self._now = now
        self._positions = Positions()
        self._viewers: dict[str, Viewer] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._ready: dict[Subscription, None] = {}  # a set that keeps its order
        self._changed: set[str] = set()

    def __len__(self) -> int:
        return len(self._subscriptions)

    def __iter__(self) -> Iterator[Subscription]:
        return iter(self._subscriptions.values())

    @property
    def is_empty(self) -> bool:
        """Whether nothing is kept: no subscription, no audience, and nothing to flush."""
        return not (
            self._subscriptions or self._viewers or self.audiences or self._ready or self._changed
        )

    @property
    def parked(self) -> int:
        """The number of listeners that wait; this looks at every subscription."""
        return sum(
            subscription.listener is not None for subscription in self._subscriptions.values()
        )

    @property
    def is_busy(self) -> bool:
        """Whether `flush` has listeners to answer."""
        return bool(self._ready)

    @property
    def ready(self) -> tuple[Subscription, ...]:
        """The subscriptions that `flush` answers next, in their order."""
        return tuple(self._ready)

    def open(self, viewer: str) -> Subscription:
        """
        A new subscription of `viewer`. From now on the events of the authors whom they hear, at
        least their own, are pending on it.

        :raises HubFull: when there are as many as there may be.
        """
        if len(self._subscriptions) >= self._limits.subscriptions:
            raise HubFull
        self._opened += 1
        subscription = Subscription(viewer, f"{self._instance}{self._opened:x}", self._now)
        self._subscriptions[subscription.handle] = subscription
        entry = self._viewers.get(viewer)
        if entry is None:
            entry = self._viewers[viewer] = Viewer(viewer)
            self.audiences.hear(entry, (viewer,))
        entry.subscriptions += (subscription,)
        return subscription

    def set_friends(
        self, viewer: str, friends: Collection[str], changes: Mapping[str, Event]
    ) -> None:
        """
        Let `viewer` hear `friends` and themselves, and nobody else; nothing happens when all their
        subscriptions have ended.

        :param changes: by friend, the newest change that `friends` takes into account; an older one
            has no effect when it comes.
        """
        entry = self._viewers.get(viewer)
        if entry is None:
            return
        for change in changes.values():
            entry.is_news(change)
        wanted = {viewer, *friends}
        heard = {audience.author for audience in entry.audiences}
        self.audiences.hear(entry, wanted - heard)
        for author in heard - wanted:
            self._unfriend(entry, author)

    def hears(self, viewer: str, author: str) -> bool:
        """Whether `viewer` has a subscription here and hears `author`."""
        entry = self._viewers.get(viewer)
        return entry is not None and entry.audience(author) is not None

    def find(self, handle: str, viewer: str, cursor: str) -> Subscription | None:
        """
        The subscription of `viewer` that has issued `cursor`, and no other cursor since; None when
        it has ended or overflowed.
        """
        subscription = self._subscriptions.get(handle)
        if (
            subscription is None
            or subscription.viewer != viewer
            or subscription.issued != cursor
            or subscription.overflowed
        ):
            return None
        return subscription

    def park(self, subscription: Subscription, listener: Listener) -> None:
        """
        Let `listener` wait for the next event of `subscription`.

        A listener that waits already is ended first. When the subscription has ended, `listener` is
        answered at once; when events are pending, by the next `flush`.
        """
        self.end(subscription)
        subscription.park(listener)
        if not subscription.open:
            self.end(subscription)
        elif subscription.pending or subscription.overflowed:
            self._awake(subscription)

    def park_again(self, subscription: Subscription, listener: Listener) -> bool:
        """
        `park` in the frequent case: let `listener` wait when the subscription is open, no other
        listener waits and nothing is pending. Otherwise return False.
        """
        if (
            subscription.listener is not None
            or subscription.pending
            or subscription.overflowed
            or not subscription.open
        ):
            return False
        subscription.listener = listener
        return True

    def end(self, subscription: Subscription) -> None:
        """
        Answer the listener that waits, if any, with no events and the same cursor. The subscription
        stays for a while, see `expire`.
        """
        self.answer(subscription, [])

    def answer(self, subscription: Subscription, events: list[Event]) -> None:
        """Answer the listener that waits, if any, with events that `take` has returned."""
        listener = subscription.unpark()
        if listener is not None:
            subscription.idle_since = self._now
            text = subscription.position.text
            self._owner.deliver([Delivery(events, text, [(listener, subscription.handle)])])

    def take(self, subscription: Subscription, horizon: Horizon) -> list[Event]:
        """Take all that is pending on `subscription`, see `Subscription.take`."""
        return subscription.take(self._positions, horizon)

    def leave(self, subscription: Subscription) -> None:
        """
        Forget the listener that waits, because its connection is gone or its time is over. The
        subscription stays for a while, see `expire`.
        """
        subscription.unpark()
        subscription.idle_since = self._now

    def close(self, subscription: Subscription) -> None:
        """
        End `subscription`, which may have ended before; a listener that waits is answered with no
        events.
        """
        if self._subscriptions.pop(subscription.handle, None) is None:
            return
        subscription.open = False
        self._ready.pop(subscription, None)
        entry = self._viewers[subscription.viewer]
        entry.subscriptions = tuple(
            other for other in entry.subscriptions if other is not subscription
        )
        if not entry.subscriptions:
            del self._viewers[entry.name]
            self.audiences.forget(entry)
        self.end(subscription)

    def close_viewer(self, viewer: str) -> int:
        """End all subscriptions of `viewer`; returns how many there were."""
        entry = self._viewers.get(viewer)
        subscriptions = entry.subscriptions if entry else ()
        for subscription in subscriptions:
            self.close(subscription)
        return len(subscriptions)

    def close_all(self) -> None:
        """End all subscriptions."""
        for subscription in tuple(self._subscriptions.values()):
            self.close(subscription)

    def expire(self, now: float, linger_seconds: float) -> None:
        """
        End the subscriptions on which no listener has waited for `linger_seconds`; to be called
        about once a second.
        """
        self._now = now
        over = [
            each
            for each in self._subscriptions.values()
            if each.listener is None and each.idle_since + linger_seconds <= now
        ]
        for subscription in over:
            self.close(subscription)

    def dispatch(self, event: Event) -> None:
        """
        Make `event` pending on the subscriptions of all who hear its author; the next `flush`
        answers their listeners.
        """
        audience = self.audiences.of(event.author)
        if audience is not None:
            was_quiet = self._is_quiet()
            ready, limit = self._ready, self._limits.pending
            for entry in audience.viewers:
                for subscription in entry.subscriptions:
                    if subscription.push(event, limit):
                        ready[subscription] = None
            if was_quiet and ready:
                self._owner.wake()
        if event.kind in FRIEND_KINDS:
            self._change_friends(event)

    def flush(
        self, horizon: Horizon, limit: int = 1_000_000, at_once: int = 1_000_000
    ) -> Generator[list[Delivery]]:
        """
        Deliveries for those who are parked and have something pending, `limit` of them at most and
        `at_once` at a time: each slice is taken when it is asked for.

        When there are more then (`is_busy`), `HubOwner.wake` is not called again, and the caller
        comes back soon.

        :param horizon: how far the log is settled.
        """
        changed, self._changed = self._changed, set()
        if changed:
            self._owner.friends_changed(changed)
        ready = iter(self._next_ready(limit))
        try:
            while subscriptions := list(islice(ready, at_once)):
                yield group(self._waiting(subscriptions), self._positions, horizon)
        finally:  # what is left when the caller has failed comes with the next flush
            self._ready = dict.fromkeys(ready) | self._ready

    def _waiting(self, subscriptions: Iterable[Subscription]) -> list[Subscription]:
        """Those that have a listener to answer; those that have overflowed are ended."""
        now, waiting = self._now, []
        for subscription in subscriptions:
            if subscription.overflowed:
                self.close(subscription)
            elif subscription.listener is not None and subscription.pending:
                subscription.idle_since = now
                waiting.append(subscription)
        return waiting

    def _next_ready(self, limit: int) -> Iterable[Subscription]:
        ready = self._ready
        if len(ready) <= limit:
            self._ready = {}
            return ready
        first = list(islice(ready, limit))
        for subscription in first:
            del ready[subscription]
        return first

    def _is_quiet(self) -> bool:
        """Whether `flush` has nothing to do, so that it must be asked for when it has."""
        return not self._ready and not self._changed

    def _awake(self, subscription: Subscription) -> None:
        if self._is_quiet():
            self._owner.wake()
        self._ready[subscription] = None

    def _change_friends(self, event: Event) -> None:
        if self._is_quiet():
            self._owner.wake()
        self._changed.add(event.author)
        entry = self._viewers.get(event.author)
        if (
            entry is None
            or event.friend is None
            or event.friend == event.author
            or not entry.is_news(event)
        ):
            return
        if event.kind == "friend":
            self._befriend(entry, event.friend, event.id)
        else:
            self._unfriend(entry, event.friend)

    def _befriend(self, entry: Viewer, friend: str, since: int) -> None:
        """
        Let a viewer hear `friend` from event `since` on. Later events of the friend may have come
        in before this one.
        """
        if entry.audience(friend) is None:
            self.audiences.hear(entry, (friend,))
        events = self._owner.recall(since, friend)
        for subscription in entry.subscriptions:
            if events is None:
                subscription.overflowed = True
            for event in events or ():
                subscription.push(event, self._limits.pending)
            if subscription.listener is not None:
                self._awake(subscription)

    def _unfriend(self, entry: Viewer, friend: str) -> None:
        """Let a viewer hear `friend` no more, and take back what is pending from them."""
        self.audiences.unhear(entry, friend)
        for subscription in entry.subscriptions:
            subscription.retract(friend)
