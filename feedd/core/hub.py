"""
The subscriptions of a process, and the way of an event from its dispatch to the listeners.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from feedd.core.audience import Audiences, Follower
from feedd.core.counters import Counters
from feedd.core.delivery import Delivery, group
from feedd.core.event import FRIEND_KINDS, LOGOUT, Event
from feedd.core.horizon import Horizon
from feedd.core.new_list import NewList
from feedd.core.owner import HubFull, HubLimits, HubOwner
from feedd.core.position import Positions
from feedd.core.roster import Roster
from feedd.core.slices import Job, Slices
from feedd.core.subscription import Listener, Subscription
from feedd.core.viewer import Viewer


class Hub:
    """
    All subscriptions of this process.

    :param follower: follows the authors who are heard here.
    :param owner: the feed; it flushes, forgets friend lists and knows earlier events.
    :param instance: the prefix of this process's handles, [A-Za-z0-9], at most 8 characters.
    :param counters: counts ``hub_per_user`` and ``hub_per_user_refused``.
    :param now: seconds of the clock that `expire` is called with.
    :ivar audiences: who hears whom.
    """

    def __init__(
        self,
        follower: Follower,
        owner: HubOwner,
        instance: str,
        limits: HubLimits,
        counters: Counters,
        now: float = 0.0,
    ) -> None:
        self.audiences = Audiences(follower)
        self._owner = owner
        self._limits = limits
        self._counters = counters
        self._now = now
        self._positions = Positions()
        self._slices = Slices(limits.at_once, owner.wake, self._job_failed)
        self._roster = Roster(self.audiences, instance, self._slices, owner.deliver)
        self._ready: dict[Subscription, None] = {}  # a set that keeps its order
        self._changed: set[str] = set()

    def __len__(self) -> int:
        return len(self._roster.subscriptions)

    def __iter__(self) -> Iterator[Subscription]:
        return iter(self._roster.subscriptions.values())

    @property
    def is_empty(self) -> bool:
        """Whether nothing is kept: no subscription, no audience, and nothing to flush."""
        return self._is_quiet() and not (
            self._roster.subscriptions or self._roster.viewers or self.audiences
        )

    @property
    def parked(self) -> int:
        """The number of listeners that wait; this looks at every subscription."""
        return sum(
            subscription.listener is not None
            for subscription in self._roster.subscriptions.values()
        )

    @property
    def is_busy(self) -> bool:
        """Whether `flush` has listeners to answer."""
        return bool(self._ready)

    @property
    def has_work(self) -> bool:
        """Whether `go_on` has something to do."""
        return bool(self._slices)

    def go_on(self) -> None:
        """Do a slice of the long work that is left: of what ends, or of a long friend list."""
        self._slices.go_on()

    @property
    def ready(self) -> tuple[Subscription, ...]:
        """The subscriptions that `flush` answers next, in their order."""
        return tuple(self._ready)

    def open(self, viewer: str) -> Subscription:
        """
        A new subscription of `viewer`. From now on the events of the authors whom they hear, at
        least their own, are pending on it. When they have as many as they may, one of these is
        ended in the next turn, see `Roster.make_room`.

        :raises HubFull: when there are as many as there may be, or room was made for this viewer
            less than a second ago.
        """
        if len(self._roster.subscriptions) >= self._limits.subscriptions:
            raise HubFull
        entry = self._roster.viewers.get(viewer)
        if entry is not None and len(entry.subscriptions) >= self._limits.per_user:
            if not self._roster.make_room(entry):
                self._counters.add("hub_per_user_refused")
                raise HubFull
            self._counters.add("hub_per_user")
        return self._roster.open(viewer, self._now)

    def set_friends(
        self, viewer: str, friends: Sequence[str], changes: Mapping[str, Event]
    ) -> None:
        """
        Let `viewer` hear `friends` and themselves, and nobody else; nothing happens when all their
        subscriptions have ended. A list that differs much takes some turns, see `has_friends`.

        :param friends: ascending.
        :param changes: by friend, the newest change that `friends` takes into account; an older one
            has no effect when it comes.
        """
        entry = self._roster.viewers.get(viewer)
        if entry is None:
            return
        for change in changes.values():
            entry.is_news(change)
        if entry.new_list is None or entry.new_list.friends is not friends:
            entry.new_list = NewList(friends, self._slices.chunk)
            self._slices.begin(self._take(entry, entry.new_list))

    def has_friends(self, viewer: str) -> bool:
        """Whether the last `set_friends` of `viewer` has taken effect, or they have gone."""
        entry = self._roster.viewers.get(viewer)
        return entry is None or entry.new_list is None or entry.new_list.done

    def _take(self, entry: Viewer, new: NewList) -> Job:
        """Let a viewer hear those on a new list, until they have a newer one or are gone."""
        while entry.new_list is new and not new.done:
            work, dropped = new.step(entry, self.audiences)
            if dropped:
                work += len(entry.subscriptions)
                for subscription in entry.subscriptions:
                    subscription.retract(dropped)
            yield work
        if entry.new_list is new and not new.is_worth_keeping:
            entry.new_list = None

    def hears(self, viewer: str, author: str) -> bool:
        """Whether `viewer` has a subscription here and hears `author`."""
        entry = self._roster.viewers.get(viewer)
        return entry is not None and self.audiences.hears(entry, author)

    def find(self, handle: str, viewer: str, cursor: str) -> Subscription | None:
        """
        The subscription of `viewer` that has issued `cursor`, and no other cursor since; None when
        it has ended or overflowed.
        """
        subscription = self._roster.subscriptions.get(handle)
        if (
            subscription is None
            or subscription.viewer != viewer
            or subscription.issued != cursor
            or subscription.overflowed
            or not subscription.open
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
        """
        Take all that is pending on `subscription`, see `Subscription.take`. One that has ended
        stays where it is: `horizon` may be that of another database.
        """
        return subscription.take(self._positions, horizon) if subscription.open else []

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
        if subscription.open:
            self._ready.pop(subscription, None)
            self._roster.close(subscription)
            self.end(subscription)

    def clients_of(self, viewer: str) -> int:
        """How many subscriptions `viewer` has."""
        entry = self._roster.viewers.get(viewer)
        return len(entry.subscriptions) if entry is not None else 0

    def close_viewer(self, viewer: str) -> int:
        """
        End all subscriptions of `viewer`; returns how many there were. When they are many, their
        listeners are answered in the next turns.
        """
        return self._roster.close_viewer(viewer)

    def close_all(self) -> None:
        """End all subscriptions; when they are many, their listeners are answered in turns."""
        self._ready = {}
        self._roster.close_all()

    def expire(self, now: float, linger_seconds: float) -> None:
        """
        End the subscriptions on which no listener has waited for `linger_seconds`; to be called
        about once a second. When they are many it goes on in the next turns.
        """
        self._now = now
        self._roster.expire(now, linger_seconds)

    def _job_failed(self) -> None:
        self._owner.failed("hub_failed", "long work has ended early")

    def dispatch(self, event: Event) -> None:
        """
        Make `event` pending on the subscriptions of all who hear its author; the next `flush`
        answers their listeners. A ``logout`` ends those of its author, and is told to nobody.
        """
        if event.kind == LOGOUT:
            self._owner.logged_out(event)
            self.close_viewer(event.author)
            return
        audience = self.audiences.of(event.author)
        if audience is not None:
            was_quiet = self._is_quiet()
            ready, limit = self._ready, self._limits.pending
            for entry in audience.present():
                for subscription in entry.subscriptions:
                    try:
                        if subscription.push(event, limit):
                            ready[subscription] = None
                    except Exception:
                        self._lose(subscription)
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
                yield group(self._waiting(subscriptions), self._positions, horizon, self._lose)
        finally:  # what is left when the caller has failed comes with the next flush
            left = dict.fromkeys(ready)
            if left:
                self._ready = left | self._ready

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
        """Whether `flush` and `go_on` have nothing to do, and must be asked for when they have."""
        return not (self._ready or self._changed or self._slices)

    def _lose(self, subscription: Subscription) -> None:
        """
        Let a subscription, with which something has failed, go on by a cold poll: the exception
        that is being handled is its own, and takes nothing from others.
        """
        self._owner.failed("hub_failed", "a subscription has failed")
        subscription.lose()
        self._ready[subscription] = None

    def _awake(self, subscription: Subscription) -> None:
        if self._is_quiet():
            self._owner.wake()
        self._ready[subscription] = None

    def _change_friends(self, event: Event) -> None:
        if self._is_quiet():
            self._owner.wake()
        self._changed.add(event.author)
        entry = self._roster.viewers.get(event.author)
        if (
            entry is None
            or event.friend is None
            or event.friend == event.author
            or not entry.is_news(event)
        ):
            return
        try:
            if event.kind == "friend":
                self._befriend(entry, event.friend, event.id)
            else:
                self._unfriend(entry, event.friend)
        except Exception:  # whom they hear is not known, until a cold poll has the list
            entry.new_list = None
            for subscription in entry.subscriptions:
                self._lose(subscription)
        else:
            entry.note_change(event.friend)

    def _befriend(self, entry: Viewer, friend: str, since: int) -> None:
        """
        Let a viewer hear `friend` from event `since` on. Later events of the friend may have come
        in before this one.
        """
        self.audiences.hear(entry, friend)
        events, limit = self._owner.recall(since, friend), self._limits.pending
        for subscription in entry.subscriptions:
            if events is None or len(events) > limit:
                subscription.lose()
            else:
                for event in events:
                    subscription.push(event, limit)
            if subscription.listener is not None:
                self._awake(subscription)

    def _unfriend(self, entry: Viewer, friend: str) -> None:
        """Let a viewer hear `friend` no more, and take back what is pending from them."""
        self.audiences.unhear(entry, friend)
        for subscription in entry.subscriptions:
            subscription.retract((friend,))
