"""
A small world around the core: several processes over one log, and a broker that loses and reorders.

The machine of ``tests/unit/test_machine.py`` drives it, with the browsers of ``tests/browsers.py``.
The world keeps what really happened, and so what a browser must have seen.
"""

from collections.abc import Callable, Collection, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from feedd.core.counters import Counters
from feedd.core.event import FRIEND_KINDS, LOGOUT, MAX_ID, Event
from feedd.core.horizon import Standing
from feedd.core.runs import Runs, above
from feedd.feed.feed import Feed, Ports
from feedd.feed.ports import Opening, Unavailable
from feedd.feed.settings import Poll
from tests.auth import NameAuth
from tests.memory import MemoryBroker, MemoryFriends, MemoryStore
from tests.transaction import Transaction
from tests.turns import MemoryTurns
from tests.unit import core

LONG = 12
RECENT = 6
MAX_PENDING = 8
PER_USER = 3
LINGER = 10.0


class Expiring(Protocol):
    """A thing with a deadline."""

    def expire(self) -> None:
        """It has come."""


class Gate(core.Gate):
    """A database that answers whoever it likes, when it likes: a pace that can be shut."""

    @contextmanager
    def held(self, shut: bool) -> Iterator[None]:
        """Whoever comes meanwhile is held, if `shut`."""
        self.shut = shut
        yield
        self.shut = False

    def step(self, index: int) -> None:
        """Let one of those who wait go on."""
        self.waiting.pop(index % len(self.waiting)).callback(None)

    def open(self) -> None:
        """Let everybody go on, from now on."""
        self.shut = False
        while self.waiting:
            self.step(0)


class World:
    """
    The clock, the database, the cache and the broker that all processes share.

    :ivar bells: messages on their way to a process.
    :ivar born: for each event ever visible the step at which its id was given out.
    :ivar since: for each friendship that stands the step at which it was committed.
    """

    def __init__(self, settle_seconds: float, multi_writer: bool = False) -> None:
        """
        :param settle_seconds: S.
        :param multi_writer: a transaction is open for S at most, else for `LONG` times as long.
        """
        self.now = 0.0
        self.settle_seconds = settle_seconds
        self.open_seconds = settle_seconds * (1 if multi_writer else LONG)
        self.gate = Gate()
        self.store = MemoryStore()
        self.store.settle_seconds = settle_seconds
        self.store.multi_writer = multi_writer
        self.store.pace = self.gate
        self.friends = MemoryFriends(self.store)
        self.bells: list[tuple[Process, Event]] = []
        self.processes: list[Process] = []
        self.born: dict[int, int] = {}
        self.events: dict[int, Event] = {}
        self.since: dict[tuple[str, str], int] = {}
        self._deadlines: dict[Transaction, float] = {}
        self._placed: dict[Transaction, float] = {}
        self._inserted: dict[Transaction, int] = {}
        self._steps = 0
        self._started = 0

    def start(self) -> "Process":
        """A new process."""
        self._started += 1
        process = Process(self, f"p{self._started}x")
        self.processes.append(process)
        return process

    def begin(self, fill: Callable[[Transaction], object]) -> Transaction:
        """An open transaction; `fill` inserts its rows now."""
        self._steps += 1
        transaction = self.store.begin()
        fill(transaction)
        self._deadlines[transaction] = self.now + self.open_seconds
        self._placed[transaction] = self.now + self.settle_seconds
        self._inserted[transaction] = self._steps
        return transaction

    def commit(self, transaction: Transaction) -> list[Event]:
        """Make it visible, which nobody is told."""
        self._steps += 1
        events = transaction.commit()
        for event in events:
            self.events[event.id] = event
            self.born[event.id] = self._inserted[transaction]
            if event.friend is not None:
                pair = (event.author, event.friend)
                self.since.pop(pair, None) if event.kind == "unfriend" else self.since.update(
                    {pair: self._steps}
                )
        return events

    @property
    def late(self) -> list[int]:
        """The ids that were given out and may still appear."""
        return [
            event.id for transaction in self.store.open_transactions for event in transaction.events
        ]

    def publish(self, events: Collection[Event]) -> None:
        """A message is on its way to every process that follows the author now."""
        self.bells += [
            (process, event)
            for event in events
            for process in self.processes
            if event.author in process.broker.followed
        ]

    def advance(self, seconds: float, commit: bool) -> None:
        """
        Let time go by; whoever must have written their rows by then has, and whoever must have
        committed has, or has rolled back.
        """
        for transaction in tuple(self.store.open_transactions):
            if self._placed[transaction] <= self.now + seconds:
                transaction.place()
            if self._deadlines[transaction] <= self.now + seconds:
                self.commit(transaction) if commit else transaction.rollback()
        self.now += seconds
        self.flush()
        for process in self.processes:
            process.feed.expire()

    def flush(self) -> None:
        """The reactors take their next turns."""
        for process in self.processes:
            process.flush()

    def end_polls(self) -> None:
        """Let every deadline come, and the linger time after it."""
        for process in self.processes:
            for poll in process.polls:
                poll.expire()
        self.advance(0, True)
        self.advance(LINGER, True)
        self.flush()

    def befriended(self, viewer: str, friend: str, after: int) -> bool:
        """Whether a friendship was begun after event `after`."""
        changes = (
            event for id, event in self.events.items() if id > after and event.kind == "friend"
        )
        return any((event.author, event.friend) == (viewer, friend) for event in changes)

    def due(self, viewer: str) -> set[int]:
        """
        The ids that `viewer` must have seen in the end: their own events, and those that a friend
        wrote as their friend. Nobody is told of a logout.
        """
        return {
            id
            for id, event in self.events.items()
            if event.kind != LOGOUT
            and (
                event.author == viewer
                or self.since.get((viewer, event.author), len(self.born) + self._steps)
                < self.born[id]
            )
        }


