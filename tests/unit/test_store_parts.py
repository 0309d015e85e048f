"""The parts of the store that need no database: addresses, statements, windows."""

import os
import sqlite3
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pymysql
from twisted.trial.unittest import SynchronousTestCase

from feedd.feed.settings import BadConfig
from feedd.store.database.address import File, Server, parse_address
from feedd.store.database.dialect import Rows
from feedd.store.database.mariadb import MariaDB
from feedd.store.database.migrate import statements
from feedd.store.database.sqlite import SQLite
from feedd.store.tables.keyset import GROWTH, WINDOW, falling, rising, split
from feedd.store.tables.posts import stored_key

SERVER = Server("db", 3306, "feedd", "", "feed", False, None)


class AddressTests(SynchronousTestCase):
    """``store.url``."""

    def test_a_file(self) -> None:
        """Relative to where the daemon was started, or absolute."""
        self.assertEqual(
            parse_address("sqlite:feedd.sqlite", ""), File(os.path.abspath("feedd.sqlite"))
        )
        self.assertEqual(parse_address("sqlite:/var/lib/a%20b", "unused"), File("/var/lib/a%20b"))

    def test_a_server(self) -> None:
        """The port has a default; names and passwords may be written with percent signs."""
        self.assertEqual(parse_address("mysql://feedd@db/feed", ""), SERVER)
        self.assertEqual(
            parse_address("mysqls://a%40b:p%2Fw%3A@[::1]:3307/my%20feed?ca=/etc/ca.pem", ""),
            Server("::1", 3307, "a@b", "p/w:", "my feed", True, "/etc/ca.pem"),
        )

    def test_the_password_of_the_file_wins(self) -> None:
        """Over the one in the URL, as it is."""
        address = parse_address("mysql://feedd:url@db/feed", "fi%6Ce")
        self.assertEqual(address, SERVER._replace(password="fi%6Ce"))

    def test_what_cannot_be_used(self) -> None:
        """Is said, without the password."""
        for url in (
            "sqlite:",
            "sqlite::memory:",
            "sqlite:file:x?mode=memory",
            "postgres://feedd:geheim@db/feed",
            "mysql://feedd:geheim@db",
            "mysql://feedd:geheim@db/",
            "mysql://feedd:geheim@db/a/b",
            "mysql://feedd:geheim@db:port/feed",
            "mysql://feedd:geheim@db:99999/feed",
            "mysql://:geheim@db/feed",
            "mysql://feedd:geheim@/feed",
            "mysql://feedd:geheim@db/feed?sslmode=none",
        ):
            error = self.assertRaises(BadConfig, parse_address, url, "geheim2")
            self.assertIn("store.url", str(error))
            self.assertNotIn("geheim", str(error))

    def test_the_password_is_not_shown(self) -> None:
        """Not even in a traceback."""
        self.assertEqual(repr(SERVER._replace(password="geheim")), "<feedd at db:3306/feed>")


class TLSTests(SynchronousTestCase):
    """How a server is talked to."""

    def test_a_ca_that_is_not_there(self) -> None:
        """Is a mistake of the configuration."""
        error = self.assertRaises(
            BadConfig, MariaDB, SERVER._replace(tls=True, ca="/nowhere/ca.pem"), 1.0
        )
        self.assertIn("/nowhere/ca.pem", str(error))

    def test_a_ca_that_is_none(self) -> None:
        """Too."""
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
            SQLite(File("x"), 1.0).native("a = '%' AND b = ?", (1,)), ("a = '%' AND b = ?", (1,))
        )

    def test_twistar_writes_the_same_form(self) -> None:
        """
        What it builds for an INSERT, an UPDATE and a WHERE has the question marks that everything
        here has.
        """
        dialect = MariaDB(SERVER, 1.0)
        self.assertEqual(dialect.insertArgsToString({"a": 1, "b": 2}), "(?, ?)")
        self.assertEqual(dialect.updateArgsToString({"a": 1, "b": 2}), ("`a` = ?, `b` = ?", [1, 2]))
        self.assertEqual(dialect.whereToString(["a = ?", 1]), ("a = ?", [1]))
        self.assertFalse(dialect.includeBlankInInsert)

    def test_a_file_of_statements(self) -> None:
        """Each ends with a semicolon at a line's end; comments and empty lines are nothing."""
        text = "-- a; comment;\nCREATE a (\n  b  -- c\n);\n\n-- more\nCREATE ';x';\n"
        self.assertEqual(list(statements(text)), ["CREATE a (\n  b  -- c\n)", "CREATE ';x'"])

    def test_keys(self) -> None:
        """A plain key is stored as it is; a long or odd one as a digest, one for each."""
        self.assertEqual(stored_key("a" * 200), "a" * 200)
        odd = ["a" * 201, "a" * 202, "é", "e\u0301", "\udc80"]
        self.assertEqual(len({stored_key(key) for key in odd}), len(odd))
        self.assertTrue(all(len(stored_key(key)) <= 200 for key in odd))


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
        dialect, txn = MariaDB(SERVER, 4.0), SaidStatements()
        dialect._has_blocks = blocks
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

    def test_sqlite(self) -> None:
        """A file that cannot be used is away; a row that cannot is not."""
        dialect = SQLite(File("x"), 1.0)
        locked = sqlite3.OperationalError("database is locked")
        locked.sqlite_errorcode = sqlite3.SQLITE_BUSY
        self.assertEqual(
            [dialect.is_away(error) for error in (locked, sqlite3.IntegrityError("no"))],
            [True, False],
        )


class WindowTests(SynchronousTestCase):
    """The windows in which ids are looked for."""

    def check(self, spans: list[tuple[int, int]]) -> None:
        """They meet without gap or overlap, and grow."""
        for (_, upto), (above, _) in pairwise(spans):
            self.assertEqual(upto, above)
        self.assertTrue(all(above < upto for above, upto in spans))

    def test_rising(self) -> None:
        """From the first id above to the highest, each once."""
        self.assertEqual(list(rising(5, 5)), [])
        self.assertEqual(list(rising(7, 5)), [])
        self.assertEqual(list(rising(5, 6)), [(5, 6)])
        spans = list(rising(5, 10**9))
        self.check(spans)
        self.assertEqual(
            (spans[0], spans[1][1] - spans[1][0], spans[-1][1]),
            ((5, 5 + WINDOW), WINDOW * GROWTH, 10**9),
        )
        self.assertLess(len(spans), 10)

    def test_falling(self) -> None:
        """From the id below down to 1, each once."""
        self.assertEqual(list(falling(1)), [])
        self.assertEqual(list(falling(0)), [])
        self.assertEqual(list(falling(2)), [(0, 1)])
        spans = list(falling(10**9))
        self.check(spans[::-1])
        self.assertEqual((spans[0], spans[-1][0]), ((10**9 - 1 - WINDOW, 10**9 - 1), 0))
        self.assertLess(len(spans), 10)

    def test_pieces(self) -> None:
        """A list in pieces, the last one shorter."""
        self.assertEqual(list(split([1, 2, 3, 4, 5], 2)), [[1, 2], [3, 4], [5]])
        self.assertEqual(list(split([], 2)), [])
