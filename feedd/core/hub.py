"""
Who hears whom.

This module knows events, viewers and authors. It does not know time, connections or encodings: a
listener is a callable, and a poll's deadline is somebody else's.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import islice

from feedd.core.event import FRIEND_KINDS, Event
from feedd.core.subscription import Listener, Positions, Subscription


class HubFull(Exception):
    """There are as many subscriptions as there may be."""


class _Audience:
    """
    Who hears one author: a list, because a set takes five times the memory.

    :ivar viewers: those who listen, and among them some who do not any more, whom `forget` left for
        later.
    :ivar listening: how many listen.
    """

    __slots__ = ("author", "listening", "viewers")

    def __init__(self, author: str) -> None:
        self.author = author
        self.viewers: list[_Viewer] = []
        self.listening = 0

    def remove(self, listens: "_Viewer") -> None:
        self.viewers.remove(listens)
        self.listening -= 1

    def forget(self) -> None:
        """
        One of them has no subscription any more; the list is swept when half of it is such, so that
        this costs little.
        """
        self.listening -= 1
        if len(self.viewers) > 2 * self.listening + 8:
            self.viewers = [listens for listens in self.viewers if listens.subscriptions]


class _Viewer:
    """
    One user who listens here, whom they hear, and each of their subscriptions (a tab, a phone).
    """

    __slots__ = ("audiences", "changed", "name", "subscriptions")

    def __init__(self, name: str) -> None:
        self.name = name
        self.audiences: list[_Audience] = []
        self.subscriptions: tuple[Subscription, ...] = ()
        self.changed: dict[str, int] | None = None

    def audience(self, author: str) -> _Audience | None:
        """The audience of `author` that this viewer is in."""
        return next((audience for audience in self.audiences if audience.author == author), None)

    def is_news(self, event: Event) -> bool:
        """
        Whether this friend change is the newest one of its pair; the bell and the net may bring two
        in either order.
        """
        assert event.friend is not None
        if self.changed is None:
            self.changed = {}
        if self.changed.get(event.friend, 0) >= event.id:
            return False
        self.changed[event.friend] = event.id
        return True


class Hub:
    """
    All subscriptions of this process.

    :param follow: called with an author when somebody here begins to hear them; `unfollow` when
        nobody does any more.
    :param wake: called when `flush` has something to do, once until it has been called.
    :param friends_changed: called by `flush` with the viewers whose friends have changed.
    :param recall: called with an id and an author, returns what the author said after it, None when
        that is too long ago.
    :param report: called with what a listener raised; the others are answered all the same.
    :param instance: the prefix of this process's handles, [A-Za-z0-9], at most 8 characters.
    :param now: seconds of the clock that `expire` is called with.
    """

    def __init__(
        self,
        follow: Callable[[str], None],
        unfollow: Callable[[str], None],
        wake: Callable[[], None],
        friends_changed: Callable[[Collection[str]], None],
        recall: Callable[[int, str], list[Event] | None],
        report: Callable[[Exception], None],
        instance: str,
        now: float = 0.0,
        max_pending: int = 200,
        max_subscriptions: int = 100_000,
    ) -> None:
        self._follow = follow
        self._unfollow = unfollow
        self._wake = wake
        self._friends_changed = friends_changed
        self._recall = recall
        self._report = report
        self._instance = instance
        self._max_pending = max_pending
        self._max_subscriptions = max_subscriptions
        self._opened = 0
        self._now = now
        self._viewers: dict[str, _Viewer] = {}
        self._audiences: dict[str, _Audience] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._ready: dict[Subscription, None] = {}
        self._changed: set[str] = set()

    def __len__(self) -> int:
        return len(self._subscriptions)

    @property
    def parked(self) -> int:
        """How many listeners wait; counted when asked."""
        return sum(
            subscription.listener is not None for subscription in self._subscriptions.values()
        )

    @property
    def is_busy(self) -> bool:
        """Whether `flush` still has somebody to answer."""
        return bool(self._ready)

    def open(self, viewer: str) -> Subscription:
        """
        A new subscription of `viewer`; from now on it holds what their authors (at least they
        themselves) say.

        :raises HubFull: at `max_subscriptions`.
        """
        if len(self._subscriptions) >= self._max_subscriptions:
            raise HubFull
        self._opened += 1
        subscription = Subscription(viewer, f"{self._instance}{self._opened:x}", self._now)
        self._subscriptions[subscription.handle] = subscription
        listens = self._viewers.get(viewer)
        if listens is None:
            listens = self._viewers[viewer] = _Viewer(viewer)
            self._hear(listens, (viewer,))
        listens.subscriptions += (subscription,)
        return subscription

    def set_friends(
        self, viewer: str, friends: Collection[str], changes: Mapping[str, Event]
    ) -> None:
        """
        Say whom `viewer` hears besides themselves; nothing happens when all their subscriptions
        have ended meanwhile.

        :param changes: by friend, the newest change that `friends` already takes into account; an
            older one has no effect.
        """
        listens = self._viewers.get(viewer)
        if listens is None:
            return
        for change in changes.values():
            listens.is_news(change)
        wanted = {viewer, *friends}
        heard = {audience.author for audience in listens.audiences}
        self._hear(listens, wanted - heard)
        for author in heard - wanted:
            self._unfriend(listens, author)

    def hears(self, viewer: str, author: str) -> bool:
        """Whether `viewer` listens here and hears `author`."""
        listens = self._viewers.get(viewer)
        return listens is not None and listens.audience(author) is not None

    def find(self, handle: str, viewer: str, cursor: str) -> Subscription | None:
        """
        The subscription that can answer `cursor` at once: it is `viewer`'s, and this is the last
        cursor it gave out.
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
        Let `listener` wait for the subscription's next event; when the subscription has ended it is
        answered at once.

        Who waits already is ended first. What is pending already is answered by the next `flush`.
        """
        self.end(subscription)
        subscription.park(listener)
        if not subscription.open:
            self.end(subscription)
        elif subscription.pending or subscription.overflowed:
            self._awake(subscription)

    def park_again(self, subscription: Subscription, listener: Listener) -> bool:
        """
        Let `listener` wait, if nothing else is to be done: the subscription is open, is quiet, and
        nobody waits on it.
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
        Answer who is parked with nothing and the same cursor; what comes is pending for a while.
        """
        listener = subscription.unpark()
        if listener is not None:
            subscription.idle_since = self._now
            self._call(listener, [], subscription.issued)

    def leave(self, subscription: Subscription) -> None:
        """
        Nobody waits any more, their connection is gone or their time is over; what comes is pending
        for a while.
        """
        subscription.unpark()
        subscription.idle_since = self._now

    def close(self, subscription: Subscription) -> None:
        """
        End the subscription, which may have ended before; who is parked is answered with nothing.
        """
        if self._subscriptions.pop(subscription.handle, None) is None:
            return
        subscription.open = False
        self._ready.pop(subscription, None)
        listens = self._viewers[subscription.viewer]
        listens.subscriptions = tuple(
            other for other in listens.subscriptions if other is not subscription
        )
        if not listens.subscriptions:
            self._forget(listens)
        self.end(subscription)

    def close_viewer(self, viewer: str) -> int:
        """End all subscriptions of `viewer`; returns how many there were."""
        listens = self._viewers.get(viewer)
        subscriptions = listens.subscriptions if listens else ()
        for subscription in subscriptions:
            self.close(subscription)
        return len(subscriptions)

    def close_all(self) -> None:
        """End all subscriptions: what they stand on is no more."""
        for subscription in tuple(self._subscriptions.values()):
            self.close(subscription)

    def expire(self, now: float, linger_seconds: float) -> None:
        """
        Close the subscriptions that nobody has polled for `linger_seconds`; call it once a second
        or so.
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
        Make `event` pending for all who hear its author; they are answered by the next `flush`.
        """
        audience = self._audiences.get(event.author)
        if audience is not None:
            was_quiet = self._is_quiet()
            ready, limit = self._ready, self._max_pending
            for listens in audience.viewers:
                for subscription in listens.subscriptions:
                    if subscription.push(event, limit):
                        ready[subscription] = None
            if was_quiet and ready:
                self._wake()
        if event.kind in FRIEND_KINDS:
            self._change_friends(event)

    def flush(self, epoch: str, settled: int, limit: int = 1_000_000) -> bool:
        """
        Answer those who are parked and have something pending, `limit` of them at most; `settled`
        is the log's.

        Returns whether there are more; then `wake` is not called again, and the caller comes back
        soon.
        """
        changed, self._changed = self._changed, set()
        if changed:
            self._friends_changed(changed)
        after: Positions = {}
        now = self._now
        for subscription in self._next_ready(limit):
            listener = subscription.listener
            if subscription.overflowed:
                self.close(subscription)
            elif listener is not None and subscription.pending:
                subscription.listener = None
                subscription.idle_since = now
                self._call(listener, *subscription.take(epoch, settled, after))
        return bool(self._ready)

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
        """Whether `flush` has nothing to do, so that `wake` must be called when it has."""
        return not self._ready and not self._changed

    def _awake(self, subscription: Subscription) -> None:
        if self._is_quiet():
            self._wake()
        self._ready[subscription] = None

    def _call(self, listener: Listener, events: list[Event], cursor: str) -> None:
        try:
            listener(events, cursor)
        except Exception as error:
            self._report(error)

    def _change_friends(self, event: Event) -> None:
        if self._is_quiet():
            self._wake()
        self._changed.add(event.author)
        listens = self._viewers.get(event.author)
        if (
            listens is None
            or event.friend is None
            or event.friend == event.author
            or not listens.is_news(event)
        ):
            return
        if event.kind == "friend":
            self._befriend(listens, event.friend, event.id)
        else:
            self._unfriend(listens, event.friend)

    def _befriend(self, listens: _Viewer, friend: str, since: int) -> None:
        """
        Hear a new friend from event `since` on; what they said after it may have come here before
        it.
        """
        if listens.audience(friend) is None:
            self._hear(listens, (friend,))
        said = self._recall(since, friend)
        for subscription in listens.subscriptions:
            if said is None:
                subscription.overflowed = True
            for event in said or ():
                subscription.push(event, self._max_pending)
            if subscription.listener is not None:
                self._awake(subscription)

    def _unfriend(self, listens: _Viewer, friend: str) -> None:
        """Hear them no more, and take back what is pending from them."""
        self._unhear(listens, friend)
        for subscription in listens.subscriptions:
            subscription.retract(friend)

    def _hear(self, listens: _Viewer, authors: Iterable[str]) -> None:
        """One loop without calls: when a crowd comes in, this is done half a million times."""
        audiences, mine = self._audiences, listens.audiences
        for author in authors:
            audience = audiences.get(author)
            if audience is None:
                audience = audiences[author] = _Audience(author)
                self._follow(author)
            audience.viewers.append(listens)
            audience.listening += 1
            mine.append(audience)

    def _unhear(self, listens: _Viewer, author: str) -> None:
        audience = listens.audience(author)
        if audience is not None:
            listens.audiences.remove(audience)
            audience.remove(listens)
            self._end_if_empty(audience)

    def _forget(self, listens: _Viewer) -> None:
        """The last subscription of this viewer has ended."""
        del self._viewers[listens.name]
        for audience in listens.audiences:
            audience.forget()
            self._end_if_empty(audience)

    def _end_if_empty(self, audience: _Audience) -> None:
        if not audience.listening:
            del self._audiences[audience.author]
            self._unfollow(audience.author)
