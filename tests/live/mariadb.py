"""Stores on MariaDB, for the tests of what they do there."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import pymysql

from feedd.feed.settings import Store as Settings
from feedd.store.database import mariadb
from feedd.store.database.address import ServerAddress, parse_address
from feedd.store.database.dialect import Dialect
from tests.contracts.store_sql import SQL
from tests.live import servers

INSERT = "INSERT INTO events (kind, author, payload) VALUES ('post', 'ann', %s)"
"""An event that a site writes, with its payload."""


def connect(url: str) -> Any:
    """A connection past feedd, in a transaction."""
    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname,
        port=parts.port,
        user=parts.username,
        database=parts.path[1:],
        charset="utf8mb4",
        read_timeout=20,
    )


class MariaDB(SQL):
    """
    A database of its own for each test, on the server of all.

    :ivar blocks: whether a store takes the server for one that knows blocks; None: as it says.
    """

    blocks: bool | None = None

    def make_dialect(self, settings: Settings, password: str) -> Dialect:
        if self.blocks is None:
            return super().make_dialect(settings, password)
        address = parse_address(settings.url, password)
        assert isinstance(address, ServerAddress)
        return mariadb.MariaDB(address, settings.query_seconds, self.blocks)

    def new_url(self) -> str:
        return servers.mariadb().database()

    def write(self, statement: str, values: Sequence[Any] = ()) -> None:
        connection = connect(self.url)
        connection.cursor().execute(statement.replace("?", "%s"), values)
        connection.commit()
        connection.close()

    def other(self) -> Any:
        """A cursor past feedd, in a transaction of its own; ``.connection.commit()`` commits it."""
        connection = connect(self.url)
        self.addCleanup(lambda: connection.open and connection.close())
        return connection.cursor()
