"""
The newest events of the log in memory, and how far the log is settled.
"""

from bisect import bisect_right, insort
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from operator import attrgetter

from feedd.core.counters import Counters
from feedd.core.event import BODY_KINDS, FRIEND_KINDS, Event, without_body

MAX_ABOVE = 100_000
"""Ids above the watermark that are remembered as let through."""
MAX_MESSAGES = 1_000
"""Foreign messages, which are not in the log, that are remembered as let through."""
MAX_CHANGES = 10_000
"""Friend changes that correct cached friend lists."""


class RecentLog:
    """
    The newest events of the log. `offer` is the only way in: a commit of this process, the bell and
    the net may each offer an event, and the first to do so lets it through.

    :param dispatch: called with each event that is let through.
    :param size: how many events are kept at least, as far as there are so many.
    :param settle_seconds: how long after its id was given out an event may become visible; 0 when
        ids become visible in their order.
    :param counters: counts ``recent_forgotten``.
    :ivar epoch: the database that the ids are of, "" while none has been read.
    :ivar settled: the watermark; every id up to here has been let through, and no further one can
        appear (see `note_read`).
    """

    def __init__(
        self,
        dispatch: Callable[[Event], None],
        size: int,
        settle_seconds: float,
        counters: Counters,
    ) -> None:
        self.epoch = ""
        self.settled = 0
        self._dispatch = dispatch
        self._size = size
        self._settle_seconds = settle_seconds
        self._counters = counters
        self._floor = 0
        self._ids: list[int] = []
        self._by_author: dict[str, list[int]] = {}
        self._events: dict[int, Event] = {}
        # Sets that keep their order, so that the oldest id can be forgotten.
        self._above: dict[int, None] = {}
        self._messages: dict[int, None] = {}
        self._sightings: deque[tuple[int, float]] = deque()
        self._changes: dict[str, dict[str, Event]] = {}
        self._changed: list[Event] = []
        self._deletions: dict[tuple[str, int | None], Event] = {}

    @property
    def highest(self) -> int:
        """The highest id that is known to be in the log."""
        return max(self.settled, self._ids[-1]) if self._ids else self.settled

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
        self.epoch = epoch
        self.settled = settled
        self._floor = events[0].id - 1 if events else settled
        for known in (self._ids, self._by_author, self._events, self._above, self._sightings):
            known.clear()
        for corrections in (self._changes, self._changed, self._deletions):
            corrections.clear()
        for event in events:
            self._keep(event)

    def close(self) -> None:
        """
        Take note that the database has turned out to be another one, in which ids mean something
        else; `fill` opens the log again.
        """
        self.epoch = ""

    def offer(self, event: Event) -> bool:
        """
        Dispatch `event`, unless it has been let through before; returns whether it was new.
        """
        if event.id < 0:
            return self._offer_message(event)
        if event.id <= self.settled or event.id in self._above:
            return False
        event = self.shown(event)
        self._keep(event)
        self._dispatch(event)
        return True

    def unknown(self, ids: Sequence[int]) -> list[int]:
        """Those of `ids` that have not been let through."""
        return [id for id in ids if id > self.settled and id not in self._above]

    def missing(self, ids: Sequence[int]) -> None:
        """Take note that the rows of these ids are gone or unreadable: they cannot be offered."""
        for id in ids:
            self._note(id)

    def note_read(self, started: float, ended: float, upto: int) -> None:
        """
        Take note of a read of the log above `settled`, each row of which has been offered, and
        settle what the read proves.

        An id is given out at INSERT and visible at COMMIT, at most S = `settle_seconds` later. If
        `upto` was visible at some moment u, every lower id was given out before u, and a read that
        starts at u + S or later sees all that ever commit. u lies between `started` and `ended`;
        the later one is the safe one. With S = 0 ids commit in order, so `started` is.

        :param started: when the read began, in seconds of a clock that only goes forward.
        :param ended: when its answer was here.
        :param upto: the highest id in it; where a limit cut the read, ids above it were not looked
            at. 0: no row at all.
        """
        if upto > self.settled and (not self._sightings or upto > self._sightings[-1][0]):
            self._sightings.append((upto, ended if self._settle_seconds else started))
        while self._sightings and self._sightings[0][1] + self._settle_seconds <= started:
            self._settle(min(self._sightings.popleft()[0], upto))

    def after(
        self, settled: int, ids: Collection[int], authors: Collection[str]
    ) -> list[Event] | None:
        """
        The events of `authors` above `settled` that are not in `ids`, ascending; None when memory
        does not reach back so far.
        """
        if settled < self._floor:
            return None
        events = self._events
        newer = len(self._ids) - bisect_right(self._ids, settled)
        found = (
            self._scan(newer, authors) if newer <= len(authors) else self._look_up(settled, authors)
        )
        return [self.shown(events[id]) for id in found if id not in ids]

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
            self._events[event.id] = bare
        return bare

    def friend_changes(self, viewer: str) -> Mapping[str, Event]:
        """
        For each other user the newest ``friend`` or ``unfriend`` event of `viewer`, of the newest
        `MAX_CHANGES` of all viewers.

        They are kept longer than other events, because one that comes late must still correct a
        friend list that was cached before it.
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
        self._note(event.id)
        if event.kind in FRIEND_KINDS:
            self._keep_change(event)
        if event.id <= self._floor:
            return
        for ids in (self._ids, self._by_author.setdefault(event.author, [])):
            if not ids or event.id > ids[-1]:
                ids.append(event.id)
            else:
                insort(ids, event.id)
        self._events[event.id] = event
        if event.kind == "delete" and event.post is not None:
            self._keep_deletion(event)
        if len(self._ids) > self._size + self._size // 8:
            self._evict()

    def _keep_change(self, event: Event) -> None:
        assert event.friend is not None
        changes = self._changes.setdefault(event.author, {})
        newest = changes.get(event.friend)
        if newest is None or newest.id < event.id:
            changes[event.friend] = event
            insort(self._changed, event, key=attrgetter("id"))
        if len(self._changed) > MAX_CHANGES:
            self._forget_change(self._changed.pop(0))

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

    def _note(self, id: int) -> None:
        if id <= self.settled:
            return
        self._above[id] = None
        if len(self._above) > MAX_ABOVE:
            # The net has not read the log for very long. An event that is forgotten here may be let
            # through again; clients drop an id that they have.
            del self._above[next(iter(self._above))]
            self._counters.add("recent_forgotten")

    def _evict(self) -> None:
        """
        Forget the oldest events, an eighth of `size` at a time: deleting at the front moves the
        whole list, which must not be done for every event.
        """
        count = len(self._ids) - self._size
        gone: Counter[str] = Counter()
        for id in self._ids[:count]:
            event = self._events.pop(id)
            gone[event.author] += 1
            if self._deletions.get((event.author, event.post)) is event:
                del self._deletions[event.author, event.post]
        self._floor = self._ids[count - 1]
        del self._ids[:count]
        for author, number in gone.items():
            ids = self._by_author[author]
            del ids[:number]
            if not ids:
                del self._by_author[author]

    def _settle(self, id: int) -> None:
        if id > self.settled:
            self.settled = id
            self._above = {above: None for above in self._above if above > id}
