"""
The cursor's rules against everything that can go wrong, at random.

FEEDD_EXAMPLES=5000 makes it long, different every time, and shrinks what it finds.
"""

import os
from typing import TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from tests.actions import Actions
from tests.browsers import Browser
from tests.model import World

EXAMPLES = int(os.environ.get("FEEDD_EXAMPLES", "0"))
PROFILE = settings(
    max_examples=EXAMPLES or 100,
    stateful_step_count=60,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    phases=list(Phase) if EXAMPLES else [Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)

T = TypeVar("T")

authors = st.sampled_from(["bob", "bob", "cat", "ann"])
viewers = st.sampled_from(["ann", "ann", "ann", "bob"])
friendships = st.sets(st.sampled_from([("ann", "cat"), ("bob", "ann"), ("bob", "cat")]))
indexes = st.integers(0, 30)
seldom = st.sampled_from([False, False, False, True])
often = st.sampled_from([True, True, True, False])
TROUBLES = (
    "go back",
    "go back",
    "open",
    "open",
    "begin",
    "many",
    "prune",
    "save",
    "restart",
    "away",
    "kill",
    "renew",
    "log out",
    "log out",
)


class FeedMachine(Actions, RuleBasedStateMachine):
    """
    Anything may happen to several processes and browsers at any time; in the end everybody has seen
    what they must.
    """

    @initialize(
        database=st.sampled_from([(5.0, False), (5.0, False), (5.0, True), (0.0, False)]),
        pairs=friendships,
        count=st.integers(1, 3),
    )
    def begin(self, database: tuple[float, bool], pairs: set[tuple[str, str]], count: int) -> None:
        self.world = World(*database)
        self.browsers: list[Browser] = []
        self.bulks = 0
        for viewer, friend in sorted(pairs | {("ann", "bob")}):
            self.world.store.friendships.add((viewer, friend))
            self.world.since[viewer, friend] = 0
        for _ in range(count):
            self.world.start()
        self.open("ann", 0)

    # the writers

    @rule(author=authors, kind=st.sampled_from(["post", "post", "edit", "delete"]), way=indexes)
    def write(self, author: str, kind: str, way: int) -> None:
        """Insert and commit at once, in whichever way it is published."""
        self.tell(self.world.commit(self.insert(author, kind, 1)), way)

    @rule(
        author=authors,
        kind=st.sampled_from(["post", "edit"]),
        count=st.integers(1, 3),
        is_placed=often,
    )
    @precondition(lambda self: self.world.settle_seconds)
    def insert_only(self, author: str, kind: str, count: int, is_placed: bool) -> None:
        """Insert, and commit later; perhaps even the rows are written a little later."""
        self.insert(author, kind, count, is_placed)

    @rule(index=indexes)
    @precondition(lambda self: self.world.store.open_transactions)
    def place(self, index: int) -> None:
        """Rows whose ids were given out are written."""
        self.pick(self.world.store.open_transactions, index).place()

    @rule(count=st.sampled_from([1, 2, 64]))
    @precondition(lambda self: self.world.settle_seconds)
    def burn(self, count: int) -> None:
        """Ids are given out that nobody uses."""
        self.world.store.burn(count)

    @rule(viewer=viewers, friend=authors, later=seldom, way=indexes, says=st.booleans())
    def befriend(self, viewer: str, friend: str, later: bool, way: int, says: bool) -> None:
        """
        Begin a friendship, or end it; perhaps the friend says something at once, which may arrive
        before it.
        """
        if viewer != friend and not self.world.store.locked(viewer, friend):
            transaction = self.change(viewer, friend)
            if not later or not self.world.settle_seconds:
                self.tell(self.world.commit(transaction), way)
        if says:
            self.tell(self.world.commit(self.insert(friend, "post", 1)), way + 1)

    @rule(viewer=viewers, friend=authors, index=indexes, count=st.integers(2, 3))
    def quarrel(self, viewer: str, friend: str, index: int, count: int) -> None:
        """Begin, end and begin a friendship; a process hears it the wrong way round."""
        if viewer != friend and not self.world.store.locked(viewer, friend):
            events = [
                event
                for _ in range(count)
                for event in self.world.commit(self.change(viewer, friend))
            ]
            self.world.publish(events)
            for event in reversed(events):
                self.process(index).log.offer(event)

    @rule(index=indexes, way=indexes, rolls_back=seldom)
    @precondition(lambda self: self.world.store.open_transactions)
    def end(self, index: int, way: int, rolls_back: bool) -> None:
        """An open transaction commits or rolls back."""
        transaction = self.pick(self.world.store.open_transactions, index)
        if rolls_back:
            transaction.rollback()
        else:
            self.tell(self.world.commit(transaction), way)

    # the broker, the net and the clock

    @rule(index=indexes, again=seldom, lost=seldom, flush=st.booleans())
    @precondition(lambda self: self.world.bells)
    def hear(self, index: int, again: bool, lost: bool, flush: bool) -> None:
        """A message arrives, in any order, once or twice or never."""
        process, event = bell = self.pick(self.world.bells, index)
        if lost or not again:
            self.world.bells.remove(bell)
        if not lost:
            process.log.offer(event)
        if flush:
            process.flush()

    @rule(index=indexes, limit=st.sampled_from([1, 3, 4, 1000, 1000, 1000]), slow=seldom)
    def tick(self, index: int, limit: int, slow: bool) -> None:
        """The net comes by."""
        with self.world.gate.held(slow):
            self.process(index).tick(limit)
        self.process(index).flush()

    @rule(index=indexes, author=authors, seconds=st.sampled_from([1.0, 3.0]))
    @precondition(lambda self: self.world.settle_seconds)
    def long_tick(self, index: int, author: str, seconds: float) -> None:
        """While the net waits for the database, an id is overtaken by the next."""
        self.world.gate.shut = True
        self.process(index).tick(1000)
        self.world.advance(seconds, True)
        self.insert(author, "post", 1)
        self.world.commit(self.insert("bob", "post", 1))
        self.world.gate.open()

    @rule(seconds=st.sampled_from([1.0, 2.0, 3.0, 5.0, 11.0]), commit=st.booleans())
    def advance(self, seconds: float, commit: bool) -> None:
        """Time goes by."""
        self.world.store.away = False
        self.world.advance(seconds, commit)

    @rule(index=indexes, slow=st.booleans())
    @precondition(lambda self: self.world.gate.waiting)
    def answer(self, index: int, slow: bool) -> None:
        """A slow database takes one question, or gives one answer."""
        with self.world.gate.held(slow):
            self.world.gate.step(index)

    # the browsers

    @rule(index=indexes, where=indexes, arrives=often, noticed=often, wait=often, slow=seldom)
    def poll(
        self, index: int, where: int, arrives: bool, noticed: bool, wait: bool, slow: bool
    ) -> None:
        """
        A browser polls, because it was answered or out of impatience, and perhaps the process
        notices the latter.
        """
        browser = self.pick(self.browsers, index)
        self.world.flush()
        browser.arrive(arrives, noticed)
        with self.world.gate.held(slow):
            browser.go_on(self.process(where), wait)

    @rule(index=indexes, where=indexes, steps=st.integers(0, 4), author=authors, tells=often)
    def long_poll(self, index: int, where: int, steps: int, author: str, tells: bool) -> None:
        """While a poll waits for the database, somebody says something."""
        browser = self.pick(self.browsers, index)
        self.world.flush()
        browser.arrive(True, True)
        with self.world.gate.held(True):
            browser.go_on(self.process(where), True)
            for _ in range(steps):
                if self.world.gate.waiting:
                    self.world.gate.step(-1)
        for event in self.world.commit(self.insert(author, "post", 1)) if tells else ():
            self.process(where).log.offer(event)
        self.process(where).tick(1000)
        self.world.gate.open()

    @rule(index=indexes, where=indexes, author=authors)
    @precondition(lambda self: self.world.settle_seconds)
    def overtake(self, index: int, where: int, author: str) -> None:
        """A browser is answered past an id that may still appear, and polls again."""
        browser, process = self.pick(self.browsers, index), self.process(where)
        self.insert(author, "post", 1)
        for event in self.world.commit(self.insert("bob", "post", 1)):
            process.log.offer(event)
        for _ in range(2):
            process.tick(1000)
            self.world.flush()
            browser.arrive(True, True)
            browser.go_on(process, True)

    @rule(index=indexes, slow=seldom)
    @precondition(lambda self: any(browser.answered for browser in self.browsers))
    def poll_again(self, index: int, slow: bool) -> None:
        """A browser that was answered polls the same process."""
        self.world.flush()
        browser = self.pick([browser for browser in self.browsers if browser.answered], index)
        process = browser.process or self.process(0)
        browser.arrive(True, True)
        with self.world.gate.held(slow):
            browser.go_on(process, True)

    @rule(index=indexes)
    @precondition(lambda self: any(browser.waits for browser in self.browsers))
    def deadline(self, index: int) -> None:
        """A poll's time is over."""
        browser = self.pick([browser for browser in self.browsers if browser.waits], index)
        assert browser.poll is not None
        browser.poll.expire()

    # what is rarer

    @rule(kind=st.sampled_from(TROUBLES), index=indexes, other=indexes, viewer=viewers)
    def trouble(self, kind: str, index: int, other: int, viewer: str) -> None:
        """Something else."""
        match kind:
            case "go back":
                self.go_back(self.pick(self.browsers, index), other)
            case "open" if len(self.browsers) < 4:
                self.open(viewer, index)
            case "begin" if len(self.browsers) < 4:
                self.browsers.append(Browser(viewer))
                self.browsers[-1].ask(self.process(index), False)
            case "many" if self.bulks < 2:
                self.bulks += 1
                self.tell(
                    self.world.commit(
                        self.insert("bob", "post", self.pick((12, 20, 30, 250, 620), other))
                    ),
                    index,
                )
            case "prune":
                settled = min(process.log.horizon.whole for process in self.world.processes)
                self.world.store.prune(settled * (other % 5) // 4)
            case "save":
                self.process(index).save()
            case "restart":
                self.kill(self.process(index))
                self.world.start()
            case "away":
                self.world.store.away = True
            case "kill" if self.world.settle_seconds:
                self.world.store.kill()
            case "log out":
                later = self.world.settle_seconds > 0 and other % 4 == 0
                self.log_out(viewer, index, later)
            case "renew" if not self.world.store.open_transactions:
                self.renew()

    # what always holds

    @invariant()
    def settled(self) -> None:
        """Nothing that is settled can still appear."""
        for process in self.world.processes:
            process.check()

    def teardown(self) -> None:
        """
        In the end, when all is well again, everybody has seen what they must, and nothing is left
        of them.
        """
        if hasattr(self, "world"):
            self.heal()
            for browser in self.browsers:
                self.drain(browser)
            self.world.end_polls()
            for process in self.world.processes:
                process.check()
                process.check_logouts()
                assert process.hub.is_empty, f"left: {list(process.hub)}"
                assert not process.broker.followed, f"left: {process.broker.followed}"


class MachineTests(SynchronousTestCase):
    """The random simulation."""

    def test_machine(self) -> None:
        """Nothing is lost, nothing is doubled, whatever happens in whatever order."""
        run_state_machine_as_test(FeedMachine, settings=PROFILE)
