"""MariaDB and MySQL, through PyMySQL."""

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha1
from typing import Any

import pymysql
from pymysql.constants import CR, ER

from feedd.feed.settings import BadConfig
from feedd.store.database.address import ServerAddress
from feedd.store.database.dialect import (
    Connection,
    Dialect,
    Rows,
    Statements,
    insert_into,
    marks,
)
from feedd.store.database.timed_socket import TimedSocket

PATIENT_SECONDS = 3600.0
LOCK_SECONDS = 60
LOOK_SECONDS = 1
"""
How long a look of the ringer may take, and how long its connection may be idle: the server counts
whole seconds.
"""
TEXT_BYTES = 1_000_000
"""
How long a text of many values may be: 47,000 of the longest ids. The server cuts a longer one
without an error.
"""


class MariaDB(Dialect):
    """
    A `Dialect` for MariaDB from 10.5 on and MySQL from 8.0 on.

    No statement takes longer than `query_seconds`: the server ends it a little before that (MariaDB
    only), and the driver closes the connection then, so that no thread hangs on a frozen server. A
    lock is waited for half as long. Nor does the server wait longer than that for the next
    statement of a transaction (MariaDB only): a COMMIT that was held up in a network, or in a
    process that was stopped, would make ids visible that others have read past.

    :ivar has_blocks: the server takes several statements as one, a block, which MySQL does not;
        False before the first connection.
    """

    name = "mysql"
    driver = "pymysql"
    for_update = " FOR UPDATE"
    for_share = " LOCK IN SHARE MODE"
    by_index = "FORCE INDEX ({})"
    insert_ignore = "INSERT IGNORE"
    # Only MariaDB reads what stands in this comment; there, a list of pairs costs the optimizer 25
    # times as much. MySQL has no such trouble, and no such syntax.
    rows_of = "/*M! VALUES */"
    look_up = "STRAIGHT_JOIN {} FORCE INDEX (PRIMARY)"
    raise_marker = (
        "INSERT INTO markers (viewer, post, updated_at) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE"
        " updated_at = IF(VALUES(post) > post, VALUES(updated_at), updated_at), post = "
        "GREATEST(post, VALUES(post))"
    )
    has_meta = (
        "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND "
        "table_name = 'meta'"
    )
    one_writer = False
    collations = (
        "SELECT table_name, column_name, collation_name FROM information_schema.columns WHERE "
        "table_schema = DATABASE() AND table_name IN "
        "('posts', 'events', 'friendships', 'markers', 'blocks', 'logouts') AND column_name IN "
        "('author', 'viewer', 'friend', 'idempotency_key') ORDER BY 1, 2"
    )
    errors = (pymysql.MySQLError,)

    def __init__(
        self, server: ServerAddress, query_seconds: float, has_blocks: bool | None = None
    ) -> None:
        """
        :param has_blocks: None is for what the server's version says.
        :raises BadConfig: when the file of the CA cannot be used.
        """
        self._server = server
        self._query_seconds = query_seconds
        self._tls = _tls(server)
        self._asks_for_blocks = has_blocks is None
        self.has_blocks = bool(has_blocks)
        self._several_write = False

    def connect(self, *, patient: bool = False) -> Connection:
        return self._connect(PATIENT_SECONDS if patient else self._query_seconds)

    def connect_to_look(self) -> Connection:
        connection = self._connect(min(LOOK_SECONDS, self._query_seconds))
        connection.autocommit(True)
        with connection.cursor() as cursor:
            cursor.execute(f"SET SESSION wait_timeout = {LOOK_SECONDS}")
        return connection

    def take_ringer_lock(self, connection: Connection) -> bool:
        """
        On a cluster each node has locks of its own, or refuses them: then several processes ring,
        which does no harm but costs messages.
        """
        with connection.cursor() as cursor:
            try:
                cursor.execute(
                    "SELECT GET_LOCK(%s, 0)", (lock_name(self._server.database, "feedd-ringer"),)
                )
            except self.errors as error:
                if _number(error) not in _NO_LOCKS:
                    raise
                return True
            return bool(cursor.fetchone() == (1,))

    def _connect(self, seconds: float) -> Connection:
        server = self._server
        half = max(1, int(seconds / 2))
        settings = f"innodb_lock_wait_timeout = {half}, group_concat_max_len = {TEXT_BYTES}"
        of_mariadb = (
            f"/*M! max_statement_time = {seconds * 0.9}, idle_transaction_timeout = {half}, */"
        )
        # Over TLS the time limits are Python's own: its ssl takes the kernel's for "try again" and
        # tries without end.
        timeout = seconds if server.tls else None
        connection = pymysql.Connection(
            host=server.host,
            port=server.port,
            user=server.user,
            password=server.password.encode(),  # a str would have to be Latin-1
            database=server.database,
            charset="utf8mb4",
            sql_mode="STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION",
            init_command=f"SET SESSION {of_mariadb} {settings}",
            autocommit=False,
            connect_timeout=min(seconds, self._query_seconds),
            read_timeout=timeout,
            write_timeout=timeout,
            defer_connect=True,
            **self._tls,
        )
        connection.connect(None if server.tls else self._timed(seconds))
        if self._asks_for_blocks:
            self.has_blocks = "MariaDB" in connection.server_version
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute(_CLUSTER)
            self._several_write = not {("wsrep_on", "ON"), _MULTI_PRIMARY}.isdisjoint(
                cursor.fetchall()
            )
        return connection

    def _timed(self, seconds: float) -> TimedSocket:
        """A connected socket like the driver's own, but that the kernel keeps its time limits."""
        address = (self._server.host, self._server.port)
        try:
            patience = min(seconds, self._query_seconds)
            connected = TimedSocket(socket.create_connection(address, patience), seconds)
        except OSError as error:
            raise pymysql.OperationalError(
                CR.CR_CONN_HOST_ERROR, f"Can't connect to {address[0]} ({error})"
            ) from error
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return connected

    def sees_uncommitted(self, txn: Statements) -> bool:
        if self._several_write:
            return False
        # Of the transaction that the next statement begins; the session keeps its own level.
        txn.execute("SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED")
        return True

    def ping(self, connection: Connection) -> None:
        connection.ping(reconnect=False)

    @contextmanager
    def migration_lock(self, connection: Connection) -> Iterator[None]:
        """A lock of the server by name, one name per database; it ends with the connection."""
        with connection.cursor() as cursor:
            name = lock_name(self._server.database)
            cursor.execute("SELECT GET_LOCK(%s, %s)", (name, LOCK_SECONDS))
            if cursor.fetchone() != (1,):
                raise pymysql.OperationalError(
                    ER.LOCK_WAIT_TIMEOUT,
                    "another process has been changing the schema for too long",
                )
            yield
            connection.commit()
            cursor.execute("DO RELEASE_LOCK(%s)", (name,))

    def native(self, statement: str, values: Sequence[Any]) -> tuple[Any, ...]:
        if not values:
            return (statement,)
        return (statement.replace("%", "%%").replace("?", "%s"), tuple(values))

    def insert_pairs(
        self, txn: Statements, first: Rows, second: Rows, link: str
    ) -> list[tuple[int, int]]:
        """
        Insert all by one statement where the server knows blocks: each statement that is saved is a
        wait for the server, with a switch of threads.

        An error in a block leaves rows behind, for the rollback of the transaction.
        """
        if not self.has_blocks:
            return self._insert_by_table(txn, first, second, link)
        count = len(first.values)
        block = _block(first.table, first.columns, second.table, second.columns, link, count)
        values = [value for row in (*first.values, *second.values) for value in row]
        (text,) = txn.row(block, values)
        id, other, step = map(int, text.split())
        # The ids of each table follow each other, see `insert_rows`.
        return [(id + step * index, other + step * index) for index in range(count)]

    def _insert_by_table(
        self, txn: Statements, first: Rows, second: Rows, link: str
    ) -> list[tuple[int, int]]:
        """Insert the rows of one table, then those of the other."""
        if len(first.values) == 1:  # two statements; below it would be four
            return super().insert_pairs(txn, first, second, link)
        ids = self.insert_rows(txn, first)
        linked = [(id, *row) for id, row in zip(ids, second.values, strict=True)]
        others = self.insert_rows(txn, Rows(second.table, (link, *second.columns), linked))
        return list(zip(ids, others, strict=True))

    def insert_rows(self, txn: Statements, rows: Rows) -> list[int]:
        """
        Insert rows by one INSERT.

        Their ids follow each other: InnoDB sets them aside together when it knows how many rows
        there are, whatever ``innodb_autoinc_lock_mode`` says. A cluster steps by more than 1.
        """
        (step,) = txn.row("SELECT @@auto_increment_increment")
        row = f"({marks(len(rows.columns))})"
        statement = insert_into(rows.table, rows.columns, [row] * len(rows.values))
        txn.execute(statement, [value for row in rows.values for value in row])
        first = txn.lastrowid
        return list(range(first, first + step * len(rows.values), step))

    def ids(self, txn: Statements, statement: str, values: Sequence[Any]) -> list[int]:
        """
        Return ids that came as one row of text: a row for each takes the driver ten times as long,
        and the net reads thousands in each tick.
        """
        (text,) = txn.row(f"SELECT GROUP_CONCAT(id ORDER BY id) FROM ({statement}) AS ids", values)
        return [int(id) for id in text.split(",")] if text else []

    def lists(self, txn: Statements, statement: str, values: Sequence[Any]) -> dict[str, list[Any]]:
        """
        Return items that came as one row of text for each owner, for the reason of `ids`; row by
        row where an item has a comma, or a text may have been cut.
        """
        # BINARY: to the collation, names that differ by a space at the end are the same.
        grouped = (
            f"SELECT owner, COUNT(*), GROUP_CONCAT(item) FROM ({statement}) AS found GROUP BY "
            f"BINARY owner"
        )
        found = {}
        for owner, count, text in txn.rows(grouped, values):
            found[owner] = items = text.split(",")
            if len(items) != count or len(text.encode()) >= TEXT_BYTES:
                return super().lists(txn, statement, values)
        return found

    def trouble(self, error: Exception) -> str | None:
        if not isinstance(
            error, pymysql.OperationalError | pymysql.InterfaceError | pymysql.InternalError
        ):
            return None
        number, text = error.args if len(error.args) == 2 else (0, str(error))
        if number in _WRONG_STATEMENT:
            return None
        return f"{text or 'the connection is closed'} ({number})"

    def is_away(self, error: Exception) -> bool:
        """
        Whether the error is one of the driver's own, or the server takes no writes; another error
        of the server may be about a row, which a trigger of the site refuses, for example.
        """
        number = _number(error)
        return self.trouble(error) is not None and (
            number < ER.ERROR_FIRST
            or CR.CR_ERROR_FIRST <= number <= CR.CR_ERROR_LAST
            or number in _REFUSED
        )

    def refuses_writes(self, error: Exception) -> bool:
        return _number(error) in _REFUSED

    def may_repeat(self, error: Exception) -> bool:
        return isinstance(error, pymysql.OperationalError) and error.args[:1] in (
            (ER.LOCK_DEADLOCK,),
            (ER.LOCK_WAIT_TIMEOUT,),
        )

    def is_duplicate(self, error: Exception) -> bool:
        return isinstance(error, pymysql.IntegrityError) and error.args[:1] == (ER.DUP_ENTRY,)


