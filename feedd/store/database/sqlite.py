"""
SQLite, through the standard library's sqlite3.

This module is the only one that knows sqlite3. It knows no table of ours.

A committed post survives ``kill -9`` of the process with any setting of ``synchronous``; it is FULL
here, so that it survives a power cut as well. Less would not only lose the last posts then, but
give their ids, which browsers already have in their cursors, to other posts.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from feedd.store.database.address import File
from feedd.store.database.dialect import Connection, Dialect, Row

LOCK_SECONDS = 60.0


class SQLite(Dialect):
    """
    A `Dialect` for a file of SQLite 3.24 or later; readers and the one writer do not wait for each
    other (WAL).
    """

    name = "sqlite"
    driver = "sqlite3"
    for_update = ""
    by_index = "INDEXED BY {}"
    insert_ignore = "INSERT OR IGNORE"
    rows_of = "VALUES"
    raise_marker = (
        "INSERT INTO markers (viewer, post, updated_at) VALUES (?, ?, ?) ON CONFLICT "
        "(viewer) DO UPDATE SET"
        " post = excluded.post, updated_at = excluded.updated_at WHERE excluded.post > post"
    )
    has_meta = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'"
    one_writer = True
    errors = (sqlite3.Error,)

    def __init__(self, file: File, query_seconds: float) -> None:
        super().__init__()
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

    def begin(self, connection: Connection, write: bool) -> None:
        connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")

    @contextmanager
    def migration_lock(self, connection: Connection) -> Iterator[None]:
        """
        A writing transaction; a change of schema is part of it, so it happens as a whole or not at
        all.
        """
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            yield

    def insert_rows(
        self, txn: Any, table: str, columns: Sequence[str], rows: Sequence[Row]
    ) -> list[int]:
        return [self.insert(table, dict(zip(columns, row, strict=True)), txn) for row in rows]

    def trouble(self, error: Exception) -> str | None:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if isinstance(error, sqlite3.IntegrityError) or code in _WRONG_STATEMENT:
            return None
        return str(error)

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


def _text(data: bytes) -> str:
    """
    A site may have stored anything as text; what is not UTF-8 must not make its neighbours
    unreadable.
    """
    return data.decode("utf-8", "surrogateescape")


def _write_ahead(connection: sqlite3.Connection, seconds: float) -> None:
    """
    Turn the write-ahead log on; two processes that do so at once get "locked" however long they
    would wait.
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
