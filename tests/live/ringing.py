"""
The site of the ringer's tests: it INSERTs, and the net is too slow to be the one who tells.

Each process has a proxy of its own to the database and to RabbitMQ, so that one can be cut off.
"""

from contextlib import closing
from typing import Any

import pymysql
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from tests.live import servers
from tests.live.browser import Browser
from tests.live.daemon import Feedd
from tests.live.harmed import HarmedCase, eventually, sleep, texts
from tests.live.proxy import Proxy
from tests.live.test_faults_database import ring

INSERT = "INSERT INTO events (kind, author, payload) VALUES ('post', 'alice', %s)"


class Part:
    """One process, and what stands between it and the others."""

    def __init__(self, feedd: Feedd, mariadb: Proxy, rabbitmq: Proxy) -> None:
        self.feedd = feedd
        self.mariadb = mariadb
        self.rabbitmq = rabbitmq


class RingerCase(HarmedCase):
    """
    Alice and Bob at two processes whose net comes by every ten minutes.

    :ivar parts: the processes, as `feedds`.
    :cvar tail_seconds: how often the net comes by.
    """

    tail_seconds = 600

    async def prepare(self) -> None:
        """Remember the proxies."""
        self.parts: list[Part] = []

    def make_feedd(self) -> Feedd:
        settings = super()._settings()
        proxies = [self._proxy(port) for port in (self.mariadb.port, self.rabbitmq.port)]
        for shared, own in zip(("mariadb", "rabbitmq"), proxies, strict=True):
            settings = settings.replace(f":{self.proxies[shared].port}/", f":{own.port}/")
        settings = settings.replace("[store]\n", f"[store]\ntail_seconds = {self.tail_seconds}\n")
        settings = settings.replace("linger_seconds = 1.0\n", "")  # nobody has to wait for its end
        feedd = Feedd(settings, wait_ready=False)
        self.parts.append(Part(feedd, *proxies))
        return feedd

    async def ready(self) -> None:
        await super().ready()
        for browser in (self.alice, self.bob):
            await self.bind(browser)
        await self.until_somebody_rings(self.parts)

    async def bind(self, browser: Browser) -> None:
        """
        Let the exchange of alice be bound to the queue of this process; a poll may be parked a
        moment before.
        """
        parked = await self.park(browser)

        async def heard() -> bool:
            await deferToThread(ring, self.rabbitmq.url, "alice", b'{"text": "bound"}')
            return bool(parked.called)

        await eventually(heard, "the bell answers the poll")
        await parked

    def site(self) -> Any:
        """A connection of the site's own, past all proxies."""
        name = self.database.rpartition("/")[2]
        connection = pymysql.connect(
            host=servers.HOST, port=self.mariadb.port, user="feedd", database=name
        )
        self.addCleanup(lambda: connection.open and connection.close())
        return connection

    def browser_of(self, part: Part) -> Browser:
        """Who is at this process: Alice, who hears herself, or Bob, who hears her."""
        return self.alice if part is self.parts[0] else self.bob

    async def insert(self, *bodies: str) -> None:
        """Commit these events of alice's one by one."""

        def write() -> None:
            with closing(self.site()) as connection:
                for body in bodies:
                    connection.cursor().execute(INSERT, (f'{{"text":"{body}"}}',))
                    connection.commit()

        await deferToThread(write)

    async def state(self, part: Part) -> str:
        """What /status says of the ringer there."""
        return str((await self.browser_of(part).status()).json["ringer"])

    async def until_somebody_rings(self, parts: list[Part]) -> Part:
        """Return the one of `parts` that rings, as soon as there is one."""
        found: list[Part] = []

        async def rings() -> bool:
            found[:] = [part for part in parts if await self.state(part) == "rings"]
            return bool(found)

        await eventually(rings, "a process rings")
        return found[0]

    async def parted(self) -> tuple[Part, Part]:
        """The process that rings, and the one that does not."""
        ringer = await self.until_somebody_rings(self.parts)
        (other,) = [part for part in self.parts if part is not ringer]
        return ringer, other

    async def follow(self, part: Part, last: str) -> Deferred[list[str]]:
        """
        Poll at this process from now on; fires with all texts when `last` has come. When this
        returns, the process hears Alice.
        """
        parked = await self.park(self.browser_of(part), 60)
        return Deferred.fromCoroutine(self._texts(part, parked, last))

    async def _texts(self, part: Part, parked: Deferred[Any], last: str) -> list[str]:
        answer = await parked
        seen = texts(answer)
        while last not in seen:
            answer = await self.browser_of(part).poll(60)
            self.assertNotIn("gap", answer)
            if "error" in answer:  # a part is away
                await sleep(0.1)
            else:
                seen += texts(answer)
        return seen
