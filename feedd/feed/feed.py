"""
One feed: the recent log, the hub, reading, posting and polling, wired once for the daemon and for
every test.
"""

from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from contextlib import closing
from typing import Any, NamedTuple, Protocol

from feedd.core.counters import Counters
from feedd.core.delivery import Delivery
from feedd.core.event import FRIEND_KINDS, LOGOUT, Event, at_of
from feedd.core.hub import Hub
from feedd.core.owner import HubLimits
from feedd.core.position import Position
from feedd.core.recent import RecentLog
from feedd.feed import polling
from feedd.feed.hints import Hints
from feedd.feed.polling import Polling
from feedd.feed.ports import Authenticator, Broker, Friends, Opening, Store
from feedd.feed.posting import Posting
from feedd.feed.reading import Reading
from feedd.feed.settings import Poll

MANY_AHEAD = 50
"""Ids above the watermark, all of which cursors name; the net comes by early then."""


class Ports(NamedTuple):
    """The world behind a feed."""

    store: Store
    broker: Broker
    friends: Friends
    authenticator: Authenticator


class Surroundings(polling.Surroundings, Protocol):
    """The process that a feed runs in, as far as the feed needs it."""

    @property
    def answers_a_turn(self) -> int:
        """The number of parked viewers that one `Feed.flush` answers at most,"""

    @property
    def answers_at_once(self) -> int:
        """and that one call of `deliver` does."""

    @property
    def work_a_turn(self) -> int:
        """The units of other long work that a turn does, see `feedd.core.slices`."""

    def soon(self, call: Callable[[], None]) -> None:
        """Call `call` in the next turn of the reactor."""

    def turn(self) -> Awaitable[None]:
        """The next turn of the reactor."""

    def failed(self, counter: str, what: str) -> None:
        """Count the exception that is being handled, and log it from time to time."""

    def ids_went_back(self) -> None:
        """Let a new epoch begin: the database has given out an id a second time."""

    def hasten(self) -> None:
        """Let the net come by soon."""

    def start(self, coroutine: Coroutine[Any, Any, None], complaint: str) -> None:
        """Run `coroutine`; when it raises, `complaint` is logged with the reason."""

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """
        Answer the listeners of `deliveries`, who do not wait any more. One that cannot be answered
        does not keep the others from it.
        """


class Feed:
    """
    The log hands events to the hub, and the hub asks the broker to follow authors, whose events it
    hands to the log: `log.offer` is what a broker calls.

    It is empty until `open`.

    :param instance: the prefix of this process's handles, see `feedd.core.hub.Hub`.
    :ivar log: the only way in for events.
    :ivar hub: the subscriptions.
    :ivar reading: pages, and the events that polls missed.
    :ivar posting: posts and friend changes.
    :ivar polling: polls.
    :ivar hints: the ids that others have rung for.
    """

    def __init__(
        self,
        ports: Ports,
        settings: Poll,
        surroundings: Surroundings,
        counters: Counters,
        instance: str,
    ) -> None:
        store, broker, friends, authenticator = ports
        self._authenticator = authenticator
        self._broker = broker
        self._friends = friends
        self._linger_seconds = settings.linger_seconds
        self._surroundings = surroundings
        self._asked = False
        limits = HubLimits(
            settings.max_pending,
            settings.max_subscriptions,
            settings.per_user,
            surroundings.work_a_turn,
        )
        self.hub = Hub(broker, self, instance, limits, counters, surroundings.seconds())
        self.log = RecentLog(
            self.hub.dispatch,
            settings.recent_events,
            store.settle_seconds,
            counters,
            settings.recent_bytes,
            surroundings.failed,
        )
        self.reading = Reading(self.log, self.hub, store, friends, surroundings.turn)
        self.hints = Hints(store, self.log, surroundings.start, counters)
        self.posting = Posting(
            store, self.log, broker, surroundings.ids_went_back, surroundings.turn
        )
        self.polling = Polling(
            self.reading, self.hub, authenticator, surroundings, settings.hold_seconds
        )

    def open(self, opening: Opening) -> None:
        """Begin with what the database holds; also when it is another one than before."""
        self.log.fill(opening.epoch, opening.settled, opening.events)
        self._broker.seal_with(opening.epoch, opening.seal_key)
        for user, at in opening.logouts:
            self._authenticator.revoke(user, at)
        for event in opening.events:
            if event.kind == LOGOUT:
                self.logged_out(event)
        # Whoever committed these may have died before the friend lists were forgotten.
        unsettled = (event for event in opening.events if event.id > opening.settled)
        self.friends_changed({event.author for event in unsettled if event.kind in FRIEND_KINDS})

    def close(self) -> None:
        """
        Answer nothing more until `open`: the database is another one (a backup was restored, say),
        its ids mean something else, and every page begins anew.
        """
        self.log.close()
        self.hints.forget()
        self.hub.close_all()

    def flush(self) -> None:
        """
        Answer those who are parked and have something pending; those beyond
        `Surroundings.answers_a_turn` in the next turns. Then do a slice of the hub's long work.
        """
        self._asked = False
        around = self._surroundings
        if self.log.settling.ahead >= MANY_AHEAD:
            around.hasten()
        slices = self.hub.flush(self.log.horizon, around.answers_a_turn, around.answers_at_once)
        try:
            with closing(slices):
                for deliveries in slices:
                    around.deliver(deliveries)
        finally:
            if self.hub.is_busy:  # also when it fails
                self.wake()  # after a look at the sockets
            self.hub.go_on()

    def expire(self) -> None:
        """Close the subscriptions that nobody polls any more; call it once a second or so."""
        self.hub.expire(self._surroundings.seconds(), self._linger_seconds)

    # What the hub asks of its owner.

    def wake(self) -> None:
        """Flush in the next turn."""
        if not self._asked:
            self._asked = True
            self._surroundings.soon(self.flush)

    def failed(self, counter: str, what: str) -> None:
        """Count the exception that is being handled, and log it from time to time."""
        self._surroundings.failed(counter, what)

    def friends_changed(self, viewers: Collection[str]) -> None:
        """Forget the cached friend lists of `viewers`."""
        self._surroundings.start(self._friends.forget(viewers), "friend lists were not forgotten")

    def logged_out(self, event: Event) -> None:
        """Refuse what the author of this ``logout`` could prove with before it."""
        self._authenticator.revoke(event.author, at_of(event))

    def recall(self, since: int, author: str) -> list[Event] | None:
        """The events of `author` after event `since`; None when memory does not reach back."""
        return self.log.after(Position(since), (author,))

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Answer the listeners of `deliveries`."""
        self._surroundings.deliver(deliveries)
