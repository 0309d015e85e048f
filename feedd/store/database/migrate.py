"""
Brings the schema up to the one that this feedd needs: numbered files of SQL, each run once, under a
lock of the database.

Everything here blocks; a daemon calls it in a thread.
"""

import secrets
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from importlib.resources import files
from typing import Any

from feedd.feed.ports import Unavailable
from feedd.store.database.dialect import PART, Connection, Dialect

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
EPOCH_LETTERS = 7
LOOSE_NAMES = (
    "names do not compare byte by byte in {columns}: give these tables the collation "
    "utf8mb4_nopad_bin (MariaDB) or utf8mb4_0900_bin (MySQL), by ALTER TABLE <table> CONVERT TO "
    "CHARACTER SET utf8mb4 COLLATE <collation>"
)
"""Advice on `loose_names`."""

SEAL_KEY_BYTES = 32


class Outdated(Unavailable):
    """The schema is older than this feedd needs, and this feedd may not change it."""

    def __init__(self, found: int, needed: int) -> None:
        why = (
            f"the schema has version {found} and must have {needed}: run feedd migrate, or "
            f"set store.migrate = true"
        )
        super().__init__(PART, why, retry_after_seconds=60)


def migrate(dialect: Dialect, allowed: bool = True) -> tuple[int, int]:
    """
    Create or upgrade the schema; returns its version before and now. Safe to run in many processes
    at once.

    A schema that is newer than this feedd is left as it is: while processes are replaced one by
    one, old and new ones meet.

    :raises Outdated: when there is something to do and it is not `allowed`.
    """
    with closing(dialect.connect()) as connection:
        found = version(dialect, connection)
    needed = _numbered(dialect)[-1][0]
    if found >= needed:
        return found, found
    if not allowed:
        raise Outdated(found, needed)
    with closing(dialect.connect(patient=True)) as connection:
        return _upgrade(dialect, connection)


def version(dialect: Dialect, connection: Connection) -> int:
    """The version of the schema, 0 for none."""
    if not _row(dialect, connection, dialect.has_meta):
        return 0
    row = _row(dialect, connection, "SELECT value FROM meta WHERE name = ?", "schema")
    return int(row[0]) if row else 0


def loose_names(dialect: Dialect) -> list[str]:
    """
    The columns of names that do not compare byte by byte, each with its collation: where 'alice '
    and 'Alice' are taken for 'alice', a row of one makes writes of the other fail.
    """
    if not dialect.collations:
        return []
    with closing(dialect.connect()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(*dialect.native(dialect.collations, ()))
        rows = cursor.fetchall()
    return [
        f"{table}.{column} ({collation})"
        for table, column, collation in rows
        if collation is not None and not collation.endswith(("nopad_bin", "_0900_bin"))
    ]


def _upgrade(dialect: Dialect, connection: Connection) -> tuple[int, int]:
    run = partial(_row, dialect, connection)
    with dialect.migration_lock(connection):
        before = now = version(dialect, connection)
        for number, text in _numbered(dialect):
            if number <= before:
                continue
            for statement in statements(text):
                run(statement)
            run("REPLACE INTO meta (name, value) VALUES ('schema', ?)", str(number))
            now = number
        firsts = {
            "epoch": new_epoch(),
            "settled": "0",
            "pruned": "0",
            "seal_key": secrets.token_hex(SEAL_KEY_BYTES),
        }
        for name, value in firsts.items():
            run(f"{dialect.insert_ignore} INTO meta (name, value) VALUES (?, ?)", name, value)
    return before, now


def statements(text: str) -> Iterator[str]:
    """
    The statements of a file: each ends with a semicolon at the end of a line; a line of comment
    begins with ``--``.
    """
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    for statement in "\n".join(lines).split(";\n"):
        if statement.strip():
            yield statement.strip().removesuffix(";")


def _numbered(dialect: Dialect) -> list[tuple[int, str]]:
    folder = files("feedd.store").joinpath("schema", dialect.name)
    found = [path for path in folder.iterdir() if path.name.endswith(".sql")]
    return sorted((int(path.name[:4]), path.read_text("utf-8")) for path in found)


def _row(dialect: Dialect, connection: Connection, statement: str, *values: Any) -> Any:
    cursor = connection.cursor()
    try:
        cursor.execute(*dialect.native(statement, values))
        return cursor.fetchone() if cursor.description else None
    finally:
        cursor.close()


def new_epoch() -> str:
    """A random word, other than that of any other database of the site."""
    return "k" + "".join(secrets.choice(_LETTERS) for _ in range(EPOCH_LETTERS))
