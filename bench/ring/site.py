"""The site of the benchmark: processes behind proxies, writers that only INSERT, and viewers."""

import http.client
import json
import random
import threading
import time
from collections import defaultdict
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import pymysql
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import blockingCallFromThread

from bench.crossing import ask
from tests.live import servers
from tests.live.daemon import Feedd
from tests.live.proxy import Proxy
from tests.live.test_end_to_end import settings

reactor: Any = installed_reactor

INSERT = "INSERT INTO events (kind, author, payload) VALUES ('post', 'alice', %s)"
RETRY_SECONDS = 0.05
ROLLED_BACK = -1
"""The number in a row that is rolled back: nobody may ever see it."""


class Site:
    """
    So many feedd processes on one database, each behind a proxy of its own to it.

    :ivar feedds: the processes.
    """

    def __init__(self, processes: int, tail_seconds: float, ring_seconds: float) -> None:
        self.database = servers.mariadb().database()
        self.proxies: list[Proxy] = []
        self.feedds: list[Feedd] = []
        shared = f":{servers.mariadb().port}/"
        for _ in range(processes):
            proxy = Proxy(reactor, servers.mariadb().port)
            self.proxies.append(proxy)
            text = settings(self.database).replace(shared, f":{proxy.port}/")
            text = text.replace(
                "[store]\n",
                f"[store]\nthreads = 2\ntail_seconds = {tail_seconds}\n"
                f"ring_seconds = {ring_seconds}\n",
            )
            text = text.replace("[broker]\n", "[broker]\nlinger_seconds = 3600.0\n")
            self.feedds.append(Feedd(text))

    def __enter__(self) -> Self:
        run_reactor()
        for proxy, feedd in zip(self.proxies, self.feedds, strict=True):
            blockingCallFromThread(reactor, proxy.start)
            feedd.start()
        pair = {"viewer": "bob", "friend": "alice"}
        ask(self.feedds[0], "POST", "/api/friendships", {"add": [pair]})
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for proxy, feedd in zip(self.proxies, self.feedds, strict=True):
            feedd.stop()
            blockingCallFromThread(reactor, self._stop, proxy)

    def state(self, index: int) -> str:
        """What a process says of its ringer; "" when it does not answer."""
        with suppress(OSError, http.client.HTTPException):
            return str(self.feedds[index].details().get("ringer", ""))
        return ""

    def ringer(self) -> int:
        """The index of the process that rings, as soon as there is one."""
        while True:
            for index in range(len(self.feedds)):
                if self.state(index) == "rings":
                    return index
            time.sleep(RETRY_SECONDS)

    def cut(self, index: int) -> None:
        """Cut a process off from the database."""
        blockingCallFromThread(reactor, lambda: Deferred.fromCoroutine(self.proxies[index].cut()))

    def heal(self, index: int) -> None:
        """Undo `cut`."""
        blockingCallFromThread(reactor, self.proxies[index].heal)

    def connect(self) -> Any:
        """A connection of the site's own."""
        server = servers.mariadb()
        name = self.database.rpartition("/")[2]
        return pymysql.connect(host=server.host, port=server.port, user="feedd", database=name)

    def _stop(self, proxy: Proxy) -> Deferred[None]:
        return Deferred.fromCoroutine(proxy.stop())


def run_reactor() -> None:
    """Run the reactor of the proxies in a thread, once."""
    if not reactor.running:
        run = threading.Thread(target=reactor.run, args=(False,), daemon=True)
        run.start()
        while not reactor.running:
            time.sleep(0.01)


class Viewer(threading.Thread):
    """
    Bob at one process; a poll that fails is repeated with the same cursor.

    :ivar seen: when each number came, every time that it did.
    :ivar gaps: how often a cursor was of no use.
    """

    def __init__(self, feedd: Feedd) -> None:
        super().__init__(daemon=True)
        self.seen: dict[int, list[float]] = defaultdict(list)
        self.gaps = 0
        self.over = False
        self._feedd = feedd
        self._cursor = str(ask(feedd, "GET", "/feed/init?as=bob")["cursor"])

    def run(self) -> None:
        """Poll until it is `over`."""
        while not self.over:
            try:
                self._poll()
            except (OSError, http.client.HTTPException, ValueError):
                time.sleep(RETRY_SECONDS)

    def _poll(self) -> None:
        feedd = self._feedd
        connection = http.client.HTTPConnection(feedd.host, feedd.port, timeout=20)
        try:
            while not self.over:
                connection.request("GET", f"/feed/poll?as=bob&wait=5&cursor={self._cursor}")
                answer = json.loads(connection.getresponse().read())
                if "error" in answer:
                    time.sleep(RETRY_SECONDS)
                    continue
                at = time.monotonic()
                self.gaps += bool(answer.get("gap"))
                self._cursor = answer["cursor"]
                for event in answer["events"]:
                    if event["kind"] == "post":
                        self.seen[event["body"]["number"]].append(at)
        finally:
            connection.close()


class Writers:
    """
    Threads that INSERT, each row in a transaction of its own.

    :ivar committed: when the COMMIT of each number was sent.
    :param rollbacks: the share of transactions that are rolled back.
    """

    def __init__(self, site: Site, number: int, per_second: float, rollbacks: float) -> None:
        self.committed: dict[int, float] = {}
        self.over = False
        self._site = site
        self._pause = number / per_second
        self._rollbacks = rollbacks
        self._lock = threading.Lock()
        self._next = 0
        self._threads = [threading.Thread(target=self._write, daemon=True) for _ in range(number)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, and wait for it."""
        self.over = True
        for thread in self._threads:
            thread.join()

    def _write(self) -> None:
        with self._site.connect() as connection:
            cursor = connection.cursor()
            due = time.monotonic()
            while not self.over:
                due += random.expovariate(1 / self._pause)
                time.sleep(max(0.0, due - time.monotonic()))
                self._transact(connection, cursor)

    def _transact(self, connection: Any, cursor: Any) -> None:
        if random.random() < self._rollbacks:
            cursor.execute(INSERT, (f'{{"number":{ROLLED_BACK}}}',))
            connection.rollback()
            return
        with self._lock:
            number, self._next = self._next, self._next + 1
        cursor.execute(INSERT, (f'{{"number":{number}}}',))
        if random.random() < 0.2:  # others overtake it
            time.sleep(random.uniform(0.001, 0.05))
        self.committed[number] = time.monotonic()
        connection.commit()
