"""
The ringer's own connection, on a thread of its own.

The ringer is elected by a lock that the server keeps for this connection, so that the lock goes
with it. A process that is killed, or cut off by a reset, loses it at once. One that is frozen asks
nothing any more: the server ends a connection that has asked nothing for a second.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from feedd.core.runs import Runs
from feedd.feed.ports import Unavailable
from feedd.reactor.threads import Threads
from feedd.store.database.dialect import PART, Connection, Dialect
from feedd.store.tables.rung import news

T = TypeVar("T")

Row = tuple[int, bool]
"""The id of a row, and whether its writer rings for it."""


class Lookout:
    """
    Looks for new rows, as long as no other process does.

    A method that fails ends the connection, and the lock with it; `enter` makes another one. It
    raises `Unavailable` when the database is away or does not answer within a second.
    """

    def __init__(self, reactor: Any, dialect: Dialect, elects: bool) -> None:
        """
        :param reactor: an `IReactorFromThreads`.
        :param elects: whether one of all processes is to look; else each looks for itself.
        """
        self._reactor = reactor
        self._threads: Threads | None = None
        self._session = _Session(dialect, elects)

    def start(self) -> None:
        """Begin the thread; the reactor runs."""
        self._threads = Threads(self._reactor, "feedd-ringer", 1)
        self._threads.start()

    async def stop(self) -> None:
        """Let what is under way come to its end, give the lock back, and end the thread."""
        if self._threads is not None:
            await self.leave()
            threads, self._threads = self._threads, None
            threads.stop()

    def enter(self) -> Deferred[bool]:
        """Try to become the one who looks; whether this process is."""
        return self._run(self._session.enter)

    def look(self, after: int, holes: Runs, limit: int) -> Deferred[list[Row]]:
        """The first `limit` rows above `after` or in `holes`, ascending. After `enter` said yes."""
        return self._run(lambda: self._session.look(after, holes, limit))

    def leave(self) -> Deferred[None]:
        """Let another process be the one who looks. Never fails."""
        return self._run(self._session.close)

    def _run(self, work: Callable[[], T]) -> Deferred[T]:
        answer: Deferred[T] = Deferred()

        def done(result: T | Failure) -> None:
            if not answer.called:  # else it was cancelled
                answer.callback(result)

        if self._threads is None:
            return fail(Unavailable(PART, "the ringer has been stopped"))
        self._threads.run(lambda: self._session.explained(work), done)
        return answer


class _Session:
    """The connection, as the thread sees it; each method blocks."""

    def __init__(self, dialect: Dialect, elects: bool) -> None:
        self._dialect = dialect
        self._elects = elects
        self._connection: Connection = None
        self._seen: object = None

    def enter(self) -> bool:
        """Connect, unless we are, and take the lock, unless another has it."""
        self._seen = None
        if self._connection is None:
            self._connection = self._dialect.connect_to_look()
        return not self._elects or self._dialect.take_ringer_lock(self._connection)

    def look(self, after: int, holes: Runs, limit: int) -> list[Row]:
        """Read the rows, unless nobody has written since the last look."""
        if self._connection is None:
            raise Unavailable(PART, "the ringer has left")
        version = self._dialect.data_version(self._connection)
        if version is not None and version == self._seen:
            return []
        cursor = self._connection.cursor()
        cursor.execute(*self._dialect.native(*news(after, holes, limit)))
        rows = [(id, bool(rung)) for id, rung in cursor.fetchall()]
        cursor.close()
        # Of more rows than the limit the rest is still to be read.
        self._seen = version if len(rows) < limit else None
        return rows

    def close(self) -> None:
        """End the connection, and the lock with it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*self._dialect.errors):  # it may be broken already
                connection.close()

    def explained(self, work: Callable[[], T]) -> T:
        """Return what `work` does; its failure ends the connection."""
        try:
            return work()
        except self._dialect.errors as error:
            self.close()
            trouble = self._dialect.trouble(error)
            if trouble is None:
                raise
            raise Unavailable(PART, trouble) from error
        except BaseException:
            self.close()
            raise
