"""
Keeps one connection to the broker up: tries the hosts in turn, waits longer each time, begins again
when it is lost.

The number of failures is forgotten only when a connection has become useful, not when it is made: a
broker that lets us in and throws us out is not hammered. This module knows hosts, time and chance;
it does not know what a connection is used for.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import cycle
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.logger import Logger

from feedd.amqp.hosts import Host
from feedd.amqp.protocol.client import Client
from feedd.amqp.protocol.closed import Closed, describe

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 30.0
NEXT_HOST_SECONDS = 0.1


class Link:
    """
    A connection that is made again and again.

    :ivar trouble: why there is none now, "" when there is; without secrets.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        hosts: Sequence[Host],
        make_client: Callable[[], Client],
        use: Callable[[Client], Awaitable[None]],
        lost: Callable[[], None],
        random: Callable[[], float],
    ) -> None:
        """
        `use` takes a client that is logged in and returns when it is useful; `lost` follows each
        call of it.

        :param random: a number from 0 to 1, for the jitter.
        """
        self.trouble = "not started"
        self._clock: Any = clock
        self._number_of_hosts = len(hosts)
        self._hosts = cycle(hosts)
        self._factory = _ClientFactory(make_client)
        self._use = use
        self._lost = lost
        self._random = random
        self._failures = 0
        self._running: Deferred[None] | None = None
        self._stopping = False

    def start(self) -> None:
        """Begin, and go on until `stop`."""
        self.trouble = "connecting"
        self._stopping = False
        self._running = Deferred.fromCoroutine(self._run())
        self._running.addErrback(
            lambda failure: self._log.failure("the link to the broker has ended", failure)
        )

    def stop(self) -> Deferred[None]:
        """End, at once; fires when the connection has gone."""
        self._stopping = True
        self.trouble = "stopped"
        running, self._running = self._running, None
        if running is None:
            return succeed(None)
        running.cancel()
        return running

    async def _run(self) -> None:
        while not self._stopping:
            self._note(await self._try(next(self._hosts)))
            await self._pause()

    def _note(self, trouble: str) -> None:
        self._failures += 1
        if not self._stopping and trouble != self.trouble:
            self._log.warn("the broker is away: {trouble}", trouble=trouble)
            self.trouble = trouble

    async def _pause(self) -> None:
        if not self._stopping:
            with suppress(CancelledError):
                await deferLater(
                    self._clock,
                    delay_seconds(self._failures, self._number_of_hosts, self._random()),
                )

    async def _try(self, host: Host) -> str:
        """One connection, from its beginning to its end: why it ended."""
        try:
            client = await host.endpoint.connect(self._factory)
        except Exception as error:
            return f"{host.name}: {describe(error)}"
        try:
            await client.open()
            await self._hold(client, host)
        except (Closed, TimeoutError, CancelledError) as error:
            client.fail(describe(error))
        except Exception as error:
            self._log.failure("the session with the broker failed")
            client.fail(repr(error))
        await client.disconnected.wait()
        return f"{host.name}: {client.trouble}"

    async def _hold(self, client: Client, host: Host) -> None:
        try:
            await self._use(client)
            self._failures = 0
            self.trouble = ""
            self._log.info("connected to the broker at {host}", host=host.name)
            await client.disconnected.wait()
        finally:
            self._lost()


def delay_seconds(failures: int, hosts: int, random: float) -> float:
    """
    How long to wait after so many failures: hardly, while there are hosts untried; then longer with
    every round of them.
    """
    rounds, untried = divmod(failures, hosts)
    span = (
        NEXT_HOST_SECONDS
        if untried
        else min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(rounds - 1, 16))
    )
    return span * (0.5 + random / 2)


class _ClientFactory(Factory):
    noisy = False

    def __init__(self, make_client: Callable[[], Client]) -> None:
        self._make_client = make_client

    def buildProtocol(self, addr: Any) -> Any:
        return self._make_client()
