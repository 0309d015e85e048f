"""
The newest events of the log in memory, and how far the log is settled.
"""

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from heapq import heappop, heappush

import msgspec

from feedd.core.counters import Counters
from feedd.core.event import BODY_KINDS, FRIEND_KINDS, LOGOUT, Event, without_body
from feedd.core.horizon import Horizon, Settling
from feedd.core.position import Position
from feedd.core.runs import Runs
from feedd.core.sizes import RECENT_BYTES

MAX_MESSAGES = 1_000
"""Foreign messages, which are not in the log, that are remembered as let through."""
MAX_CHANGES = 10_000
"""Friend changes that correct cached friend lists."""


def _raise(counter: str, what: str) -> None:
    raise


class RecentLog:
    """
    The newest events of the log. `offer` is the only way in: a commit of this process, the bell and
    the net may each offer an event, and the first to do so lets it through.

    :param dispatch: called with each event that is let through.
    :param size: how many events are kept at least, as far as there are so many.
    :param settle_seconds: how long after its id was given out an event may become visible; 0 when
        ids become visible in their order.
    :param counters: counts ``recent_forgotten``.
    :param most_bytes: the JSON of all events that are kept, so that fewer may be.
    :param failed: called with a counter and a text in the handler of an exception; the event that
        caused it is left out. The default raises it again.
    :ivar settling: decides how far the log is settled.
    """

    def __init__(
        self,
        dispatch: Callable[[Event], None],
        size: int,
        settle_seconds: float,
        counters: Counters,
        most_bytes: int = RECENT_BYTES,
        failed: Callable[[str, str], None] = _raise,
    ) -> None:
        self._failed = failed
        self.settling = Settling(settle_seconds, counters)
        self._dispatch = dispatch
        self._size = size
        self._most_bytes = most_bytes
        self._bytes = 0
        self._floor = 0
        self._ids: list[int] = []
        self._by_author: dict[str, list[int]] = {}
        self._events: dict[int, Event] = {}
        # A set that keeps its order, so that the oldest id can be forgotten.
        self._messages: dict[int, None] = {}
        self._changes: dict[str, dict[str, Event]] = {}
        self._changed: list[tuple[int, Event]] = []  # a heap, by id
        self._deletions: dict[tuple[str, int | None], Event] = {}

    @property
    def horizon(self) -> Horizon:
        """How far the log is settled, and its epoch."""
        return self.settling.horizon

    @property
    def highest(self) -> int:
        """The highest id that is known to be in the log."""
        settled = self.horizon.settled
        return max(settled, self._ids[-1]) if self._ids else settled

    @property
    def authors(self) -> int:
        """The number of authors of the events in memory."""
        return len(self._by_author)

    def fill(self, epoch: str, settled: int, events: Sequence[Event]) -> None:
        """
        Begin with the epoch and the watermark that the database keeps and its last events,
        ascending, which are not dispatched.

        The watermark may be far behind the first of these events; what lies between is in the
        database only. When the database is another one than before, all that was known is
        forgotten.
        """
        self.settling.begin(epoch, settled)
        self._floor = events[0].id - 1 if events else settled
        for known in (self._ids, self._by_author, self._events):
            known.clear()
        for corrections in (self._changes, self._changed, self._deletions):
            corrections.clear()
        self._bytes = 0
        for event in events:
            self._keep(event)

    def close(self) -> None:
        """
        Take note that the database has turned out to be another one, in which ids mean something
        else; `fill` opens the log again.
        """
        self.settling.close()

    def offer(self, event: Event) -> bool:
        """
        Dispatch `event`, unless it has been let through before; returns whether it was new.

        An event with which something fails counts as let through: it must not keep those after it
        from it, nor the log from being settled.
        """
        if event.id < 0:
            return self._offer_message(event)
        if self.settling.knows(event.id):
            return False
        try:
            event = self.shown(event)
            self._keep(event)
            self._dispatch(event)
        except Exception:
            if not self.settling.knows(event.id):
                self.settling.let_through(event.id)
            self._failed("recent_failed", f"event {event.id} was not told to everybody")
        return True

    def unknown(self, ids: Sequence[int]) -> list[int]:
        """Those of `ids` that have not been let through."""
        return [id for id in ids if not self.settling.knows(id)]

    def missing(self, ids: Sequence[int]) -> None:
        """Take note that the rows of these ids are gone or unreadable: they cannot be offered."""
        for id in ids:
            self.settling.let_through(id)

    def after(self, position: Position, authors: Collection[str]) -> list[Event] | None:
        """
        The events of `authors` that a viewer at `position` lacks, ascending; None when memory does
        not reach back so far.
        """
        settled, ids, holes = position.settled, position.ids, position.holes
        if settled < self._floor or (holes and holes.first <= self._floor):
            return None
        events = self._events
        newer = len(self._ids) - bisect_right(self._ids, settled)
        found = (
            self._scan(newer, authors) if newer <= len(authors) else self._look_up(settled, authors)
        )
        if holes:
            found = [*self._in_holes(holes, authors), *found]
        return [self.shown(events[id]) for id in found if id not in ids]

    def _in_holes(self, holes: Runs, authors: Collection[str]) -> list[int]:
        """The ids of `authors` that were holes, and have come in since."""
        ids, events = self._ids, self._events
        return [
            id
            for first, last in holes.spans
            for id in ids[bisect_left(ids, first) : bisect_right(ids, last)]
            if events[id].author in authors
        ]

    def _scan(self, newer: int, authors: Collection[str]) -> Sequence[int]:
        """Those of the last `newer` ids that are of `authors`."""
        events = self._events
        return [id for id in self._ids[len(self._ids) - newer :] if events[id].author in authors]

    def _look_up(self, settled: int, authors: Collection[str]) -> Sequence[int]:
        """
        The ids of `authors` above `settled`, found by author: after a restart all viewers come back
        at once and ask this of a log that has grown meanwhile.
        """
        found: list[int] = []
        for author in set(authors):
            ids = self._by_author.get(author)
            if ids and ids[-1] > settled:
                found += ids[bisect_right(ids, settled) :]
        return sorted(found)

    def shown(self, event: Event) -> Event:
        """
        `event` as it may be delivered now: without its body when its post was deleted after it.
        """
        deletion = self._deletions.get((event.author, event.post))
        if deletion is None or deletion.id < event.id or event.kind not in BODY_KINDS:
            return event
        bare = without_body(event)
        if event.id in self._events:
            self._bytes += len(bare.json) - len(self._events[event.id].json)
            self._events[event.id] = bare
        return bare

    def friend_changes(self, viewer: str) -> Mapping[str, Event]:
        """
        For each other user the newest ``friend`` or ``unfriend`` event of `viewer`, of the newest
        `MAX_CHANGES` of all viewers.

        They are without their JSON, and are kept longer than other events, because one that comes
        late must still correct a friend list that was cached before it.
        """
        return self._changes.get(viewer, {})

    def _offer_message(self, event: Event) -> bool:
        if event.id in self._messages:
            return False
        self._messages[event.id] = None
        if len(self._messages) > MAX_MESSAGES:
            del self._messages[next(iter(self._messages))]
        self._dispatch(event)
        return True

    def _keep(self, event: Event) -> None:
        self.settling.let_through(event.id, event.kind in FRIEND_KINDS)
        if event.kind in FRIEND_KINDS:
            self._keep_change(event)
        if event.id <= self._floor or event.kind == LOGOUT:
            return
        for ids in (self._ids, self._by_author.setdefault(event.author, [])):
            if not ids or event.id > ids[-1]:
                ids.append(event.id)
            else:
                insort(ids, event.id)
        self._events[event.id] = event
        self._bytes += len(event.json)
        if event.kind == "delete" and event.post is not None:
            self._keep_deletion(event)
        if len(self._ids) > self._size + self._size // 8 or self._bytes > self._most_bytes:
            self._evict()

    def _keep_change(self, event: Event) -> None:
        assert event.friend is not None
        changes = self._changes.setdefault(event.author, {})
        newest = changes.get(event.friend)
        if newest is None or newest.id < event.id:
            # What is kept so long must not be long, and it is not told.
            changes[event.friend] = change = msgspec.structs.replace(event, json=b"")
            heappush(self._changed, (event.id, change))
        if len(self._changed) > MAX_CHANGES:
            self._forget_change(heappop(self._changed)[1])

    def _forget_change(self, event: Event) -> None:
        assert event.friend is not None
        changes = self._changes.get(event.author, {})
        if changes.get(event.friend) is event:
            del changes[event.friend]
            if not changes:
                del self._changes[event.author]

    def _keep_deletion(self, event: Event) -> None:
        """
        Remember a deletion while its event is in memory: what it deletes has a lower id, and is
        evicted before it.
        """
        newest = self._deletions.setdefault((event.author, event.post), event)
        if newest.id < event.id:
            self._deletions[event.author, event.post] = event

    def _evict(self) -> None:
        """
        Forget the oldest events, an eighth of all at a time: deleting at the front moves the whole
        list, which must not be done for every event. The newest one stays, whatever its size.
        """
        most_bytes = self._most_bytes - self._most_bytes // 8
        gone: Counter[str] = Counter()
        count = 0
        while len(self._events) > 1 and (
            len(self._events) > self._size or self._bytes > most_bytes
        ):
            event = self._events.pop(self._ids[count])
            count += 1
            self._bytes -= len(event.json)
            gone[event.author] += 1
            if self._deletions.get((event.author, event.post)) is event:
                del self._deletions[event.author, event.post]
        if not count:
            return
        self._floor = self._ids[count - 1]
        del self._ids[:count]
        for author, number in gone.items():
            ids = self._by_author[author]
            del ids[:number]
            if not ids:
                del self._by_author[author]
