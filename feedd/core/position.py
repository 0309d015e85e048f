"""
Positions of viewers in the log.

Most viewers who hear an event stand at the same position and go on to the same next one. Equal
positions are one object here, so that all who stand together are known by it, and what follows is
worked out once for them.
"""

from collections.abc import Iterable
from weakref import WeakValueDictionary

from feedd.core.cursor import MAX_IDS, Cursor


class Position:
    """
    The part of the log that a viewer has. It does not change, and is compared by identity.

    :ivar settled: the viewer has every event with an id up to here,
    :ivar ids: and these above it, ascending.
    :ivar text: the cursor without its handle; "" where none has been given out.
    """

    __slots__ = ("__weakref__", "ids", "settled", "text")

    def __init__(self, settled: int, ids: tuple[int, ...] = (), text: str = "") -> None:
        self.settled = settled
        self.ids = ids
        self.text = text


class Positions:
    """The positions for which a cursor has been given out, each as long as somebody has it."""

    def __init__(self) -> None:
        # It finds a position for a single poll too: without that, those who have just arrived would
        # each stand at one of their own, and the first event be worked out for each.
        self._known: WeakValueDictionary[tuple[str, int, tuple[int, ...]], Position] = (
            WeakValueDictionary()
        )

    def __len__(self) -> int:
        return len(self._known)

    def after(
        self, position: Position, epoch: str, settled: int, events: Iterable[int]
    ) -> Position:
        """
        The position to which `events` take a viewer.

        :param settled: the watermark of the log. A viewer who has come from another process may
            have more, and keeps it.
        :param events: their ids.
        """
        settled = max(settled, position.settled)
        ids = tuple(sorted({id for id in (*position.ids, *events) if id > settled}))[-MAX_IDS:]
        found = self._known.get((epoch, settled, ids))
        if found is None:
            found = Position(settled, ids, Cursor(epoch, settled, ids).text())
            self._known[epoch, settled, ids] = found
        return found
