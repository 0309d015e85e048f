"""
Opens the log: brings the schema up to date and reads where the log stands, as soon as the database
is there.
"""

from collections.abc import Awaitable, Callable
from typing import ClassVar, Protocol

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from feedd.feed.ports import Opening, Unavailable

UNUSABLE = "the database cannot be used, see the log of the daemon"


class _Store(Protocol):
    async def prepare(self) -> None: ...

    async def open(self, last: int, most_bytes: int) -> Opening: ...


class Opener(Service):
    """
    Prepares and opens the store, every `RETRY_SECONDS` until it succeeds, whatever fails, and then
    calls `opened` with what it has read.

    :param last: how many of the newest events to read,
    :param most_bytes: and how many bytes of them at most.
    :ivar trouble: why the log is not open; "" when it is.
    """

    RETRY_SECONDS: ClassVar[float] = 1.0
    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        store: _Store,
        last: int,
        most_bytes: int,
        opened: Callable[[Opening], object],
    ) -> None:
        self.trouble = "not opened yet"
        self._clock = clock
        self._store = store
        self._last = last
        self._most_bytes = most_bytes
        self._opened = opened
        self._opening: Deferred[None] | None = None

    def startService(self) -> None:
        """Begin to try."""
        super().startService()
        self.begin()

    def begin(self) -> None:
        """Open the log; again, when the database has turned out to be another one."""
        self._opening = Deferred.fromCoroutine(self._open())
        self._opening.addErrback(self._failed)

    def stopService(self) -> Awaitable[None] | None:
        """Try no longer."""
        super().stopService()
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.cancel()
        return None

    async def _open(self) -> None:
        while True:
            try:
                await self._store.prepare()
                opening = await self._store.open(self._last, self._most_bytes)
                break
            except Unavailable as error:
                if self.trouble != error.why:
                    self._log.warn("the database is away: {why}", why=error.why)
                self.trouble = error.why
            except CancelledError:
                raise
            except Exception:  # a table that is away, say, and may be back
                if self.trouble != UNUSABLE:
                    self._log.failure("the database cannot be used")
                self.trouble = UNUSABLE
            await deferLater(self._clock, self.RETRY_SECONDS, lambda: None)
        self._log.info(
            "the log is open: epoch {epoch}, settled {settled}",
            epoch=opening.epoch,
            settled=opening.settled,
        )
        self._opened(opening)
        self.trouble = ""  # not before: whoever cannot use it has not opened the log

    def _failed(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self._log.failure("the feed cannot be opened", failure=failure)
