"""Parts of a store on a database that remembers what it is told, its threads worked by hand."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, ClassVar

from twisted.python.failure import Failure

from feedd.store.database.dialect import Dialect


class Lost(Exception):
    """The driver's: the way to the database is."""


class Wrong(Exception):
    """The driver's: a statement is."""


class Race(Exception):
    """The driver's: somebody else won."""


class Taken(Exception):
    """The driver's: a unique index has the row already."""


class ReadOnly(Exception):
    """The driver's: the server takes no writes."""


class FakeDialect(Dialect):
    """The ways of a `FakeDatabase`."""

    errors: ClassVar = (Lost, Wrong, Race, Taken, ReadOnly)

    def trouble(self, error: Exception) -> str | None:
        return type(error).__name__.lower() if isinstance(error, Lost | ReadOnly) else None

    def refuses_writes(self, error: Exception) -> bool:
        return isinstance(error, ReadOnly)

    def may_repeat(self, error: Exception) -> bool:
        return isinstance(error, Race)

    def is_duplicate(self, error: Exception) -> bool:
        return isinstance(error, Taken)


class FakeDatabase:
    """
    The connections of `feedd.store.running.transactions.Transactions`, and the one connection that
    there is; a statement is a word.

    :ivar attempts: the words of each transaction.
    :ivar committed: the words of each that was committed.
    :ivar on_commit: called by each COMMIT, with the words.
    :ivar on_rollback: called by each ROLLBACK.
    :ivar dropped: how often the connection was closed after a ROLLBACK that failed.
    :ivar renewed: how often all connections were to be made anew.
    :ivar closed: there will be no further query.
    """

    def __init__(self) -> None:
        self.dialect = FakeDialect()
        self.attempts: list[list[str]] = []
        self.committed: list[list[str]] = []
        self.on_commit: Callable[[list[str]], object] = lambda words: None
        self.on_rollback: Callable[[], object] = lambda: None
        self.dropped = 0
        self.renewed = 0
        self.closed = False

    def connect(self) -> "FakeDatabase":
        return self

    def drop(self) -> None:
        self.dropped += 1

    def renew(self) -> None:
        self.renewed += 1

    def close(self) -> None:
        self.closed = True

    def cursor(self) -> "FakeCursor":
        self.attempts.append([])
        return FakeCursor(self.attempts[-1])

    def commit(self) -> None:
        self.on_commit(self.attempts[-1])
        self.committed.append(self.attempts[-1])

    def rollback(self) -> None:
        self.on_rollback()


class FakeCursor:
    """Remembers its statements."""

    def __init__(self, words: list[str]) -> None:
        self._words = words

    def execute(self, word: str, values: Sequence[Any] = ()) -> None:
        self._words.append(word)

    def close(self) -> None:
        """Do nothing."""


class HandThreads:
    """
    As much of a `feedd.reactor.threads.Threads` as runs something.

    :ivar work: what waits for a thread, and what is to be called with its result.
    """

    def __init__(self) -> None:
        self.work: list[tuple[Callable[[], Any], Callable[[Any], object]]] = []

    def run(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], object],
        key: Hashable = None,
        first: bool = False,
    ) -> None:
        self.work.insert(0 if first else len(self.work), (work, done))

    def turn(self) -> int:
        """Work off what waits now; returns how much it was."""
        work, self.work = self.work, []
        for function, done in work:
            try:
                result = function()
            except Exception:
                result = Failure()
            done(result)
        return len(work)


def raising(error: Exception) -> Callable[..., Any]:
    """A function that raises `error`, whatever it is called with."""

    def function(*arguments: Any) -> Any:
        raise error

    return function
