"""
Browsers of a small world: they poll, lose answers, come back with old cursors, and check every
answer.

Here is checked what can be said about one answer by itself. The machine checks that nothing is
missing at the end.
"""

from typing import Any, NamedTuple

from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from feedd.core.cursor import Cursor, parse_cursor
from feedd.core.event import LOGOUT, Event
from feedd.core.subscription import Subscription
from feedd.feed.ports import Unavailable
from feedd.feed.reading import Reply
from tests.model import Process, World


class Stand(NamedTuple):
    """The stand of a browser: its cursor, and the ids that it had received when it got it."""

    cursor: str | None
    got: frozenset[int] = frozenset()
    before: frozenset[int] = frozenset()


class Poll:
    """One poll of a browser to a process. `answer` is None until it has been answered."""

    def __init__(self, browser: "Browser", process: Process, stand: Stand, wait: bool) -> None:
        self.browser = browser
        self.process = process
        self.stand = stand
        self.answer: Stand | None = None
        self.gap = False
        self.more = False
        self.failed = False
        self._wait = wait
        self._parked: Subscription | None = None
        process.polls.append(self)
        hot = (
            process.reading.hot(browser.viewer, stand.cursor) if stand.cursor is not None else None
        )
        if hot is not None:
            self._reply(hot)
        else:
            self._task = process.spawn(process.reading.cold(browser.viewer, stand.cursor))
            self._task.addCallbacks(self._reply, self._fail).addErrback(process.failed)

    def expire(self) -> None:
        """Its deadline has come."""
        if self._parked is not None and self.answer is None:
            self.process.hub.answer(self._parked, self.process.reading.take(self._parked))

    def lost(self) -> None:
        """Its connection has gone, and the process notices."""
        if self.answer is not None or self.failed:
            return
        if self._parked is not None:
            self.process.hub.leave(self._parked)
        else:
            self._task.cancel()
        self.failed = True

    def _fail(self, failure: Failure) -> None:
        failure.trap(Unavailable, CancelledError)
        self.failed = True

    def _reply(self, reply: Reply) -> None:
        self.gap, self.more = reply.gap, reply.more
        if reply.events or reply.gap or not self._wait or reply.subscription is None:
            self._listen(reply.events, reply.cursor)
        else:
            self._parked = reply.subscription
            self.process.hub.park(reply.subscription, self._listen)

    def _listen(self, events: list[Event], text: str) -> None:
        assert self.answer is None, "answered twice"
        check_answer(self, events, parse_cursor(text))
        got, before = self.stand.got, self.stand.before
        if self.stand.cursor is None or self.gap:  # a new chain begins
            got, before = frozenset(), frozenset(self.process.world.events)
        self.answer = Stand(text, got.union(event.id for event in events), before)


