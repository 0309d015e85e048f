"""
The parts that are harmed: private servers and two feedd processes, with a proxy on every connection
between them.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread

from bench.chaos.steps import ARMED
from tests.live import servers
from tests.live.daemon import ROOT, Feedd
from tests.live.proxy import Proxy

READY_SECONDS = 20.0
RECENT_EVENTS = (10_000, 100)
"""
The second process remembers so little that its cold polls need the database, as after a long
absence.
"""


class MortalFeedd(Feedd):
    """A feedd that can be armed to die at a step of the post path."""

    def __init__(self, settings: str) -> None:
        super().__init__(settings, wait_ready=False)

    @property
    def armed(self) -> Path:
        """The file that arms it."""
        return self.folder / "armed"

    def _launch(self) -> int:
        arguments = [
            "--nodaemon",
            "--pidfile=",
            "feedd",
            "--config",
            str(self.folder / "feedd.toml"),
        ]
        environment = os.environ | {"PYTHONPATH": str(ROOT), ARMED: str(self.armed)}
        return self._run([sys.executable, "-m", "bench.chaos.launcher", *arguments], environment)

    @property
    def dead(self) -> bool:
        """Whether the process has ended."""
        return not self._pid or servers.supervisor().code(self._pid) is not None

    def wait_ready(self) -> bool:
        """Wait until /status says 200, or for `READY_SECONDS`; returns which."""
        deadline = time.monotonic() + READY_SECONDS
        while self.status() != 200:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True


class World:
    """
    All servers, and the proxies between them.

    :ivar fronts: where clients find the processes.
    :ivar behind: per process and part (``rabbitmq``, ``mariadb``) the proxy between them.
    :ivar caches: a proxy for each memcached, for both processes: they must know it by the same
        name, or keys have two places.
    """

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.rabbitmq = servers.RabbitMQ()
        self.mariadb = servers.MariaDB()
        self.memcached = (servers.Memcached(), servers.Memcached())
        self.feedds: list[MortalFeedd] = []
        self.fronts: list[Proxy] = []
        self.behind: list[dict[str, Proxy]] = []
        self.caches: list[Proxy] = []
        self.database = ""

    async def start(self) -> None:
        """Start everything; returns when both processes are ready."""
        parts = (self.rabbitmq, self.mariadb, *self.memcached)
        await together(part.start for part in parts)
        self.database = await deferToThread(self.mariadb.database)
        self.caches = [Proxy(self.reactor, server.port).start() for server in self.memcached]
        for recent_events in RECENT_EVENTS:
            self._make_process(recent_events)
        await together(feedd.start for feedd in self.feedds)
        if not all(await together(feedd.wait_ready for feedd in self.feedds)):
            raise servers.NotStarted("\n".join(feedd.log() for feedd in self.feedds))

    async def stop(self) -> None:
        """Kill everything."""
        for proxy in (
            *self.fronts,
            *self.caches,
            *(proxy for behind in self.behind for proxy in behind.values()),
        ):
            await proxy.stop()
        await together(
            part.kill for part in (*self.feedds, self.rabbitmq, self.mariadb, *self.memcached)
        )

    def proxies(self, part: str) -> list[Proxy]:
        """The proxies of `part`, of every process."""
        return [behind[part] for behind in self.behind]

    def _make_process(self, recent_events: int) -> None:
        ports = {"rabbitmq": self.rabbitmq.port, "mariadb": self.mariadb.port}
        caches = ",".join(f"{servers.HOST}:{proxy.port}" for proxy in self.caches)
        behind = {part: Proxy(self.reactor, port).start() for part, port in ports.items()}
        feedd = MortalFeedd(
            f"[poll]\nrecent_events = {recent_events}\n"
            f'[store]\nurl = "mysql://feedd@{servers.HOST}:{behind["mariadb"].port}/{self.database.rpartition("/")[2]}"\n'
            f'[broker]\nurl = "amqp://guest:guest@{servers.HOST}:{behind["rabbitmq"].port}/%2F"\n'
            f'[cache]\nurl = "memcached://{caches}"\n'
        )
        self.behind.append(behind)
        self.feedds.append(feedd)
        self.fronts.append(Proxy(self.reactor, feedd.port).start())


async def together(calls: Iterable[Callable[[], Any]]) -> list[Any]:
    """
    The results of blocking calls, each in a thread of its own, so that the reactor and its proxies
    go on.
    """
    results: Deferred[list[Any]] = gatherResults(
        [deferToThread(call) for call in calls], consumeErrors=True
    )
    return await results