@cache
def _block(
    table: str,
    columns: tuple[str, ...],
    second: str,
    others: tuple[str, ...],
    link: str,
    count: int,
) -> str:
    """
    The two INSERTs of `count` rows each, and a SELECT of their first ids and of the step from one
    id to the next.
    """
    # A statement of its own for the variable, and a column for each number, would be a third of
    # what a single post costs.
    rows = [f"({marks(len(columns))})"] * count
    # Within a statement LAST_INSERT_ID() stays what the one before it made of it.
    ids = ["@first := LAST_INSERT_ID()"]
    ids += [f"LAST_INSERT_ID() + {index} * @@auto_increment_increment" for index in range(1, count)]
    linked = [f"({id}, {marks(len(others))})" for id in ids]
    return (
        f"BEGIN NOT ATOMIC {insert_into(table, columns, rows)}; "
        f"{insert_into(second, (link, *others), linked)}; "
        "SELECT CONCAT_WS(' ', @first, LAST_INSERT_ID(), @@auto_increment_increment); END"
    )


# Of Galera and of MySQL's group replication: other nodes write too, and nobody sees here what is
# open there.
_MULTI_PRIMARY = ("group_replication_single_primary_mode", "OFF")
_CLUSTER = f"SHOW VARIABLES WHERE Variable_name IN ('wsrep_on', '{_MULTI_PRIMARY[0]}')"


