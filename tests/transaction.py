"""A transaction of the log in memory that somebody has open."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from feedd.core.event import Event, stored_event

if TYPE_CHECKING:
    from tests.memory import MemoryStore


class Transaction:
    """
    Rows that have their ids, and are seen by nobody before `commit`.

    :ivar placed: the ids of those that stand in the table already.
    """

    def __init__(self, store: "MemoryStore") -> None:
        self.events: list[Event] = []
        self.pairs: set[tuple[str, str]] = set()
        self.placed: list[int] = []
        self._store = store
        self._effects: list[Callable[[], object]] = []
        store.open_transactions.append(self)

    def insert(
        self, kind: str, author: str, post: int | None, body: bytes, is_placed: bool = True
    ) -> Event:
        """
        Give out the next id.

        :param is_placed: its row is written at once, else by `place`.
        """
        store = self._store
        store.last_id += 1
        event = stored_event(
            store.last_id, kind, author, post, body, 1_700_000_000_000 + store.last_id
        )
        self.events.append(event)
        if is_placed:
            self.placed.append(event.id)
        return event

    def place(self) -> None:
        """Write all rows."""
        self.placed = [event.id for event in self.events]

    def effect(self, change: Callable[[], object]) -> None:
        """Do `change` at the commit."""
        self._effects.append(change)

    def commit(self) -> list[Event]:
        """Make the rows visible."""
        self.rollback()
        for change in self._effects:
            change()
        self._store.rows.update((event.id, event) for event in self.events)
        return self.events

    def rollback(self) -> None:
        """Forget the rows; their ids are not given out again."""
        self._store.open_transactions.remove(self)
