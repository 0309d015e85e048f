"""What twistar's classes say, when they run in a transaction of the store."""

from collections.abc import Callable, Sequence
from typing import Any

from twistar.registry import Registry
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from feedd.store.database.adapter import PostRow, register
from feedd.store.database.address import FileAddress
from feedd.store.database.sqlite import SQLite


class FakeCursor:
    """Remembers its statements, and finds one post."""

    description = (("id",), ("author",), ("body",))
    lastrowid = 7

    def __init__(self) -> None:
        self.statements: list[tuple[str, list[Any]]] = []

    def execute(self, statement: str, values: Sequence[Any] = ()) -> None:
        self.statements.append((statement, list(values)))

    def change(self, statement: str, values: Sequence[Any] = ()) -> int:
        self.execute(statement, values)
        return 1

    def fetchall(self) -> list[tuple[Any, ...]]:
        return [(7, "ann", "1")]


class TwistarTests(SynchronousTestCase):
    """Statements have question marks, which a dialect turns into the driver's form."""

    def setUp(self) -> None:
        self.cursor: Any = FakeCursor()
        register(SQLite(FileAddress("unused"), 1.0), self.run_query)
        self.addCleanup(Registry.SCHEMAS.clear)

    def run_query(self, work: Callable[[Any], Any]) -> Deferred[Any]:
        return succeed(work(self.cursor))

    def test_find(self) -> None:
        """A row is an object; a percent sign is left alone."""
        where = ["author = ? AND body LIKE '1%'", "ann"]
        (post,) = self.successResultOf(PostRow.find(where=where))
        self.assertEqual((post.id, post.author, post.body), (7, "ann", "1"))
        select = ("SELECT * FROM posts WHERE author = ? AND body LIKE '1%'", ["ann"])
        self.assertEqual(self.cursor.statements, [select])

    def test_save(self) -> None:
        """A new object is an INSERT of what it has, a changed one an UPDATE."""
        post = PostRow(author="ann", body="1")
        self.successResultOf(post.save())
        self.assertEqual(post.id, 7)
        post.body = "2"
        self.successResultOf(post.save())
        _, insert, update = self.cursor.statements
        self.assertEqual(insert[0], "INSERT INTO posts (`author`,`body`) VALUES (?, ?)")
        self.assertEqual(update[0], "UPDATE posts  SET `author` = ?, `body` = ? WHERE id = ?")
        self.assertEqual((insert[1], update[1]), (["ann", "1"], ["ann", "2", 7]))

    def test_delete(self) -> None:
        """To delete all that match is a DELETE."""
        self.successResultOf(PostRow.deleteAll(["author = ?", "ann"]))
        self.assertEqual(self.cursor.statements, [("DELETE FROM posts WHERE author = ?", ["ann"])])
