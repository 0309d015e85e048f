"""Short ways to make events and the parts of the core, for their tests."""

from collections.abc import Awaitable, Collection, Coroutine, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from feedd.core.counters import Counters
from feedd.core.delivery import Delivery
from feedd.core.event import Event, make_event
from feedd.core.horizon import Horizon
from feedd.core.hub import Hub
from feedd.core.owner import HubLimits
from feedd.core.position import Position
from feedd.core.subscription import Subscription
from feedd.feed.feed import Feed, Ports
from feedd.feed.rows import read_rows
from feedd.feed.settings import Poll
from tests.auth import NameAuth
from tests.memory import MemoryBroker, MemoryFriends, MemoryStore
from tests.turns import MemoryTurns, deliver

T = TypeVar("T")


def post(id: int, author: str = "bob") -> Event:
    """A post of `author`."""
    return make_event(id, "post", author, id + 1000, b'{"text":"hi"}', 1_700_000_000_000)


def change(id: int, kind: str, viewer: str, friend: str) -> Event:
    """`viewer` befriends or unfriends `friend`."""
    return make_event(
        id, kind, viewer, None, b'{"friend":"%s"}' % friend.encode(), 1_700_000_000_000
    )


def ids(events: Sequence[Event]) -> list[int]:
    """Their ids, in their order."""
    return [event.id for event in events]


class Heard:
    """A listener that remembers what it was called with."""

    def __init__(self) -> None:
        self.answers: list[tuple[list[int], str]] = []

    def __call__(self, events: list[Event], cursor: str) -> None:
        self.answers.append((ids(events), cursor))

    @property
    def ids(self) -> list[int]:
        """Of all answers."""
        return [id for answer, _ in self.answers for id in answer]


class Gate:
    """A pace that holds everybody who comes while it is shut."""

    def __init__(self) -> None:
        self.shut = False
        self.waiting: list[Deferred[None]] = []

    def __call__(self) -> Awaitable[None]:
        done: Deferred[None] = Deferred()
        if self.shut:
            self.waiting.append(done)
        else:
            done.callback(None)
        return done

    def step(self) -> None:
        """Let the first who waits go on."""
        self.waiting.pop(0).callback(None)

    def open(self) -> None:
        """Let everybody go on, from now on."""
        self.shut = False
        while self.waiting:
            self.step()


class HubCase(SynchronousTestCase):
    """
    A hub whose collaborators take notes.

    :ivar woken: how often the hub asked for a flush.
    :ivar recalled: the answers of `recall`, by author; None for "too long ago".
    """

    max_pending = 3
    max_subscriptions = 5
    per_user = 1000
    at_once = 2000

    def setUp(self) -> None:
        self.broker = MemoryBroker()
        self.woken = 0
        self.forgotten: list[Collection[str]] = []
        self.logged_out_users: list[str] = []
        self.recalled: dict[str, list[Event] | None] = {}
        self.reported: list[Exception] = []
        self.counters = Counters()
        self.failures: list[str] = []
        self.hub = self.make_hub(self.per_user)

    def make_hub(self, per_user: int) -> Hub:
        """A new hub."""
        limits = HubLimits(self.max_pending, self.max_subscriptions, per_user, self.at_once)
        return Hub(self.broker, self, "h", limits, self.counters)

    # What the hub asks of its owner.

    def wake(self) -> None:
        self.woken += 1

    def recall(self, since: int, author: str) -> list[Event] | None:
        events = self.recalled.get(author, [])
        return None if events is None else [event for event in events if event.id > since]

    def friends_changed(self, viewers: Collection[str]) -> None:
        self.forgotten.append(viewers)

    def logged_out(self, event: Event) -> None:
        self.logged_out_users.append(event.author)

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        self.reported += deliver(deliveries)

    def failed(self, counter: str, what: str) -> None:
        self.failures.append(counter)

    # What tests do.

    def flush(self, settled: int = 0, limit: int = 1000, at_once: int = 1000) -> bool:
        """Answer so many at most, and end all long work; returns whether there are more."""
        while self.hub.has_work:
            self.hub.go_on()
        for deliveries in self.hub.flush(Horizon("k1", settled), limit, at_once):
            self.deliver(deliveries)
        return self.hub.is_busy

    def subscribe(self, viewer: str, *friends: str, settled: int = 0) -> Subscription:
        """A subscription that stands at `settled` and is not parked."""
        subscription = self.hub.open(viewer)
        self.hub.set_friends(viewer, friends, {})
        subscription.start(Position(settled), ())
        self.hub.take(subscription, Horizon("k1", settled))
        return subscription

    def park(self, viewer: str, *friends: str, settled: int = 0) -> tuple[Subscription, Heard]:
        """The same, parked."""
        subscription, heard = self.subscribe(viewer, *friends, settled=settled), Heard()
        self.hub.park(subscription, heard)
        return subscription, heard

    def assert_empty(self) -> None:
        """Nothing is left of anybody."""
        self.flush()
        self.assertTrue(self.hub.is_empty)
        self.assertEqual((self.broker.followed, len(self.hub), self.hub.parked), (set(), 0, 0))


class CoreCase(SynchronousTestCase):
    """One process's feed over a store in memory, without a clock: flushed when a test says so."""

    recent_events = 100
    max_pending = 200
    max_subscriptions = 100

    def setUp(self) -> None:
        self.gate = Gate()
        self.store = MemoryStore()
        self.store.pace = self.gate
        self.friends = MemoryFriends(self.store)
        self.broker = MemoryBroker()
        settings = Poll(
            max_pending=self.max_pending,
            max_subscriptions=self.max_subscriptions,
            recent_events=self.recent_events,
        )
        self.authenticator = NameAuth()
        ports = Ports(self.store, self.broker, self.friends, self.authenticator)
        self.turns = MemoryTurns()
        self.reported = self.turns.errors
        self.counters = Counters()
        self.feed = Feed(ports, settings, self.turns, self.counters, "h")
        self.log, self.hub = self.feed.log, self.feed.hub
        self.reading, self.posting = self.feed.reading, self.feed.posting

    def now(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine that need not wait, or what it raises."""
        results: list[T] = []
        failures: list[Failure] = []
        Deferred.fromCoroutine(coroutine).addCallbacks(results.append, failures.append)
        for failure in failures:
            failure.raiseException()
        self.assertTrue(results, "it waits")
        return results[0]

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
        """The result of what the gate may hold."""
        return Deferred.fromCoroutine(coroutine)

    def start(self) -> None:
        """Read the opening, as a process does when it begins."""
        self.feed.open(self.now(self.store.open(self.recent_events)))

    def commit(self, author: str, count: int = 1) -> list[Event]:
        """Posts that the bell does not bring."""
        transaction = self.store.begin()
        for _ in range(count):
            self.store.insert_post(transaction, author, b"{}")
        return transaction.commit()

    def tick(self) -> None:
        """Read the new end of the log, as the tail does."""
        upto = self.now(self.store.ids_after(self.log.horizon.settled, 10_000))
        self.now(self._offer_all(self.log.unknown(upto)))
        self.log.settling.note_read(0, 0, upto[-1] if upto else 0)
        self.flush()

    async def _offer_all(self, ids: Sequence[int]) -> None:
        async for events, _ in read_rows(self.store, ids):
            for event in events:
                self.log.offer(event)

    def flush(self) -> None:
        self.feed.flush()
