"""
Twistar, and adbapi below it, as the store uses them.

* The tables' names stand in twistar's classes. The queries of feedd make no objects of them:
  ``save()`` writes every column, and a find cannot lock, merge or page. They run statements in a
  `Cursor` and insert through it.
* A site's own scripts, and whoever looks around, find rows by these classes once `register` has
  said where they run. Never use twistar's ``@transaction``, ``findOrCreate`` or relations: they
  share one transaction between all requests.
* Of adbapi there are the cursor of a transaction and the connection of each thread. The threads are
  feedd's own, see `feedd.reactor.threads`.
"""

import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from twistar.dbconfig.base import InteractionBase
from twistar.dbobject import DBObject
from twistar.registry import Registry
from twisted.enterprise import adbapi
from twisted.internet.defer import Deferred

from feedd.reactor.threads import Threads
from feedd.store.database.dialect import Connection, Dialect, Row, Rows

RENEWAL_SECONDS = 1.0
IDLE_SECONDS = 1.0
"""A connection that has been idle for longer is tried before it is used."""


class PostRow(DBObject):  # type: ignore[misc]
    """A post: id, author, body, created_at, edited_at, deleted_at, idempotency_key."""

    TABLENAME = "posts"


class EventRow(DBObject):  # type: ignore[misc]
    """A row of the log: id, kind, author, post, payload, created_at, rung."""

    TABLENAME = "events"


class FriendshipRow(DBObject):  # type: ignore[misc]
    """Viewer hears friend: viewer, friend, since."""

    TABLENAME = "friendships"


class Cursor(adbapi.Transaction):
    """
    A transaction whose statements have ``?`` for each value, whatever the driver's own form is.

    Twistar uses the other attributes of the driver's cursor, which it has too.
    """

    _cursor: Any = None

    def __init__(self, connections: "Connections", connection: Connection) -> None:
        super().__init__(connections, connection)
        self.dialect: Dialect = connections.dialect

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """Run a statement."""
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

    def ids(self, statement: str, values: Sequence[Any]) -> list[int]:
        """Run a SELECT of one column ``id``; returns what it finds, ascending."""
        return self.dialect.ids(self, statement, values)

    def lists(self, statement: str, values: Sequence[Any]) -> dict[str, list[Any]]:
        """Run a SELECT of ``owner`` and ``item``; returns the items of each owner, in any order."""
        return self.dialect.lists(self, statement, values)

    def insert(self, table: str, columns: tuple[str, ...], row: Row) -> int:
        """Insert a row and return its id."""
        return self.dialect.insert(self, table, columns, row)

    def insert_rows(self, rows: Rows) -> list[int]:
        """Insert rows and return their ids, in the order of `rows`."""
        return self.dialect.insert_rows(self, rows)

    def insert_pairs(self, first: Rows, second: Rows, link: str) -> list[tuple[int, int]]:
        """
        Insert each row of `first`, and the one beside it in `second` with the new id in its column
        `link`; returns the ids of each two, ascending.
        """
        return self.dialect.insert_pairs(self, first, second, link)


class Renewal:
    """
    How often all connections of a store had to be made anew, once in `RENEWAL_SECONDS` at most: a
    server that refuses for an hour is not hammered.

    :ivar number: so often.
    """

    def __init__(self) -> None:
        self.number = 0
        self._at = -RENEWAL_SECONDS

    def ask(self) -> None:
        """Let every connection that was made before now be replaced before it is used again."""
        now = time.monotonic()
        if now - self._at >= RENEWAL_SECONDS:
            self._at = now
            self.number += 1


class Connections(adbapi.ConnectionPool):
    """A connection for each thread, as adbapi keeps them; the threads are begun and ended here."""

    def __init__(
        self, reactor: Any, dialect: Dialect, threads: Threads, renewal: Renewal | None = None
    ) -> None:
        """
        :param reactor: an `IReactorCore`; the threads begin when it runs.
        :param renewal: shared with other connections to the same server.
        """
        # All this comes first: adbapi calls `start` from its constructor when the reactor runs.
        self.dialect = dialect
        self._threads = threads
        self._renewal = renewal or Renewal()
        self._made: dict[int, int] = {}
        self._used: dict[int, float] = {}
        super().__init__(dialect.driver, cp_reactor=reactor, cp_min=1, cp_max=1)

    def start(self) -> None:
        """Begin our threads, instead of those of adbapi."""
        if not self.running:
            self._threads.start()
            self.shutdownID = self._reactor.addSystemEventTrigger(
                "during", "shutdown", self.finalClose
            )
            self.running = True

    def finalClose(self) -> None:
        """End the threads, when they have done their work, and close their connections."""
        self._threads.stop()
        super().finalClose()

    def connect(self) -> Connection:
        """
        Return this thread's connection; one that has been idle is tried first, and replaced when it
        is dead or a renewal was asked for.
        """
        thread, number = self.threadID(), self._renewal.number
        connection = self.connections.get(thread)
        if connection is not None and self._made[thread] != number:
            self.drop()
            connection = None
        if connection is not None and time.monotonic() - self._used[thread] > IDLE_SECONDS:
            connection = self._living(connection)
        if connection is None:
            connection = self.connections[thread] = self.dialect.connect()
            self._made[thread] = number
        self._used[thread] = time.monotonic()
        return connection

    def drop(self) -> None:
        """Close this thread's connection; `connect` will make another one."""
        self.disconnect(self.connections.get(self.threadID()))

    def renew(self) -> None:
        """
        Close this thread's connection and let all others be replaced: they lead to a server that
        takes no writes. Its address may lead to another one by now; and rights on a database are
        looked up once for each connection.
        """
        self.drop()
        self._renewal.ask()

    def _living(self, connection: Connection) -> Connection | None:
        try:
            self.dialect.ping(connection)
        except self.dialect.errors:
            self.drop()
            return None
        return connection


def register(dialect: Dialect, run: Callable[[Callable[[Cursor], Any]], Deferred[Any]]) -> None:
    """
    Let twistar's classes run their queries with `run`. Twistar has one for the whole process;
    nothing else in feedd depends on which.
    """
    Registry.IMPL = _QuestionMarks()
    Registry.DBPOOL = _Pool(dialect, run)


class _Pool:
    """As much of a pool as twistar uses."""

    def __init__(
        self, dialect: Dialect, run: Callable[[Callable[[Cursor], Any]], Deferred[Any]]
    ) -> None:
        self.dbapi = import_module(dialect.driver)
        self._run = run

    def runInteraction(self, interaction: Any, *args: Any, **named: Any) -> Deferred[Any]:
        return self._run(lambda txn: interaction(txn, *args, **named))

    def runQuery(self, statement: str, values: Sequence[Any] = ()) -> Deferred[Any]:
        return self._run(lambda txn: txn.rows(statement, values))

    def runOperation(self, statement: str, values: Sequence[Any] = ()) -> Deferred[Any]:
        return self._run(lambda txn: txn.change(statement, values))


class _QuestionMarks(InteractionBase):  # type: ignore[misc]
    """Builds statements with ``?`` too, so that a dialect is all that knows the driver's form."""

    includeBlankInInsert = False

    def insertArgsToString(self, vals: dict[str, Any]) -> str:
        return f"({', '.join('?' * len(vals))})"

    def updateArgsToString(self, args: dict[str, Any]) -> tuple[str, list[Any]]:
        return ", ".join(f"{name} = ?" for name in self.escapeColNames(args)), list(args.values())

    def whereToString(self, where: list[Any]) -> tuple[str, list[Any]]:
        return where[0], where[1:]
