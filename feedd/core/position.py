"""
Positions of viewers in the log.

Most viewers who hear an event stand at the same position and go on to the same next one. Equal
positions are one object here, so that all who stand together are known by it, and what follows is
worked out once for them.
"""

from collections.abc import Iterable
from weakref import WeakValueDictionary

from feedd.core.cursor import Cursor
from feedd.core.horizon import Horizon, advance
from feedd.core.runs import NO_RUNS, Runs


class Position:
    """
    The part of the log that a viewer has. It does not change, and is compared by identity.

    :ivar settled: the viewer has every event with an id up to here but for the holes,
    :ivar ids: and these above it, ascending.
    :ivar text: the cursor without its handle; "" where none has been given out.
    :ivar holes: ids up to ``settled`` that the viewer may still get.
    """

    __slots__ = ("__weakref__", "holes", "ids", "settled", "text")

    def __init__(
        self, settled: int, ids: tuple[int, ...] = (), text: str = "", holes: Runs = NO_RUNS
    ) -> None:
        self.settled = settled
        self.ids = ids
        self.text = text
        self.holes = holes

    def has(self, id: int) -> bool:
        """Whether the viewer has the event of this id; nobody has a foreign message."""
        if 0 < id <= self.settled:
            return id not in self.holes
        return id in self.ids


class Positions:
    """The positions for which a cursor has been given out, each as long as somebody has it."""

    def __init__(self) -> None:
        # It finds a position for a single poll too: without that, those who have just arrived would
        # each stand at one of their own, and the first event be worked out for each.
        self._known: WeakValueDictionary[tuple[Horizon, tuple[int, ...]], Position] = (
            WeakValueDictionary()
        )

    def __len__(self) -> int:
        return len(self._known)

    def after(self, position: Position, horizon: Horizon, events: Iterable[int]) -> Position:
        """
        The position to which `events` take a viewer.

        :param horizon: how far the log is settled. A viewer who has come from another process may
            be further on.
        :param events: their ids.
        """
        stands = Horizon(horizon.epoch, position.settled, position.holes)
        stands, ids = advance(stands, position.ids, horizon, events)
        epoch, settled, holes = stands
        found = self._known.get((stands, ids))
        if found is None:
            text = Cursor(epoch, settled, ids, holes=holes).text()
            found = self._known[stands, ids] = Position(settled, ids, text, holes)
        return found
