"""
What a query sees of its transaction.

This module knows a cursor and a dialect. It runs in a thread, and knows neither the pool's bounds
nor the reactor.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from twisted.enterprise import adbapi

from feedd.feed.ports import Unavailable
from feedd.store.database.dialect import Dialect, Row


class Again(Exception):
    """Others changed the same rows meanwhile: roll back and run the whole transaction again."""


class Transaction(adbapi.Transaction):
    """A cursor whose statements have ``?`` for each value, whatever the driver's own form is."""

    _cursor: Any = None
    _numbered_at: float | None = None
    check_wanted: Callable[[], None] = staticmethod(lambda: None)
    """
    Raises when nobody waits for the result any more; asked before each statement, so that no thread
    goes on for nobody.
    """

    @property
    def dialect(self) -> Dialect:
        """The database's own ways."""
        dialect: Dialect = self._pool.dialect
        return dialect

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """Run a statement. Raises `Unavailable` when nobody waits for it."""
        self.check_wanted()
        return self._cursor.execute(*self.dialect.native(statement, values))

    def rows(self, statement: str, values: Sequence[Any] = ()) -> Sequence[Row]:
        """Run a SELECT and return its rows."""
        self.execute(statement, values)
        rows: Sequence[Row] = self._cursor.fetchall()
        return rows

    def row(self, statement: str, values: Sequence[Any] = ()) -> Row:
        """Run a SELECT and return its first row, () when there is none."""
        self.execute(statement, values)
        return self._cursor.fetchone() or ()

    def change(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Run a statement that changes rows and return how many it did."""
        self.execute(statement, values)
        count: int = self._cursor.rowcount
        return count

    def numbering(self) -> None:
        """An event is about to get its id: from now on time counts, see `check_age`."""
        if self._numbered_at is None:
            self._numbered_at = time.monotonic()

    def check_age(self, seconds: float) -> None:
        """
        Check that the first event got its id less than `seconds` ago.

        The cursor rests on it: an id that becomes visible later than ``settle_seconds`` after it
        was given out is lost to who has read past it.

        :raises Unavailable: when it is too late to commit.
        """
        if self._numbered_at is not None and time.monotonic() - self._numbered_at > seconds:
            raise Unavailable("database", "the transaction took too long")
