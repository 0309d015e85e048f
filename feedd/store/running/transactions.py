"""
The thread's side of a query: a transaction on the connection of the thread that runs it, tried
again when it lost a race.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from feedd.feed.ports import Unavailable
from feedd.store.database.adapter import Connections
from feedd.store.database.dialect import PART, Connection, Dialect
from feedd.store.running.transaction import Again, Refused, Transaction

T = TypeVar("T")

Work = Callable[[Transaction], T]
CheckWanted = Callable[[], None]
"""Raises `Unavailable` when nobody waits for the result any more."""

TRIES = 3


class Duplicate(Exception):
    """
    A unique index refused a row: somebody stored it before us. The transaction was rolled back.
    """


class Transactions:
    """
    Runs functions, each in one transaction: rolled back when it raises, else committed.

    A function is not run again once it has begun, except as a whole after it lost a race (a
    deadlock, a lock that it did not get, `Again`) and was rolled back: `TRIES` times in all. When
    the connection is lost during COMMIT nobody knows whether it happened; the answer is
    `Unavailable` then, and an Idempotency-Key makes it safe to repeat.
    """

    def __init__(self, connections: Connections, write: bool, commit_seconds: float) -> None:
        """
        :param write: they will change something.
        :param commit_seconds: how soon after its first event got an id a transaction must be ready
            to COMMIT.
        """
        self.dialect: Dialect = connections.dialect
        self._connections = connections
        self._write = write
        self._commit_seconds = commit_seconds

    def run(self, work: Work[T], check_wanted: CheckWanted) -> T:
        """
        Return the result of `work`, run in a transaction of its own, again after a lost race.

        :raises Unavailable: when the database is away, or nobody waits for the result any more;
            `Refused` when it is there and takes no writes.
        :raises Duplicate: when a unique index refused a row.
        """
        return self.explained(partial(self._persist, work, check_wanted))

    def attempt(self, work: Work[T], check_wanted: CheckWanted) -> T:
        """
        Return the result of `work`, run once in one transaction.

        :raises Unavailable: when nobody waits for it any more, or it took too long: it has been
            rolled back.
        :raises Exception: whatever `work` or the driver raises.
        """
        check_wanted()
        connection = self._connections.connect()
        try:
            self.dialect.begin(connection, self._write)
            transaction = Transaction(self._connections, connection, check_wanted)
            result = work(transaction)
            transaction.close()
            check_wanted()
            transaction.check_age(self._commit_seconds)
            connection.commit()
        except BaseException as error:
            self._undo(connection, error)
            raise
        return result

    def explained(self, function: Callable[[], T]) -> T:
        """
        Return what `function` returns; an error of the driver becomes `Unavailable` or `Duplicate`,
        unless it is our mistake.
        """
        try:
            return function()
        except self.dialect.errors as error:
            trouble = self.dialect.trouble(error)
            if trouble is not None:
                refused = self.dialect.refuses_writes(error)
                raise (Refused if refused else Unavailable)(PART, trouble) from error
            if self.dialect.is_duplicate(error):
                raise Duplicate from error
            raise

    def close(self) -> None:
        """End the threads, when they have done their work, and close their connections."""
        self._connections.close()

    def _persist(self, work: Work[T], check_wanted: CheckWanted) -> T:
        for _ in range(TRIES - 1):
            try:
                return self.attempt(work, check_wanted)
            except Again:
                continue
            except self.dialect.errors as error:
                if not self.dialect.may_repeat(error):
                    raise
        try:
            return self.attempt(work, check_wanted)
        except Again:
            raise Unavailable(PART, "others change the same rows") from None

    def _undo(self, connection: Connection, error: BaseException) -> None:
        try:
            connection.rollback()
        except Exception:
            self._connections.drop()
        if isinstance(error, self.dialect.errors) and self.dialect.refuses_writes(error):
            self._connections.renew()
