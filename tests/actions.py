"""The actions of a small world (`tests.model`), and the way to bring it to a good end."""

from collections.abc import Sequence
from typing import TypeVar

from feedd.core.event import Event
from tests.browsers import Browser
from tests.model import Process, World
from tests.transaction import Transaction

T = TypeVar("T")


class Actions:
    """
    The actions of the machine.

    :ivar world: the processes and what they share.
    :ivar browsers: the pages that are open.
    """

    world: World
    browsers: list[Browser]

    def open(self, viewer: str, index: int) -> None:
        """A viewer opens a page, and loads it."""
        self.browsers.append(Browser(viewer))
        self.browsers[-1].load(self.process(index))

    def go_back(self, browser: Browser, back: int) -> None:
        """A browser comes back with an old cursor: all that it received after it is forgotten."""
        if browser.history:
            browser.poll = None
            browser.move(browser.history[-1 - back % min(3, len(browser.history))])

    def change(self, viewer: str, friend: str) -> Transaction:
        """A friendship begins, or ends: an open transaction."""
        return self.world.begin(
            lambda transaction: self.world.store.insert_change(transaction, viewer, friend)
        )

    def insert(self, author: str, kind: str, count: int, is_placed: bool = True) -> Transaction:
        """Events of an author: an open transaction."""

        def fill(transaction: Transaction) -> None:
            for _ in range(count):
                if kind == "post":
                    self.world.store.insert_post(transaction, author, b"{}", is_placed)
                else:
                    transaction.insert(kind, author, 1, b"{}", is_placed)

        return self.world.begin(fill)

    def log_out(self, user: str, way: int, later: bool) -> None:
        """All sessions of a user end, now or when a transaction is committed."""
        transaction = self.world.begin(
            lambda transaction: self.world.store.insert_logout(transaction, user)
        )
        if not later:
            self.tell(self.world.commit(transaction), way)

    def tell(self, events: list[Event], way: int) -> None:
        """Nobody, the broker, or a process and the broker."""
        if way % 3:
            if way % 3 == 1:
                for event in events:
                    self.process(way).log.offer(event)
            self.world.publish(events)

    def renew(self) -> None:
        """The database gets another epoch, for which every process is started anew."""
        self.world.store.epoch = f"k{int(self.world.store.epoch[1:]) + 1}"
        for process in tuple(self.world.processes):
            self.kill(process)
            self.world.start()

    def kill(self, process: Process) -> None:
        """A process ends, and with it the polls that it has not answered."""
        process.kill()
        for browser in self.browsers:
            if browser.poll and browser.poll.process is process and not browser.poll.answer:
                browser.poll = None

    def heal(self) -> None:
        """All is well again: everybody has committed, and the nets have come by."""
        self.world.store.away = False
        self.world.gate.open()
        for transaction in tuple(self.world.store.open_transactions):
            self.world.commit(transaction)
        for _ in range(2):
            self.world.advance(6, True)
            for process in self.world.processes:
                process.tick(1000)
        self.world.advance(6, True)
        for process in self.world.processes:
            process.tick(1000)
            assert process.log.horizon.whole >= max(self.world.store.rows, default=0), (
                f"the net does not get on: {process.log.horizon}"
            )

    def drain(self, browser: Browser) -> None:
        """Poll until there is nothing more, and compare."""
        process = (
            browser.last
            if browser.last and browser.last.alive
            else self.process(len(browser.history))
        )
        if not browser.started or browser.lost_place:
            browser.load(process)
        for _ in range(20):
            if browser.poll:
                browser.poll.lost()
            browser.ask(process, False)
            process.flush()
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

    def process(self, index: int) -> Process:
        """One of the processes."""
        return self.pick(self.world.processes, index)

    def pick(self, things: Sequence[T], index: int) -> T:
        """One of several things."""
        return things[index % len(things)]