class Browser:
    """
    A page that a viewer has open: its stand, the stands before, and the poll that it waits for.
    """

    def __init__(self, viewer: str) -> None:
        self.viewer = viewer
        self.stand = Stand(None)
        self.history: list[Stand] = []
        self.poll: Poll | None = None
        self.last: Process | None = None
        self.started = False
        self.lost_place = False

    @property
    def answered(self) -> bool:
        """Whether an answer is on its way."""
        return self.poll is not None and self.poll.answer is not None

    @property
    def waits(self) -> bool:
        """Whether its poll is neither answered nor refused."""
        return self.poll is not None and self.poll.answer is None and not self.poll.failed

    @property
    def process(self) -> Process | None:
        """The process that it polls, if that lives."""
        return self.poll.process if self.poll and self.poll.process.alive else None

    def ask(self, process: Process, wait: bool) -> None:
        """Poll; whatever was asked before is not waited for any more."""
        self.poll = Poll(self, process, self.stand, wait)

    def load(self, process: Process) -> None:
        """Load the page anew; when the database cannot be reached, it stays as it is."""

        def loaded(page: Any) -> None:
            cursor = parse_cursor(page.cursor)
            check_cursor(process.world, cursor)
            before = {id for id in process.world.events if has(cursor, id)}
            self.history, self.poll = [], None
            self.move(Stand(page.cursor, frozenset(), frozenset(before)))

        process.spawn(process.reading.page(self.viewer, None, 9)).addCallbacks(
            loaded, lambda failure: failure.trap(Unavailable, CancelledError)
        ).addErrback(process.failed)

    def arrive(self, arrives: bool, noticed: bool) -> None:
        """
        Take the answer, if there is one and it arrives; else give the poll up, and perhaps the
        process notices.
        """
        if self.poll and self.poll.answer and arrives:
            self.receive()
        elif self.poll and noticed:
            self.poll.lost()

    def go_on(self, process: Process, wait: bool) -> None:
        """Poll from here, or load the page when there is no place to go on from."""
        if self.started and not self.lost_place:
            self.ask(process, wait)
        else:
            self.load(process)

    def receive(self) -> None:
        """Take the answer that is there."""
        poll, self.poll = self.poll, None
        assert poll is not None and poll.answer is not None
        self.last = poll.process
        self.move(poll.answer)
        self.lost_place = poll.gap

    def move(self, stand: Stand) -> None:
        """Stand here now."""
        self.history.append(stand)
        self.stand, self.started, self.lost_place = stand, True, False


def check_cursor(world: World, cursor: Cursor) -> None:
    """A cursor never says that its viewer has what may still appear."""
    late = [id for id in world.late if has(cursor, id)]
    assert not late, f"{late} may still appear, and the cursor is {cursor}"


def has(cursor: Cursor, id: int) -> bool:
    """Whether a viewer has this event, as their cursor says."""
    return id in cursor.ids or (id <= cursor.settled and id not in cursor.holes)


def check_answer(poll: Poll, events: list[Event], cursor: Cursor) -> None:
    """All that can be said about one answer by itself."""
    world, stand, viewer = poll.process.world, poll.stand, poll.browser.viewer
    check_cursor(world, cursor)
    ids = [event.id for event in events]
    assert all(event.kind != LOGOUT for event in events), f"{viewer} is told {events}"
    assert ids == sorted(set(ids)), f"{ids} do not ascend"
    assert all(has(cursor, id) for id in ids), f"{ids} not in {cursor}"
    sent = parse_cursor(stand.cursor) if stand.cursor is not None else None
    if sent is not None:
        other = sent.epoch != world.store.epoch
        assert not poll.gap or other or sent.settled < world.store.pruned, f"a gap after {sent}"
        assert poll.gap or not other, f"no gap after {sent}"
        if poll.gap:  # the chain is broken
            return
        again = [id for id in ids if has(sent, id) or id in stand.got]
        assert not again, f"{again} again after {sent}"
        assert cursor.settled >= sent.settled, f"back from {sent} to {cursor}"
    named = sent.ids if sent is not None else ()
    known = [world.events[id] for id in sorted(stand.got) if id in named or poll.process.knows(id)]
    check_strangers(world, viewer, known, events)


def check_strangers(world: World, viewer: str, known: list[Event], events: list[Event]) -> None:
    """
    Once an unfriend has been delivered, nothing of the removed friend is, unless they became
    friends again.

    :param known: what has been delivered, as far as the process could know: it let it through, or
        the cursor named it. One whose net is more than S behind another's may miss an unfriend that
        the other has settled.
    """
    ended: dict[str, int] = {}
    for event in known:
        _follow(ended, viewer, event)
    for event in events:
        _follow(ended, viewer, event)
        unfriend = ended.get(event.author)
        again = unfriend is None or world.befriended(viewer, event.author, unfriend)
        assert again, f"{event} after the unfriend {unfriend}"


def _follow(ended: dict[str, int], viewer: str, event: Event) -> None:
    if event.author == viewer and event.friend is not None:
        if event.kind == "unfriend":
            ended[event.friend] = event.id
        else:
            ended.pop(event.friend, None)
