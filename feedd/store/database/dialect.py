"""
What MariaDB/MySQL and SQLite do each in its own way, as one interface.

Statements everywhere in the store have ``?`` for a value (and no other question mark);
`Dialect.native` turns them into the driver's form.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, ClassVar, NamedTuple, Protocol

Row = tuple[Any, ...]
Connection = Any

PART = "database"
"""The name of the database as a part that may be `feedd.feed.ports.Unavailable`."""


class Statements(Protocol):
    """The transaction in which a dialect runs statements."""

    @property
    def lastrowid(self) -> int:
        """The id that the last INSERT was given; of several rows MariaDB tells the first."""

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """Run a statement."""

    def rows(self, statement: str, values: Sequence[Any] = ()) -> Sequence[Row]:
        """Run a SELECT and return its rows."""

    def row(self, statement: str, values: Sequence[Any] = ()) -> Row:
        """Run a SELECT and return its first row, () when there is none."""


class Rows(NamedTuple):
    """Rows of one table, each with a value for each of `columns`."""

    table: str
    columns: tuple[str, ...]
    values: Sequence[Row]


class Dialect:
    """
    One kind of database.

    :cvar name: the folder of its schema.
    :cvar driver: the DB-API module.
    :cvar for_update: what locks the rows of a SELECT,
    :cvar for_share: and what does, against writers alone, also the places of rows that are missing.
    :cvar by_index: what makes a SELECT use the index whose name stands for ``{}``.
    :cvar insert_ignore: an INSERT that passes over rows that exist.
    :cvar rows_of: what stands before the rows of ``(a, b) IN (… (?, ?), (?, ?))``.
    :cvar look_up: what joins a table, whose name stands for ``{}``, row by row and by its key.
    :cvar raise_marker: the statement that moves a marker (viewer, post, updated_at) up, never down.
    :cvar has_meta: a SELECT that finds a row when the table ``meta`` exists.
    :cvar collations: a SELECT of the table, the name and the collation (NULL for bytes) of each
        column that names something; "" where they cannot differ.
    :cvar errors: the base of what the driver raises.
    :cvar one_writer: the database takes one writing transaction at a time.
    """

    name: ClassVar[str]
    driver: ClassVar[str]
    for_update: ClassVar[str]
    for_share: ClassVar[str]
    by_index: ClassVar[str]
    insert_ignore: ClassVar[str]
    rows_of: ClassVar[str]
    look_up: ClassVar[str]
    raise_marker: ClassVar[str]
    has_meta: ClassVar[str]
    one_writer: ClassVar[bool]
    collations: ClassVar[str] = ""
    errors: ClassVar[tuple[type[Exception], ...]]

    def connect(self, *, patient: bool = False) -> Connection:
        """
        Open a connection and set it up; blocks.

        :param patient: its statements may take long, as a change of schema does.
        """
        raise NotImplementedError

    def connect_to_look(self) -> Connection:
        """
        Open a connection for the ringer; blocks. Each of its statements is a transaction, and has
        to answer within a second. The server ends it when it has asked nothing for a second.
        """
        return self.connect()

    def take_ringer_lock(self, connection: Connection) -> bool:
        """
        Take the lock of the one process that rings, without waiting; it goes with `connection`.
        Whether nobody else has it; also true where there are no such locks.
        """
        return True

    def data_version(self, connection: Connection) -> object:
        """
        What has changed since the last call if, and only if, another connection has committed
        something; None where that takes as long as a look.
        """
        return None

    def ping(self, connection: Connection) -> None:
        """Return when the connection lives, else raise one of `errors`."""

    def begin(self, connection: Connection, write: bool) -> None:
        """Begin a transaction."""

    def sees_uncommitted(self, txn: Statements) -> bool:
        """
        Let `txn`, which has run nothing yet, see rows that are not committed; returns whether it
        sees those of everybody.
        """
        return False

    def migration_lock(self, connection: Connection) -> AbstractContextManager[None]:
        """Hold the lock of whoever changes the schema: one process of all that use the database."""
        raise NotImplementedError

    def native(self, statement: str, values: Sequence[Any]) -> tuple[Any, ...]:
        """Return the arguments of the driver's ``execute`` for a statement of ours."""
        return (statement, values)

    def insert(self, txn: Statements, table: str, columns: tuple[str, ...], row: Row) -> int:
        """Insert one row into a table that numbers them; returns its id."""
        txn.execute(_insert_one(table, columns), row)
        return txn.lastrowid

    def insert_rows(self, txn: Statements, rows: Rows) -> list[int]:
        """Insert rows into a table that numbers them; returns their ids, in the order of `rows`."""
        return [self.insert(txn, rows.table, rows.columns, row) for row in rows.values]

    def insert_pairs(
        self, txn: Statements, first: Rows, second: Rows, link: str
    ) -> list[tuple[int, int]]:
        """
        Insert each row of `first`, and the one beside it in `second` with the new id in its column
        `link`.

        Returns the ids of each two, ascending.
        """
        pairs = []
        for row, other in zip(first.values, second.values, strict=True):
            id = self.insert(txn, first.table, first.columns, row)
            linked = self.insert(txn, second.table, (link, *second.columns), (id, *other))
            pairs.append((id, linked))
        return pairs

    def ids(self, txn: Statements, statement: str, values: Sequence[Any]) -> list[int]:
        """Return what a SELECT of one column ``id`` finds, ascending."""
        return sorted(id for (id,) in txn.rows(statement, values))

    def lists(self, txn: Statements, statement: str, values: Sequence[Any]) -> dict[str, list[Any]]:
        """
        Return, for each ``owner`` that a SELECT of the columns ``owner`` and ``item`` finds, its
        items, in any order.
        """
        found: dict[str, list[Any]] = {}
        for owner, item in txn.rows(statement, values):
            found.setdefault(owner, []).append(item)
        return found

    def trouble(self, error: Exception) -> str | None:
        """
        Say why the database is away, hung or refuses us, in words without secrets; None when it is
        not, but the statement is wrong.
        """
        raise NotImplementedError

    def is_away(self, error: Exception) -> bool:
        """
        Whether a statement failed because of the database as a whole or the way to it, and any
        other would too.
        """
        return self.trouble(error) is not None

    def refuses_writes(self, error: Exception) -> bool:
        """
        Whether this connection leads to a database that takes no such write now, whatever its rows
        are. Another one may lead to a database that does: after a failover, or with other rights.
        """
        return False

    def may_repeat(self, error: Exception) -> bool:
        """Whether the transaction lost a race, and has been or can be rolled back and run again."""
        return False

    def is_duplicate(self, error: Exception) -> bool:
        """Whether a unique index refused the row."""
        raise NotImplementedError


@cache
def _insert_one(table: str, columns: tuple[str, ...]) -> str:
    return insert_into(table, columns, [f"({marks(len(columns))})"])


def insert_into(table: str, columns: Iterable[str], rows: Iterable[str]) -> str:
    """The text of an INSERT; each of `rows` is what stands for the values of one, in brackets."""
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join(rows)}"


def marks(count: int) -> str:
    """``?, ?, ?`` for `count` values."""
    return ", ".join("?" * count)
