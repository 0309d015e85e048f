"""The transaction that a query runs in."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from feedd.feed.ports import Unavailable
from feedd.store.database.adapter import Connections, Cursor
from feedd.store.database.dialect import PART, Connection


class Again(Exception):
    """Others changed the same rows meanwhile: roll back and run the whole transaction again."""


class Refused(Unavailable):
    """The database is there, and takes no such write of anybody."""


class Transaction(Cursor):
    """A cursor that runs no statement for nobody, and knows when its first event got an id."""

    def __init__(
        self,
        connections: Connections,
        connection: Connection,
        check_wanted: Callable[[], None],
    ) -> None:
        """
        :param check_wanted: raises `Unavailable` when nobody waits for the result any more; called
            before each statement, so that no thread goes on for nobody.
        """
        self._check_wanted = check_wanted
        self._numbered_at: float | None = None
        super().__init__(connections, connection)

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """Run a statement. Raises `Unavailable` when nobody waits for it."""
        self._check_wanted()
        return self._cursor.execute(*self.dialect.native(statement, values))

    def numbering(self) -> None:
        """Take note that an event is about to get its id: from now on time counts."""
        if self._numbered_at is None:
            self._numbered_at = time.monotonic()

    def check_age(self, seconds: float) -> None:
        """
        Check that the first event got its id less than `seconds` ago.

        The cursor rests on it: an id that becomes visible later than ``settle_seconds`` after it
        was given out is lost to whoever has read past it.

        :raises Unavailable: when it is too late to commit.
        """
        if self._numbered_at is not None and time.monotonic() - self._numbered_at > seconds:
            raise Unavailable(PART, "the transaction took too long")
