"""
A subscription is one chain of polls of a viewer: what they have, what is pending for them, and the
listener that waits.
"""

from collections.abc import Container, Iterable
from typing import Any

from feedd.core.event import BODY_KINDS, Event, without_body
from feedd.core.horizon import Horizon, advance
from feedd.core.position import Position, Positions
from feedd.core.sizes import PENDING_BYTES

Listener = Any
"""
An object that waits on a subscription. The core only keeps it, and hands it out with a
`feedd.core.delivery.Delivery`; how it is answered is known to those who deliver.
"""


class Pending(dict[int, Event]):
    """
    Several events by id.

    :ivar size: the bytes of their JSON, or a little more.
    """

    __slots__ = ("size",)

    def __init__(self, events: Iterable[Event] = ()) -> None:
        super().__init__()
        self.size = 0
        for event in events:
            self.add(event)

    def add(self, event: Event) -> None:
        """Add an event, or put it in the place of one with the same id."""
        if event.id not in self:
            self.size += len(event.json)
        self[event.id] = event

    def drop(self, id: int) -> None:
        """Take an event out."""
        self.size -= len(self.pop(id).json)


class Subscription:
    """
    One chain of polls: each poll goes on where the one before it ended.

    :ivar viewer: the user who polls.
    :ivar handle: its short name in a cursor.
    :ivar open: True until the hub closes it; then nothing becomes pending any more.
    :ivar overflowed: more was pending than may be; only a cold poll can go on.
    :ivar pending: the events that wait for an answer: none, one (the usual case, which costs no
        dict), or several by id.
    :ivar position: where its viewer stands.
    :ivar listener: waits for the next event; set it by `park` and `unpark`.
    :ivar idle_since: when the last listener ceased to wait, in seconds of the hub's clock.
    """

    __slots__ = (
        "handle",
        "idle_since",
        "listener",
        "open",
        "overflowed",
        "pending",
        "position",
        "viewer",
    )

    def __init__(self, viewer: str, handle: str, now: float = 0.0) -> None:
        self.viewer = viewer
        self.handle = handle
        self.open = True
        self.overflowed = False
        self.pending: Event | Pending | None = None
        self.listener: Listener | None = None
        self.idle_since = now
        self.position = Position(0)

    @property
    def issued(self) -> str:
        """The last cursor that was given out, "" before the first."""
        # Made when it is asked for: kept, it would be 70 bytes for each who is parked.
        text = self.position.text
        return f"{text}~{self.handle}" if text else ""

    def start(self, position: Position, events: Iterable[Event]) -> None:
        """
        Begin where the viewer stands, and add the events that they missed to those that have become
        pending since the subscription was opened.

        :param events: those that they missed, in any order; one that is pending as well counts
            once.
        """
        self.position = position
        merged = {event.id: event for event in events} | by_id(self.pending)
        lacking = (event for id, event in merged.items() if not position.has(id))
        self.pending = Pending(lacking) or None

    def start_now(self, horizon: Horizon, known: Iterable[int]) -> None:
        """
        Begin now: the viewer counts as having all that was settled and all `known` ids besides,
        except those that have become pending since the subscription was opened.

        :param horizon: how far the log was settled when it was opened.
        """
        held = by_id(self.pending)
        had = [id for id in known if id not in held]
        (_, settled, holes), ids = advance(horizon, (), horizon, had)
        self.start(Position(settled, ids, holes=holes), ())

    def push(self, event: Event, limit: int) -> bool:
        """
        Make `event` pending, unless the viewer has it; with more than `limit`, or `PENDING_BYTES`,
        the subscription overflows. Returns whether a listener must be answered.
        """
        id = event.id
        if self.pending and event.kind == "delete" and event.post is not None:
            self._delete(event)
        position = self.position
        ids = position.ids
        # A new event has the highest id, as a rule, and then the ids need not be searched.
        if (
            self.overflowed
            or (0 < id <= position.settled and id not in position.holes)
            or (ids and id <= ids[-1] and id in ids)
        ):
            return False
        if self.pending is None:
            self.pending = event
        else:
            self.pending = pending = by_id(self.pending)
            pending.add(event)
            if len(pending) > limit or pending.size > PENDING_BYTES:
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

    def retract(self, authors: Container[str]) -> None:
        """Drop what is pending from `authors`, whom the viewer does not hear any more."""
        pending = self.pending
        if isinstance(pending, Event):
            self.pending = None if pending.author in authors else pending
        elif pending is not None:
            for id in [id for id, event in pending.items() if event.author in authors]:
                pending.drop(id)
            self.pending = pending or None

    def end(self) -> None:
        """Take note that it has ended: nothing is pending any more, and nothing becomes so."""
        self.open = False
        self.pending = None

    def lose(self) -> None:
        """Forget what is pending, which cannot be told from here: a cold poll can."""
        self.pending = None
        self.overflowed = True

    def take(self, positions: Positions, horizon: Horizon) -> list[Event]:
        """
        All that is pending, by id (foreign messages first, as they came); the cursor after it is
        then `issued`.

        :param horizon: how far the log is settled.
        """
        events = in_order(self.pending)
        self.pending = None
        ids = [event.id for event in events]
        self.position = positions.after(self.position, horizon, ids)
        return events

    def park(self, listener: Listener) -> None:
        """Let `listener` wait for the next event."""
        self.listener = listener

    def unpark(self) -> Listener | None:
        """Let no listener wait; returns the one that did."""
        listener, self.listener = self.listener, None
        return listener


def in_order(pending: Event | Pending | None) -> list[Event]:
    """The pending events in the order in which they are told."""
    return sorted(by_id(pending).values(), key=_order)


def by_id(pending: Event | Pending | None) -> Pending:
    """The pending events by id; when there are several it is the same object."""
    if isinstance(pending, Event):
        return Pending((pending,))
    return Pending() if pending is None else pending


def _order(event: Event) -> int:
    return event.id if event.id > 0 else 0
