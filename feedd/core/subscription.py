"""
A subscription is one chain of polls of a viewer: what they have, what is pending for them, and the
listener that waits.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from feedd.core.cursor import MAX_IDS, Cursor
from feedd.core.event import BODY_KINDS, Event, without_body

Listener = Callable[[list[Event], str], None]
"""Called once with the events, in their order, and the cursor after them."""


class Position(NamedTuple):
    """
    Where one event takes a viewer.

    :ivar had: the ids above the watermark that they had before; kept, so that nothing else gets its
        identity.
    :ivar have: those that they have now.
    :ivar text: their cursor without its handle.
    :ivar events: the event.
    """

    had: tuple[int, ...]
    have: tuple[int, ...]
    text: str
    events: list[Event]


Positions = dict[tuple[int | tuple[int, ...], int, int], Position]
"""
By the ids that a viewer had, the watermark and the event's id; and by the identity of these ids as
well: who has moved together before has the same object, and two hundred numbers need not be looked
at for each viewer.
"""


class Subscription:
    """
    One chain of polls: each poll goes on where the one before it ended.

    :ivar viewer: the user who polls.
    :ivar handle: its short name in a cursor.
    :ivar open: True until the hub closes it; then nothing becomes pending any more.
    :ivar issued: the last cursor that was given out, "" before the first.
    :ivar overflowed: more was pending than may be; only a cold poll can go on.
    :ivar pending: the events that wait for an answer: none, one (the usual case, which costs no
        dict), or several by id.
    :ivar listener: waits for the next event; set it by `park` and `unpark`.
    :ivar idle_since: when the last listener ceased to wait, in seconds of the hub's clock.
    """

    __slots__ = (
        "_have",
        "_settled",
        "handle",
        "idle_since",
        "issued",
        "listener",
        "open",
        "overflowed",
        "pending",
        "viewer",
    )

    def __init__(self, viewer: str, handle: str, now: float = 0.0) -> None:
        self.viewer = viewer
        self.handle = handle
        self.open = True
        self.issued = ""
        self.overflowed = False
        self.pending: Event | dict[int, Event] | None = None
        self.listener: Listener | None = None
        self.idle_since = now
        self._settled = 0
        self._have: tuple[int, ...] = ()

    def start(self, settled: int, ids: Iterable[int], events: Iterable[Event]) -> None:
        """
        Begin where the viewer stands, and add the events that they missed to those that have become
        pending since the subscription was opened.

        :param settled: the viewer has every event up to here,
        :param ids: and these above it.
        :param events: those that they missed, in any order; one that is pending as well counts
            once.
        """
        self._settled = settled
        self._have = tuple(sorted(ids))
        had = frozenset(self._have)
        merged = {event.id: event for event in events} | by_id(self.pending)
        self.pending = {
            id: event for id, event in merged.items() if id < 0 or (id > settled and id not in had)
        } or None

    def start_now(self, settled: int, known: Iterable[int]) -> None:
        """
        Begin now: the viewer counts as having all `known` ids, except those that have become
        pending since the subscription was opened.
        """
        held = by_id(self.pending)
        self.start(settled, (id for id in known if id not in held), ())

    def push(self, event: Event, limit: int) -> bool:
        """
        Make `event` pending, unless the viewer has it; with more than `limit` the subscription
        overflows. Returns whether a listener must be answered.
        """
        id = event.id
        if self.pending and event.kind == "delete" and event.post is not None:
            self._delete(event)
        have = self._have
        # A new event has the highest id, as a rule, and then the ids need not be searched.
        if self.overflowed or 0 < id <= self._settled or (have and id <= have[-1] and id in have):
            return False
        if self.pending is None:
            self.pending = event
        else:
            self.pending = pending = by_id(self.pending)
            pending[id] = event
            if len(pending) > limit:
                self.pending = None
                self.overflowed = True
        return self.listener is not None

    def _delete(self, deletion: Event) -> None:
        """Take the body out of what is pending of a post that is being deleted."""
        self.pending = pending = by_id(self.pending)
        for id, event in pending.items():
            if (
                event.kind in BODY_KINDS
                and (event.author, event.post) == (deletion.author, deletion.post)
                and id < deletion.id
            ):
                pending[id] = without_body(event)

    def retract(self, author: str) -> None:
        """Drop what is pending from `author`, whom the viewer does not hear any more."""
        self.pending = {
            id: event for id, event in by_id(self.pending).items() if event.author != author
        } or None

    def take(
        self, epoch: str, settled: int, after: "Positions | None" = None
    ) -> tuple[list[Event], str]:
        """
        All that is pending, by id (foreign messages first, as they came), and the cursor after it,
        which is now `issued`.

        :param after: where others went from where they stood; a fan-out moves most of its viewers
            from one place to another, which is then computed, and kept, once.
        """
        pending, self.pending = self.pending, None
        if settled < self._settled:
            settled = self._settled
        self._settled = settled
        if after is None or not isinstance(pending, Event):
            events = sorted(by_id(pending).values(), key=_order)
            self._have, text = _position(epoch, settled, self._have, events)
        else:
            place = after.get((id(self._have), settled, pending.id)) or _share(
                after, epoch, settled, self._have, pending
            )
            self._have, text, events = place.have, place.text, place.events
            if (
                events[0] is not pending
            ):  # it may have lost its body for one viewer, and not for the other
                events = [pending]
        self.issued = cursor = f"{text}~{self.handle}"
        return events, cursor

    def park(self, listener: Listener) -> None:
        """Let `listener` wait for the next event."""
        self.listener = listener

    def unpark(self) -> Listener | None:
        """Let no listener wait; returns the one that did."""
        listener, self.listener = self.listener, None
        return listener


def _share(
    after: Positions, epoch: str, settled: int, had: tuple[int, ...], event: Event
) -> Position:
    """The place of all who had these ids."""
    place = after.get((had, settled, event.id))
    if place is None:
        have, text = _position(epoch, settled, had, [event])
        place = after[had, settled, event.id] = Position(had, have, text, [event])
    after[id(had), settled, event.id] = place._replace(had=had)
    return place


def _position(
    epoch: str, settled: int, had: tuple[int, ...], events: list[Event]
) -> tuple[tuple[int, ...], str]:
    """
    What a viewer has above `settled` after `events`, and the text of their cursor without its
    handle.
    """
    have = tuple(sorted({id for id in (*had, *(event.id for event in events)) if id > settled}))[
        -MAX_IDS:
    ]
    return have, Cursor(epoch, settled, have).text()


def by_id(pending: Event | dict[int, Event] | None) -> dict[int, Event]:
    """The pending events by id; when there are several it is the same dict."""
    if isinstance(pending, Event):
        return {pending.id: pending}
    return {} if pending is None else pending


def _order(event: Event) -> int:
    return event.id if event.id > 0 else 0