def lock_name(database: str, purpose: str = "feedd") -> str:
    """The name of a lock of this `database`, of whoever changes its schema; 64 characters."""
    return f"{purpose}:{sha1(database.encode(), usedforsecurity=False).hexdigest()}"


def _tls(server: ServerAddress) -> dict[str, Any]:
    """
    The driver's arguments for TLS. Without them it takes TLS when the server offers it, and
    believes any certificate.
    """
    if not server.tls:
        return {"ssl_disabled": True}
    try:
        return {"ssl": ssl.create_default_context(cafile=server.ca)}
    except OSError as error:
        raise BadConfig([f"store.url: the CA {server.ca} cannot be used: {error}"]) from None


def _number(error: Exception) -> int:
    """The server's or the driver's number of an error; 0 for none."""
    return error.args[0] if len(error.args) == 2 else 0


_NO_LOCKS = frozenset({ER.UNKNOWN_ERROR, ER.NOT_SUPPORTED_YET})
"""A cluster's words for GET_LOCK: Percona's in its strict mode, and MariaDB's Galera."""

_REFUSED = frozenset(
    {
        1290,  # read_only, and super_read_only of MySQL
        1792,  # a transaction that may only read
        1836,  # the server is in its read-only mode
        ER.UNKNOWN_COM_ERROR,  # a node of Galera that is not part of its cluster
        ER.DBACCESS_DENIED_ERROR,
        ER.TABLEACCESS_DENIED_ERROR,
        ER.COLUMNACCESS_DENIED_ERROR,
        ER.SPECIFIC_ACCESS_DENIED_ERROR,
        ER.DISK_FULL,
        ER.RECORD_FILE_FULL,
        ER.ERROR_ON_WRITE,
    }
)

# The driver calls everything "operational" that it does not know; these are mistakes of a statement
# all the same.
_WRONG_STATEMENT = frozenset(
    {ER.BAD_FIELD_ERROR, ER.WRONG_VALUE_COUNT_ON_ROW, ER.NON_UNIQ_ERROR, ER.WRONG_ARGUMENTS}
)
