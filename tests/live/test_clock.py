"""Somebody sets the clock, forward and back: nobody who waits notices it."""

import mmap
import struct
import time
from pathlib import Path
from typing import Any

import pymysql

from tests.live import servers
from tests.live.daemon import Feedd
from tests.live.harmed import HarmedCase, eventually, sleep, texts

HOUR_SECONDS = 3600.0
HEARTBEAT_SECONDS = 1
SITECUSTOMIZE = """
import mmap, struct, time
_file = open({path!r}, "rb")
_offset = mmap.mmap(_file.fileno(), 8, prot=mmap.PROT_READ)
_now = time.time
time.time = lambda: _now() + struct.unpack("d", _offset)[0]
"""
"""Python runs it first of all. What it replaces is the time of day alone."""


class SetClockTests(HarmedCase):
    """A process whose time of day is what the test says."""

    processes = 1

    def make_feedd(self) -> Feedd:
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        path = folder / "offset"
        path.write_bytes(struct.pack("d", 0.0))
        with path.open("r+b") as file:
            self.offset = mmap.mmap(file.fileno(), 8)
        self.addCleanup(self.offset.close)
        (folder / "sitecustomize.py").write_text(SITECUSTOMIZE.format(path=str(path)))
        return Feedd(self._settings(), wait_ready=False, libraries=folder)

    def _settings(self) -> str:
        return (
            super()
            ._settings()
            .replace(
                "timeout_seconds = 2.0\n",
                f"timeout_seconds = 2.0\nheartbeat_seconds = {HEARTBEAT_SECONDS}\n",
            )
        )

    def set_clock(self, seconds: float) -> None:
        """Set the clock of the process to the true time and so many seconds."""
        self.offset[:] = struct.pack("d", seconds)

    def insert(self, text: str) -> None:
        """A post as a site writes it, which no bell brings."""
        name = self.database.rpartition("/")[2]
        connection = pymysql.connect(
            host=servers.HOST, port=self.mariadb.port, user="feedd", database=name, autocommit=True
        )
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO events (kind, author, payload) VALUES ('post', 'alice', %s)",
                (f'{{"text": "{text}"}}',),
            )

    async def test_set(self) -> None:
        """
        An hour forward, two back, one forward, while a poll waits: bell, net, the end of a wait,
        expiry and heartbeats come when they would; times in answers are those of the clock.
        """
        connected = self.connections()
        for offset in (HOUR_SECONDS, -HOUR_SECONDS, 0.0):
            await self.live_through(offset)
        self.assertEqual(self.connections(), connected)
        self.set_clock(-HOUR_SECONDS)
        self.proxies["rabbitmq"].freeze()  # only a heartbeat tells
        await self.until_away(self.alice, "broker")
        self.proxies["rabbitmq"].heal()
        await self.until_ready(self.alice)

    def connections(self) -> list[Any]:
        """Those that are made once: to RabbitMQ and to memcached."""
        return [set(self.proxies[part].pairs) for part in ("rabbitmq", "memcached")]

    async def live_through(self, offset: float) -> None:
        """Set the clock while a poll waits, and see to it that all goes on."""
        parked = await self.park(self.bob)
        self.set_clock(offset)
        await sleep(3 * HEARTBEAT_SECONDS)
        self.assertFalse(parked.called)
        await self.alice.post("by the bell")
        answer = await parked
        self.assertEqual(texts(answer), ["by the bell"])
        self.assertLess(abs(answer["events"][0]["at"] / 1000 - time.time() - offset), 5.0)

        parked, began = await self.park(self.bob), time.monotonic()
        self.insert("by the net")
        self.assertEqual(texts(await parked), ["by the net"])
        self.assertLess(time.monotonic() - began, 3.0)

        began = time.monotonic()
        self.assertEqual((await self.bob.poll(wait=2))["events"], [])
        self.assertGreater(time.monotonic() - began, 1.5)
        self.assertLess(time.monotonic() - began, 5.0)

        async def nothing_left() -> bool:
            return bool((await self.alice.status()).json["subscriptions"] == 0)

        await eventually(nothing_left, "the subscription has expired", 5.0)
