"""
The cursor's rules against everything that can go wrong, at random.

FEEDD_EXAMPLES=5000 makes it long, and different every time.
"""

import os
from collections.abc import Sequence
from typing import TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from feedd.event import Event
from tests.browsers import Browser
from tests.memory import Transaction
from tests.model import Process, World

USERS = ("ann", "bob", "cat")
EXAMPLES = int(os.environ.get("FEEDD_EXAMPLES", "0"))
PROFILE = settings(
    max_examples=EXAMPLES or 60,
    stateful_step_count=60,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

T = TypeVar("T")

users = st.sampled_from(USERS)
friendships = st.sets(st.tuples(users, users), max_size=4)
indexes = st.integers(0, 30)


class FeedMachine(RuleBasedStateMachine):
    """Anything may happen to several processes and browsers at any time; in the end everybody has seen what they must."""

    def __init__(self) -> None:
        super().__init__()
        self.bulks = 0

    @initialize(
        settle=st.sampled_from([5.0, 5.0, 5.0, 0.0]),
        pairs=st.sets(st.tuples(users, users), max_size=4),
        count=st.integers(1, 3),
    )
    def begin(self, settle: float, pairs: set[tuple[str, str]], count: int) -> None:
        self.world = World(settle)
        self.browsers: list[Browser] = []
        for viewer, friend in sorted(pairs):
            if viewer != friend:
                self.world.store.friendships.add((viewer, friend))
                self.world.since[viewer, friend] = 0
        for _ in range(count):
            self.world.start()
        self.open_page(USERS[0], 0)

    # the writers

    @rule(author=users, kind=st.sampled_from(["post", "post", "edit", "delete"]), door=indexes)
    def write(self, author: str, kind: str, door: int) -> None:
        """Insert and commit at once, by whichever door."""
        self.tell(self.world.commit(self.insert(author, kind, 1)), door)

    @rule(author=users, kind=st.sampled_from(["post", "edit"]), count=st.integers(1, 3))
    @precondition(lambda self: self.world.settle_seconds)
    def insert_only(self, author: str, kind: str, count: int) -> None:
        """Insert, and commit later."""
        self.insert(author, kind, count)

    @rule(author=users, count=st.sampled_from([12, 30, 250, 620]), door=indexes)
    @precondition(lambda self: self.bulks < 3)
    def write_many(self, author: str, count: int, door: int) -> None:
        """More than a process holds, a cursor names, or an answer takes."""
        self.bulks += 1
        self.tell(self.world.commit(self.insert(author, "post", count)), door)

    @rule(viewer=users, friend=users, later=st.booleans(), door=indexes)
    def befriend(self, viewer: str, friend: str, later: bool, door: int) -> None:
        """Begin a friendship, or end it."""
        if viewer != friend and not self.world.store.locked(viewer, friend):
            transaction = self.world.begin(lambda transaction: self.world.store.insert_change(transaction, viewer, friend))
            if not later or not self.world.settle_seconds:
                self.tell(self.world.commit(transaction), door)

    @rule(index=indexes, door=indexes)
    @precondition(lambda self: self.world.store.open_transactions)
    def commit(self, index: int, door: int) -> None:
        """An open transaction commits."""
        self.tell(self.world.commit(self.pick(self.world.store.open_transactions, index)), door)

    @rule(index=indexes)
    @precondition(lambda self: self.world.store.open_transactions)
    def roll_back(self, index: int) -> None:
        """An open transaction rolls back."""
        self.pick(self.world.store.open_transactions, index).rollback()

    # the broker, the database and the clock

    @rule(index=indexes, again=st.booleans(), lost=st.sampled_from([False, False, False, True]))
    @precondition(lambda self: self.world.bells)
    def hear(self, index: int, again: bool, lost: bool) -> None:
        """A message arrives, in any order, once or twice or never."""
        process, event = bell = self.pick(self.world.bells, index)
        if lost or not again:
            self.world.bells.remove(bell)
        if not lost:
            process.log.offer(event)

    @rule(index=indexes, limit=st.sampled_from([1, 3, 4, 1000]))
    def tick(self, index: int, limit: int) -> None:
        """The net comes by."""
        self.process(index).tick(limit)

    @rule(seconds=st.sampled_from([0.0, 1.0, 2.0, 5.0, 11.0]), commit=st.booleans())
    def advance(self, seconds: float, commit: bool) -> None:
        """Time goes by."""
        self.world.advance(seconds, commit)

    @rule()
    def slow_database(self) -> None:
        """The database holds its answers back, or does so no longer."""
        if self.world.gate.shut:
            self.world.gate.open()
        else:
            self.world.gate.shut = True

    @rule(index=indexes)
    @precondition(lambda self: self.world.gate.waiting)
    def answer(self, index: int) -> None:
        """The database takes one question, or gives one answer."""
        self.world.gate.step(index)

    @rule()
    def database_away(self) -> None:
        """The database goes, or comes back."""
        self.world.store.away = not self.world.store.away

    @rule(parts=st.integers(0, 4))
    def prune(self, parts: int) -> None:
        """Retention deletes what is long settled."""
        settled = min(process.log.settled for process in self.world.processes)
        self.world.store.prune(settled * parts // 4)

    @rule(index=indexes)
    def save(self, index: int) -> None:
        """A process writes down what is settled."""
        self.process(index).save()

    @rule(index=indexes)
    def restart(self, index: int) -> None:
        """A process crashes, and comes back."""
        self.kill(self.process(index))
        self.world.start()

    @rule()
    @precondition(lambda self: not self.world.store.open_transactions)
    def renew(self) -> None:
        """The database gets another epoch, for which every process is started anew."""
        self.world.store.epoch = f"k{int(self.world.store.epoch[1:]) + 1}"
        for process in tuple(self.world.processes):
            self.kill(process)
            self.world.start()

    @rule(index=indexes)
    def flush(self, index: int) -> None:
        """The reactor takes its next turn."""
        self.process(index).flush()

    # the browsers

    @rule(viewer=users, index=indexes)
    @precondition(lambda self: len(self.browsers) < 4)
    def open_page(self, viewer: str, index: int) -> None:
        """A viewer opens a page, and loads it."""
        self.browsers.append(Browser(viewer))
        self.browsers[-1].load(self.process(index))

    @rule(viewer=users, index=indexes)
    @precondition(lambda self: len(self.browsers) < 4)
    def open_without_page(self, viewer: str, index: int) -> None:
        """A viewer begins with a poll without a cursor."""
        self.browsers.append(Browser(viewer))
        self.browsers[-1].ask(self.process(index), False)

    @rule(index=indexes, where=indexes, wait=st.booleans(), noticed=st.booleans())
    def ask(self, index: int, where: int, wait: bool, noticed: bool) -> None:
        """A browser polls, perhaps before it was answered, and perhaps the process notices that."""
        browser = self.pick(self.browsers, index)
        if browser.poll and noticed:
            browser.poll.lost()
        if browser.started and not browser.lost_place:
            browser.ask(self.process(where), wait)
        else:
            browser.load(self.process(where))

    @rule(index=indexes)
    def receive(self, index: int) -> None:
        """An answer arrives."""
        browser = self.pick(self.browsers, index)
        if browser.poll and browser.poll.answer:
            browser.receive()

    @rule(index=indexes)
    def deadline(self, index: int) -> None:
        """A poll's time is over."""
        browser = self.pick(self.browsers, index)
        if browser.poll:
            browser.poll.expire()

    @rule(index=indexes, back=indexes)
    def go_back(self, index: int, back: int) -> None:
        """A browser comes back with an old cursor: all that it received after it is forgotten."""
        browser = self.pick(self.browsers, index)
        if browser.history:
            browser.poll = None
            browser.move(self.pick(browser.history, back))

    # what always holds

    @invariant()
    def settled(self) -> None:
        """What is settled is settled."""
        for process in self.world.processes:
            process.check()

    def teardown(self) -> None:
        """In the end, when all is well again, everybody has seen what they must, and nothing is left of them."""
        if hasattr(self, "world"):
            self.heal()
            for browser in self.browsers:
                self.drain(browser)
            self.world.end_polls()
            for process in self.world.processes:
                process.check()
                kept = {name: value for name, value in vars(process.hub).items() if isinstance(value, dict | set) and value}
                assert not kept and not process.followed, f"left: {kept}"

    def heal(self) -> None:
        self.world.store.away = False
        self.world.gate.open()
        for _ in range(2):
            self.world.advance(6, True)
            for process in self.world.processes:
                process.tick(1000)
        self.world.advance(6, True)
        for process in self.world.processes:
            process.tick(1000)
            assert process.log.settled >= max(self.world.store.rows, default=0), "the net does not get on"

    def drain(self, browser: Browser) -> None:
        """Poll until there is nothing more, and compare."""
        process = self.process(len(browser.history))
        if not browser.started or browser.lost_place:
            browser.load(process)
        for _ in range(20):
            process = self.process(len(browser.history))
            if browser.poll:
                browser.poll.lost()
            browser.ask(process, False)
            assert browser.poll and browser.poll.answer, "no answer"
            had, more = browser.stand.got, browser.poll.more
            browser.receive()
            if browser.lost_place:
                browser.load(process)
            elif browser.stand.got == had and not more:
                break
        else:
            raise AssertionError("there is always more")
        missed = self.world.due(browser.viewer) - browser.stand.got - browser.stand.before
        assert not missed, f"{browser.viewer} missed {sorted(missed)[:9]}"

    # small things

    def insert(self, author: str, kind: str, count: int) -> Transaction:
        def fill(transaction: Transaction) -> None:
            for _ in range(count):
                if kind == "post":
                    self.world.store.insert_post(transaction, author, b"{}")
                else:
                    transaction.insert(kind, author, 1, b"{}")

        return self.world.begin(fill)

    def tell(self, events: list[Event], door: int) -> None:
        """Nobody, the broker, or a process and the broker."""
        if door % 3:
            if door % 3 == 1:
                for event in events:
                    self.process(door).log.offer(event)
            self.world.ring(events)

    def process(self, index: int) -> Process:
        return self.pick(self.world.processes, index)

    def kill(self, process: Process) -> None:
        process.kill()
        for browser in self.browsers:
            if browser.poll and browser.poll.process is process and not browser.poll.answer:
                browser.poll = None

    def pick(self, things: Sequence[T], index: int) -> T:
        return things[index % len(things)]


class MachineTests(SynchronousTestCase):
    """The random simulation."""

    def test_machine(self) -> None:
        """Nothing is lost, nothing is doubled, whatever happens in whatever order."""
        run_state_machine_as_test(FeedMachine, settings=PROFILE)
