"""A gateway on aiohttp, aio-pika and uvloop, as a peer."""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench.conversation import Conversation, Served
from bench.peers.peer import PROGRAMS, Program, started
from tests.live import servers

PACKAGES = {"aiohttp": "aiohttp", "aio_pika": "aio-pika", "uvloop": "uvloop"}
JSONP = Conversation(poll="/poll?callback=cb{i}&user={i}&since={cursor}", cursor_key="cursor")


class AiohttpGateway:
    """RabbitMQ behind it; no login, no friends, no database."""

    name = "aiohttp"

    def missing(self) -> str:
        """Its packages."""
        lacking = [
            package
            for module, package in PACKAGES.items()
            if importlib.util.find_spec(module) is None
        ]
        return f"{' '.join(lacking)} (pip install -e '.[bench]')" if lacking else ""

    @contextmanager
    def running(self, viewers: int) -> Iterator[Served]:
        """One process."""
        script = str(PROGRAMS / "aiohttp_gateway.py")
        with started(
            Program([sys.executable, script, "{port}", servers.rabbitmq().url]), JSONP
        ) as served:
            yield served
