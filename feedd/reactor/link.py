"""
A link keeps one connection up: it tries the hosts in turn, waits longer each time, and begins again
when the connection is lost.

The number of failures is forgotten only when a connection has become useful, not when it is made: a
server that lets us in and throws us out is not hammered. `ClientService` forgets it earlier, and
raises when a connection is lost while it is still being prepared.
"""

import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from itertools import cycle
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.logger import Logger

NEXT_HOST_SECONDS = 0.1


class Host(NamedTuple):
    """
    A server to connect to.

    :ivar name: its host and port, for people.
    :ivar endpoint: an `IStreamClientEndpoint`.
    """

    name: str
    endpoint: Any


class Backoff(NamedTuple):
    """
    How long a link waits before it tries again: from `first_seconds`, doubled with every round of
    the hosts, to `longest_seconds`; up to half of that is taken off at random.
    """

    first_seconds: float
    longest_seconds: float

    def delay_seconds(self, failures: int, hosts: int, random: float) -> float:
        """The pause after so many failures; hardly any while there are `hosts` untried."""
        rounds, untried = divmod(failures, hosts)
        doubled = self.first_seconds * 2.0 ** min(rounds - 1, 16)
        span = NEXT_HOST_SECONDS if untried else min(self.longest_seconds, doubled)
        return span * (0.5 + random / 2)


class Useless(Exception):
    """The connection cannot be used; the text says why, without secrets."""


class Connection(Protocol):
    """A protocol, as far as a link uses it."""

    def fail(self, why: str) -> None:
        """End the connection at once. May be called again."""

    def when_lost(self) -> Coroutine[Deferred[Any], Any, str]:
        """Why the connection ended, when it has. Cancelling that changes nothing."""


C = TypeVar("C", bound=Connection)


class Steps(NamedTuple, Generic[C]):
    """
    The life of a connection.

    :ivar make: makes the protocol.
    :ivar use: called when it is connected, returns when it is useful. Raises `Useless`.
    :ivar lost: called when it is not useful any more, or will never be: once after each `use`.
    :ivar told: called with the host's name and the trouble, "" for none, when that has changed.
    """

    make: Callable[[], C]
    use: Callable[[C], Awaitable[None]]
    lost: Callable[[C], None]
    told: Callable[[str, str], None] = lambda host, trouble: None


class Link(Generic[C]):
    """
    A connection that is made again and again.

    :ivar trouble: why there is none now, "" when there is; without secrets.
    """

    _log = Logger()

    def __init__(
        self,
        clock: Any,
        hosts: Sequence[Host],
        steps: Steps[C],
        backoff: Backoff,
        random: Callable[[], float] = random.random,
    ) -> None:
        """
        :param clock: an `IReactorTime`.
        :param random: a number from 0 to 1, for the jitter.
        """
        self.trouble = "not started"
        self._clock = clock
        self._number_of_hosts = len(hosts)
        self._hosts = cycle(hosts)
        self._steps = steps
        self._factory = _Factory(steps.make)
        self._backoff = backoff
        self._random = random
        self._failures = 0
        self._running: Deferred[None] | None = None
        self._stopping = False

    def start(self) -> None:
        """Begin, and go on until `stop`."""
        self.trouble = "connecting"
        self._stopping = False
        self._running = Deferred.fromCoroutine(self._run())
        self._running.addErrback(lambda failure: self._log.failure("a link has ended", failure))

    def stop(self) -> Deferred[None]:
        """End at once; fires when the connection has gone."""
        self._stopping = True
        self.trouble = "stopped"
        running, self._running = self._running, None
        if running is None:
            return succeed(None)
        running.cancel()
        return running

    async def _run(self) -> None:
        while not self._stopping:
            host = next(self._hosts)
            why = await self._try(host)
            self._failures += 1
            self._note(host, why, f"{host.name}: {why}")
            await self._pause()

    def _note(self, host: Host, why: str, trouble: str) -> None:
        if not self._stopping and trouble != self.trouble:
            self.trouble = trouble
            self._steps.told(host.name, why)

    async def _pause(self) -> None:
        if not self._stopping:
            delay = self._backoff.delay_seconds(
                self._failures, self._number_of_hosts, self._random()
            )
            with suppress(CancelledError):
                await deferLater(self._clock, delay)

    async def _try(self, host: Host) -> str:
        """One connection, from its beginning to its end: why it ended."""
        try:
            connection: C = await host.endpoint.connect(self._factory)
        except Exception as error:
            return _text(error)
        try:
            return await self._hold(connection, host)
        except (Useless, CancelledError) as error:
            connection.fail(_text(error))
        except Exception as error:
            self._log.failure("the connection to {host} cannot be used", host=host.name)
            connection.fail(repr(error))
        return await _end(connection)

    async def _hold(self, connection: C, host: Host) -> str:
        try:
            await self._steps.use(connection)
            self._failures = 0
            self._note(host, "", "")
            return await connection.when_lost()
        finally:
            self._steps.lost(connection)


async def _end(connection: Connection) -> str:
    """Why a connection ended that we have ended; a `stop` meanwhile does not end it sooner."""
    while True:
        with suppress(CancelledError):
            return await connection.when_lost()


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__


class _Factory(Factory):
    noisy = False

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def buildProtocol(self, addr: Any) -> Any:
        return self._make()