class WorldTurns(MemoryTurns):
    """The turns of a process, at the time of the world; little is done in each."""

    work_a_turn = 2

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def seconds(self) -> float:
        return self._world.now


class Process:
    """One process: a feed and its tail in the world."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.broker = MemoryBroker()
        self.ticking = False
        self._turns = WorldTurns(world)
        self.errors = self._turns.errors
        self.polls: list[Expiring] = []
        self._tasks: list[Deferred[Any]] = []
        settings = Poll(
            linger_seconds=LINGER, max_pending=MAX_PENDING, per_user=PER_USER, recent_events=RECENT
        )
        self.authenticator = NameAuth()
        ports = Ports(world.store, self.broker, world.friends, self.authenticator)
        self.feed = Feed(ports, settings, self._turns, Counters(), name)
        self.hub, self.log, self.reading = self.feed.hub, self.feed.log, self.feed.reading
        self._open()

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self in self.world.processes

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> Deferred[Any]:
        """Run it until the process ends."""
        task: Deferred[Any] = Deferred.fromCoroutine(coroutine)
        self._tasks.append(task)
        return task

    def knows(self, id: int) -> bool:
        """Whether this event has been let through here, or was settled before."""
        return id <= self._opened or not self.log.unknown([id])

    def failed(self, failure: Failure) -> None:
        """Something is wrong, which `check` will say."""
        assert isinstance(failure.value, Exception)
        self.errors.append(failure.value)

    def kill(self) -> None:
        """End as a crash does: nobody is told anything."""
        self.world.processes.remove(self)
        self.world.bells = [bell for bell in self.world.bells if bell[0] is not self]
        for task in self._tasks:
            task.addErrback(lambda failure: None)
            task.cancel()

    def tick(self, limit: int) -> None:
        """Read the new end of the log, unless that goes on already."""
        if not self.ticking:
            self.ticking = True
            self.spawn(self._tick(limit)).addErrback(_may_fail).addErrback(self.failed)

    def flush(self) -> None:
        """Answer, as the next turn of the reactor does."""
        self._turns.take_all()

    def save(self) -> None:
        """Write down what is settled."""
        self.spawn(
            self.world.store.save_settled(self.world.store.epoch, self.log.horizon.whole)
        ).addErrback(_may_fail)

    def check(self) -> None:
        """Nothing that is settled can still appear."""
        _, settled, holes = self.log.horizon
        late = self.world.late
        assert all(id > settled or id in holes for id in late), (
            f"{late} may still appear, settled {settled} but for {holes.spans}"
        )
        assert not self.errors, self.errors
        assert not self._turns.failures, self._turns.failures

    def check_logouts(self) -> None:
        """It knows the last logout of each user."""
        told, last = self.authenticator.revoked, self.world.store.logouts
        assert told == last, f"{told} of {last}"

    def _open(self) -> None:
        """
        Read the opening.

        Friend changes that are not settled may have been committed by a process that died before it
        had forgotten the lists. The feed looks for them in the opening, which is short here; the
        world knows all of them.
        """
        gate, self.world.store.pace = self.world.store.pace, Gate()
        away, self.world.store.away = self.world.store.away, False
        Deferred.fromCoroutine(self.world.store.open(RECENT)).addCallback(self._opening)
        self.world.store.pace, self.world.store.away = gate, away
        changed = {
            event.author
            for event in self.world.events.values()
            if event.id > self._opened and event.kind in FRIEND_KINDS
        }
        self.feed.friends_changed(changed)

    def _opening(self, opening: Opening) -> None:
        self._opened = opening.settled
        self.feed.open(opening)

    async def _tick(self, limit: int) -> None:
        try:
            began = self.world.now
            _, settled, holes = self.log.horizon
            standing = await self.world.store.ids_standing(settled, limit, holes)
            ended = self.world.now
            if standing is None or len(standing) == limit or self.log.unknown(standing):
                await self._read(settled, holes, limit, standing is None)
            if standing is not None:
                upto = standing[-1] if len(standing) == limit else MAX_ID
                self.log.settling.note_standing(Standing(standing, upto), began, ended)
        finally:
            self.ticking = False

    async def _read(self, settled: int, holes: Runs, limit: int, by_time: bool) -> None:
        started, after = self.world.now, 0
        while True:
            left = holes.both(above(after))
            ids = await self.world.store.ids_after(max(after, settled), limit, left)
            ended = self.world.now
            unknown = self.log.unknown(ids)
            events = (await self.world.store.events_by_id(unknown)).events
            for event in events:
                self.log.offer(event)
            self.log.missing(sorted(set(unknown).difference(event.id for event in events)))
            after = ids[-1] if ids else after
            if by_time:
                self.log.settling.note_read(started, ended, max(after, settled))
            if len(ids) < limit or limit % 2:  # an odd limit cuts the read, an even one reads on
                return


def _may_fail(failure: Failure) -> None:
    failure.trap(Unavailable, CancelledError)
