"""
What MariaDB/MySQL and SQLite do each in its own way, as one interface.

Statements everywhere in this folder have ``?`` for a value (and no other question mark);
`Dialect.native` turns them into the driver's form. This module knows no driver and no table.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, ClassVar, NamedTuple

from twistar.dbconfig.base import InteractionBase

Row = tuple[Any, ...]
Connection = Any


class Rows(NamedTuple):
    """Rows of one table, each with a value for each of `columns`."""

    table: str
    columns: tuple[str, ...]
    values: Sequence[Row]


class Dialect(InteractionBase):  # type: ignore[misc]
    """
    One kind of database, as twistar's `InteractionBase` and more.

    :cvar name: the folder of its schema.
    :cvar driver: the DB-API module.
    :cvar for_update: what locks the rows of a SELECT.
    :cvar by_index: what makes a SELECT use the index whose name stands for ``{}``.
    :cvar insert_ignore: an INSERT that passes over rows that exist.
    :cvar rows_of: what stands before the rows of ``(a, b) IN (… (?, ?), (?, ?))``.
    :cvar raise_marker: the statement that moves a marker (viewer, post, updated_at) up, never down.
    :cvar has_meta: a SELECT that finds a row when the table ``meta`` exists.
    :cvar errors: the base of what the driver raises.
    :cvar one_writer: the database takes one writing transaction at a time.
    """

    includeBlankInInsert = False

    name: ClassVar[str]
    driver: ClassVar[str]
    for_update: ClassVar[str]
    by_index: ClassVar[str]
    insert_ignore: ClassVar[str]
    rows_of: ClassVar[str]
    raise_marker: ClassVar[str]
    has_meta: ClassVar[str]
    one_writer: ClassVar[bool]
    errors: ClassVar[tuple[type[Exception], ...]]

    def connect(self, *, patient: bool = False) -> Connection:
        """
        A new connection, set up; blocks. `patient`: its statements may take long, as a change of
        schema may.
        """
        raise NotImplementedError

    def ping(self, connection: Connection) -> None:
        """Return when the connection lives, else raise one of `errors`."""

    def begin(self, connection: Connection, write: bool) -> None:
        """Begin a transaction."""

    def migration_lock(self, connection: Connection) -> AbstractContextManager[None]:
        """Hold, while inside, the lock that one process of all has while it changes the schema."""
        raise NotImplementedError

    def native(self, statement: str, values: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments of the driver's ``execute`` for a statement of ours."""
        return (statement, values)

    def insert_rows(
        self, txn: Any, table: str, columns: Sequence[str], rows: Sequence[Row]
    ) -> list[int]:
        """Insert rows into a table that numbers them; returns their ids, in the order of `rows`."""
        raise NotImplementedError

    def ids(self, txn: Any, statement: str, values: Sequence[Any]) -> list[int]:
        """What a SELECT of one column ``id`` finds, ascending."""
        return sorted(id for (id,) in txn.rows(statement, values))

    def lists(self, txn: Any, statement: str, values: Sequence[Any]) -> dict[str, list[Any]]:
        """
        For each ``owner`` that a SELECT of the two columns ``owner`` and ``item`` finds, the items,
        in any order.
        """
        found: dict[str, list[Any]] = {}
        for owner, item in txn.rows(statement, values):
            found.setdefault(owner, []).append(item)
        return found

    def trouble(self, error: Exception) -> str | None:
        """
        Why the database is away, hung or refuses us, in words without secrets; None: it is not, the
        statement is wrong.
        """
        raise NotImplementedError

    def is_away(self, error: Exception) -> bool:
        """
        Whether a statement failed because of the database as a whole or the way to it, and any
        other would too.
        """
        return self.trouble(error) is not None

    def may_repeat(self, error: Exception) -> bool:
        """Whether the transaction lost a race, and has been or can be rolled back and run again."""
        return False

    def is_duplicate(self, error: Exception) -> bool:
        """Whether a unique index refused the row."""
        raise NotImplementedError

    def insert(self, tablename: str, vals: dict[str, Any], txn: Any = None) -> Any:
        """Twistar's insert; the text of one into the same columns is made once."""
        if txn is None:
            return super().insert(tablename, vals)
        txn.execute(_insert_into(tablename, tuple(vals)), tuple(vals.values()))
        return self.getLastInsertID(txn)

    def insert_pairs(self, txn: Any, first: Rows, second: Rows, link: str) -> list[tuple[int, int]]:
        """
        Insert each row of `first`, and the one beside it in `second` with the new id in its column
        `link`.

        Returns the ids of each two, ascending.
        """
        pairs = []
        for row, other in zip(first.values, second.values, strict=True):
            id = self.insert(first.table, dict(zip(first.columns, row, strict=True)), txn)
            pairs.append(
                (
                    id,
                    self.insert(
                        second.table,
                        {link: id, **dict(zip(second.columns, other, strict=True))},
                        txn,
                    ),
                )
            )
        return pairs

    # What twistar builds has ``?`` too, so that there is one place that knows the driver's own
    # form.

    def insertArgsToString(self, vals: dict[str, Any]) -> str:
        return f"({', '.join('?' * len(vals))})"

    def updateArgsToString(self, args: dict[str, Any]) -> tuple[str, list[Any]]:
        return ", ".join(f"{name} = ?" for name in self.escapeColNames(args)), list(args.values())

    def whereToString(self, where: list[Any]) -> tuple[str, list[Any]]:
        return where[0], where[1:]


@cache
def _insert_into(table: str, columns: tuple[str, ...]) -> str:
    return insert_into(table, columns, [f"({marks(len(columns))})"])


def insert_into(table: str, columns: Iterable[str], rows: Iterable[str]) -> str:
    """The text of an INSERT; each of `rows` is what stands for the values of one, in brackets."""
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join(rows)}"


def marks(count: int) -> str:
    """``?, ?, ?`` for `count` values."""
    return ", ".join("?" * count)
