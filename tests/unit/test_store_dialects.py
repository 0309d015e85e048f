"""The dialects, as far as they need no database."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pymysql
from twisted.trial.unittest import SynchronousTestCase

from feedd.feed.settings import BadConfig
from feedd.store.database.address import FileAddress, ServerAddress
from feedd.store.database.dialect import Rows
from feedd.store.database.mariadb import MariaDB
from feedd.store.database.sqlite import SQLite

SERVER = ServerAddress("db", 3306, "feedd", "", "feed", False, None)


class TLSTests(SynchronousTestCase):
    """How a server is talked to."""

    def test_a_ca_that_is_not_there(self) -> None:
        """A CA that is not there is a mistake of the configuration."""
        error = self.assertRaises(
            BadConfig, MariaDB, SERVER._replace(tls=True, ca="/nowhere/ca.pem"), 1.0
        )
        self.assertIn("/nowhere/ca.pem", str(error))

    def test_a_ca_that_is_none(self) -> None:
        """A file that holds no CA is one too."""
        path = self.mktemp()
        Path(path).write_text("not a certificate")
        self.assertRaises(BadConfig, MariaDB, SERVER._replace(tls=True, ca=path), 1.0)


class StatementTests(SynchronousTestCase):
    """Statements."""

    def test_values_in_the_drivers_form(self) -> None:
        """PyMySQL wants %s, and every other percent sign twice, but only where there are values."""
        dialect = MariaDB(SERVER, 1.0)
        self.assertEqual(
            dialect.native("a LIKE '%' AND b = ?", [1]), ("a LIKE '%%' AND b = %s", (1,))
        )
        self.assertEqual(dialect.native("a LIKE '%'", ()), ("a LIKE '%'",))
        self.assertEqual(
            SQLite(FileAddress("x"), 1.0).native("a = '%' AND b = ?", (1,)),
            ("a = '%' AND b = ?", (1,)),
        )


class SaidStatements:
    """A transaction that remembers its statements, and answers with ids that are 3 apart."""

    lastrowid = 7

    def __init__(self) -> None:
        self.statements: list[tuple[str, tuple[object, ...]]] = []

    def execute(self, statement: str, values: Sequence[object] = ()) -> None:
        self.statements.append((statement, tuple(values)))

    def row(self, statement: str, values: Sequence[object] = ()) -> tuple[object]:
        self.execute(statement, values)
        return ("7 8 3" if values else 3,)


class PairTests(SynchronousTestCase):
    """Rows and the rows that speak of them."""

    def pairs(
        self, blocks: bool, count: int
    ) -> tuple[list[tuple[int, int]], list[tuple[str, tuple[object, ...]]]]:
        """What is returned and what is said, by a server that knows blocks or does not."""
        dialect, txn = MariaDB(SERVER, 4.0, has_blocks=blocks), SaidStatements()
        first = Rows("posts", ("a", "b"), [("x", 1), ("y", 2)][:count])
        return dialect.insert_pairs(
            txn, first, Rows("events", ("c",), [(3,), (4,)][:count]), "post"
        ), txn.statements

    def test_one_statement(self) -> None:
        """
        MariaDB takes all in one, and says both first ids and what lies between one and the next.
        """
        block = (
            "BEGIN NOT ATOMIC INSERT INTO posts (a, b) VALUES (?, ?), (?, ?); INSERT "
            "INTO events (post, c) VALUES "
            "(@first := LAST_INSERT_ID(), ?), (LAST_INSERT_ID() + 1 * "
            "@@auto_increment_increment, ?); "
            "SELECT CONCAT_WS(' ', @first, LAST_INSERT_ID(), @@auto_increment_increment); END"
        )
        self.assertEqual(
            self.pairs(True, 2), ([(7, 8), (10, 11)], [(block, ("x", 1, "y", 2, 3, 4))])
        )

    def test_one_table_after_the_other(self) -> None:
        """MySQL takes the rows of one table, then those of the other."""
        step = ("SELECT @@auto_increment_increment", ())
        first = ("INSERT INTO posts (a, b) VALUES (?, ?), (?, ?)", ("x", 1, "y", 2))
        second = ("INSERT INTO events (post, c) VALUES (?, ?), (?, ?)", (7, 3, 10, 4))
        self.assertEqual(self.pairs(False, 2), ([(7, 7), (10, 10)], [step, first, step, second]))

    def test_two_statements(self) -> None:
        """A single row is told its id without being asked for the step."""
        first, second = (
            "INSERT INTO posts (a, b) VALUES (?, ?)",
            "INSERT INTO events (post, c) VALUES (?, ?)",
        )
        self.assertEqual(self.pairs(False, 1), ([(7, 7)], [(first, ("x", 1)), (second, (7, 3))]))


class AwayTests(SynchronousTestCase):
    """Whether a statement failed because of the database, or because of what it says."""

    def test_mariadb(self) -> None:
        """
        An error of the driver is of the way there; one of the server's, a trigger's for example,
        may be about a row.
        """
        dialect = MariaDB(SERVER, 1.0)
        away = [
            pymysql.OperationalError(2013, "lost"),
            pymysql.InterfaceError(0, ""),
            pymysql.InternalError("out of step"),
        ]
        there = [
            pymysql.OperationalError(1644, "a trigger"),
            pymysql.OperationalError(4025, "a CHECK"),
            pymysql.DataError(1406),
        ]
        self.assertEqual([dialect.is_away(error) for error in away], [True] * 3)
        self.assertEqual([dialect.is_away(error) for error in there], [False] * 3)

    def test_mariadb_that_takes_no_writes(self) -> None:
        """A server that takes no writes of anybody refuses any other too."""
        dialect = MariaDB(SERVER, 1.0)
        for number in (1290, 1792, 1836, 1047, 1142, 1044, 1114, 1021):
            error = pymysql.OperationalError(number, "no")
            self.assertTrue(dialect.refuses_writes(error) and dialect.is_away(error), number)
        for number in (1205, 1213, 1644, 2013, 1969):
            self.assertFalse(dialect.refuses_writes(pymysql.OperationalError(number, "")), number)
        self.assertFalse(dialect.refuses_writes(pymysql.InterfaceError("closed")))

    def test_sqlite(self) -> None:
        """A file that cannot be used is away; a row that cannot is not."""
        dialect = SQLite(FileAddress("x"), 1.0)
        locked = sqlite3.OperationalError("database is locked")
        locked.sqlite_errorcode = sqlite3.SQLITE_BUSY
        self.assertEqual(
            [dialect.is_away(error) for error in (locked, sqlite3.IntegrityError("no"))],
            [True, False],
        )
