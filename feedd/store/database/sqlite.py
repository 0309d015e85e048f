"""
SQLite, through the standard library's sqlite3.

A committed post survives ``kill -9`` of the process with any setting of ``synchronous``; it is FULL
here, so that it survives a power cut as well. Less would not only lose the last posts then, but
give their ids, which browsers already have in their cursors, to other posts.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from feedd.store.database.address import FileAddress
from feedd.store.database.dialect import Connection, Dialect

LOCK_SECONDS = 60.0


class SQLite(Dialect):
    """
    A `Dialect` for a file of SQLite 3.24 or later; readers and the one writer do not wait for each
    other (WAL).
    """

    name = "sqlite"
    driver = "sqlite3"
    for_update = for_share = ""
    by_index = "INDEXED BY {}"
    insert_ignore = "INSERT OR IGNORE"
    rows_of = "VALUES"
    look_up = "CROSS JOIN {}"
    raise_marker = (
        "INSERT INTO markers (viewer, post, updated_at) VALUES (?, ?, ?) ON CONFLICT "
        "(viewer) DO UPDATE SET"
        " post = excluded.post, updated_at = excluded.updated_at WHERE excluded.post > post"
    )
    has_meta = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'"
    one_writer = True
    errors = (sqlite3.Error,)

    def __init__(self, file: FileAddress, query_seconds: float) -> None:
        self._path = file.path
        self._query_seconds = query_seconds

    def connect(self, *, patient: bool = False) -> Connection:
        seconds = LOCK_SECONDS if patient else self._query_seconds
        connection = sqlite3.connect(
            self._path, timeout=seconds, isolation_level=None, check_same_thread=False
        )
        try:
            connection.text_factory = _text
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")
            _write_ahead(connection, seconds)
        except BaseException:
            connection.close()
            raise
        return connection

    def data_version(self, connection: Connection) -> object:
        return connection.execute("PRAGMA data_version").fetchone()

    def begin(self, connection: Connection, write: bool) -> None:
        connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")

    @contextmanager
    def migration_lock(self, connection: Connection) -> Iterator[None]:
        """
        Hold a writing transaction. A change of schema is a part of it, and happens as a whole or
        not at all.
        """
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            yield

    def trouble(self, error: Exception) -> str | None:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if isinstance(error, sqlite3.IntegrityError) or code in _WRONG_STATEMENT:
            return None
        return f"{error}{_IDS_TOO if code == sqlite3.SQLITE_FULL else ''}"

    def refuses_writes(self, error: Exception) -> bool:
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in _REFUSED

    def is_duplicate(self, error: Exception) -> bool:
        return getattr(error, "sqlite_errorcode", 0) in (
            sqlite3.SQLITE_CONSTRAINT_UNIQUE,
            sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
        )


_WRONG_STATEMENT = frozenset(
    {
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_MISUSE,
        sqlite3.SQLITE_RANGE,
        sqlite3.SQLITE_TOOBIG,
    }
)


_IDS_TOO = ", or a row of posts or events has the highest id there is, 2^63-1"
"""SQLite's words for the end of AUTOINCREMENT are those for a full disk."""

_REFUSED = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY}
)


def _text(data: bytes) -> str:
    """
    A column of text. A site may have stored anything there: what is not UTF-8 must not make the
    rows beside it unreadable.
    """
    return data.decode("utf-8", "surrogateescape")


def _write_ahead(connection: sqlite3.Connection, seconds: float) -> None:
    """
    Turn the write-ahead log on, in several tries: of two processes that do so at once, one is told
    "locked" without waiting for its `timeout`.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
