"""The proxy of the fault tests harms connections as it says, and heals them."""

import time
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectionLost, ConnectionRefusedError
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from tests.live import servers
from tests.live.proxy import Proxy


class Client(Protocol):
    """Says something to memcached and collects the answers."""

    transport: Any

    def __init__(self) -> None:
        self.heard = b""
        self.reason = Failure(connectionDone.value)
        self.ended: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.reason = reason
        self.ended.callback(None)

    def ask(self, text: bytes = b"version\r\n") -> None:
        """Send `text`."""
        self.transport.write(text)


async def sleep(seconds: float) -> None:
    """Let the reactor run."""
    await deferLater(reactor, seconds, lambda: None)


class ProxyTests(TestCase):
    """Between a client and a memcached."""

    timeout = 20

    def setUp(self) -> None:
        self.proxy = Proxy(reactor, servers.memcached().port).start()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.proxy.stop()))

    async def connect(self) -> Client:
        """A client behind the proxy."""
        client: Client = await connectProtocol(
            TCP4ClientEndpoint(reactor, servers.HOST, self.proxy.port), Client()
        )
        self.addCleanup(lambda: client.ended)
        self.addCleanup(client.transport.abortConnection)
        return client

    async def heard(self, client: Client, seconds: float = 5) -> float:
        """How long it took until `client` heard a line; fails when it hears none."""
        began = time.monotonic()
        while not client.heard.endswith(b"\n"):
            self.assertLess(time.monotonic(), began + seconds, "nothing was heard")
            await sleep(0.01)
        return time.monotonic() - began

    async def test_unharmed(self) -> None:
        """Bytes go both ways, and the end of one side is the end of the other."""
        client = await self.connect()
        client.ask()
        await self.heard(client)
        self.assertTrue(client.heard.startswith(b"VERSION"), client.heard)
        client.ask(b"quit\r\n")
        await client.ended

    async def test_cut(self) -> None:
        """Connections are reset and new ones refused, until it is healed."""
        client = await self.connect()
        client.ask()
        await self.heard(client)
        await self.proxy.cut()
        await client.ended
        self.assertIs(client.reason.type, ConnectionLost)
        with self.assertRaises(ConnectionRefusedError):
            await self.connect()
        self.proxy.heal()
        client = await self.connect()
        client.ask()
        await self.heard(client)

    async def test_freeze(self) -> None:
        """
        Old and new connections stand and pass nothing on, until it is healed; then nothing is
        missing.
        """
        old = await self.connect()
        old.ask()
        await self.heard(old)
        self.proxy.freeze()
        new = await self.connect()
        old.heard = b""
        for client in (old, new):
            client.ask()
        await sleep(0.3)
        self.assertEqual(old.heard + new.heard, b"")
        self.proxy.heal()
        for client in (old, new):
            await self.heard(client)

    async def test_slow(self) -> None:
        """Each direction is late, and a rate is kept; healed, it is quick again."""
        client = await self.connect()
        self.proxy.slow(0.2)
        client.ask()
        self.assertGreater(await self.heard(client), 0.35)
        self.proxy.slow(0.0, 10_000)
        client.heard = b""
        client.ask(b"set k 0 0 5000\r\n" + b"x" * 5000 + b"\r\n")
        self.assertGreater(await self.heard(client), 0.35)
        self.proxy.heal()
        client.heard = b""
        client.ask()
        self.assertLess(await self.heard(client), 0.2)
