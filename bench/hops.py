"""
Hops: the functions of feedd that run from a delivered AMQP frame to the `send` of the answer, and
from a request to its parked poll: ``python -m bench.hops FOLDER``, which `bench.sizes` starts.

They are measured: the whole daemon of the checkout in FOLDER runs in this process on loopback,
between a broker of a few lines and a client, under a profile function. Of feedd only ``feedd.tap``
is imported, so that any version can be measured.
"""

import hashlib
import json
import socket
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import jwt
from pika import frame, spec
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater, react

from bench.calls import Window

HOST = "127.0.0.1"
USER = "bob"
SECRET = "0123456789abcdef0123456789abcdef"
KEY = f"Authorization: Bearer {SECRET}\r\n"
ROUNDS = 5
"""A timer may run in the middle of one; the round with the fewest calls is told."""

CROWD = 11
REST_SECONDS = 0.02
"""Connections that have been closed are forgotten by then."""

WAIT_SECONDS = 10.0
CONFIG = """
[http]
listen = ["tcp:{port}:interface={host}"]
fast_lane = {fast}
[auth]
mode = "token"
secret_file = "{folder}/token.key"
backend_key_file = "{folder}/token.key"
[store]
url = "sqlite:{folder}/feedd.sqlite"
[broker]
url = "amqp://guest:guest@{host}:{broker}/%2F"
heartbeat_seconds = 0
"""


class Broker(Protocol):
    """
    As much of RabbitMQ as one daemon needs.

    :ivar bound: the exchanges that the daemon's queue is bound to.
    :ivar meta: the rows of the daemon's table ``meta``, with the key that seals its events.
    """

    transport: Any
    ANSWERS: ClassVar[dict[str, Any]] = {
        "Connection.StartOk": spec.Connection.Tune(2047, 131_072, 0),
        "Connection.Open": spec.Connection.OpenOk(),
        "Channel.Open": spec.Channel.OpenOk(),
        "Queue.Declare": spec.Queue.DeclareOk("amq.gen-1", 0, 0),
        "Queue.Bind": spec.Queue.BindOk(),
        "Exchange.Declare": spec.Exchange.DeclareOk(),
        "Confirm.Select": spec.Confirm.SelectOk(),
        "Basic.Consume": spec.Basic.ConsumeOk("ctag1"),
    }

    def __init__(self) -> None:
        self.bound: set[str] = set()
        self.meta: dict[str, str] = {}
        self._data = b""

    def connectionMade(self) -> None:
        self._say(0, spec.Connection.Start(0, 9, {}, "PLAIN", "en_US"))

    def dataReceived(self, data: bytes) -> None:
        self._data = (self._data + data).removeprefix(b"AMQP\0\0\x09\x01")
        while True:
            used, read = frame.decode_frame(self._data)
            if read is None:
                return
            self._data = self._data[used:]
            if isinstance(read, frame.Method):
                self._answer(read.channel_number, read.method)

    def deliver(self, id: int) -> None:
        """Bring an event of the user, as feedd publishes it."""
        body = b'{"id":%d,"kind":"post","author":"%s","post":%d,"body":{"text":"hi"},"at":1766}'
        body %= (id, USER.encode(), id)
        properties = spec.BasicProperties("application/json", delivery_mode=1)
        if "seal_key" in self.meta:  # versions before it have no seal
            key = bytes.fromhex(self.meta["seal_key"])
            sealed = self.meta["epoch"].encode() + body
            seal = hashlib.blake2b(sealed, digest_size=16, key=key).hexdigest()
            properties.headers = {"feedd-seal": seal}
        content = frame.Header(1, len(body), properties), frame.Body(1, body)
        deliver = spec.Basic.Deliver("ctag1", id, False, exchange_of(USER), USER)
        frames = (frame.Method(1, deliver), *content)
        self.transport.write(b"".join(each.marshal() for each in frames))

    def _answer(self, channel: int, method: Any) -> None:
        if method.NAME == "Queue.Bind":
            self.bound.add(method.exchange)
        if method.NAME in self.ANSWERS and not getattr(method, "nowait", False):
            self._say(channel, self.ANSWERS[method.NAME])

    def _say(self, channel: int, method: Any) -> None:
        self.transport.write(frame.Method(channel, method).marshal())


class Client(Protocol):
    """One connection of a browser."""

    transport: Any

    def __init__(self) -> None:
        self.cursor = ""
        self._data = b""
        self._answered: Deferred[bytes] = Deferred()

    @property
    def port(self) -> int:
        """Its end of the connection."""
        port: int = self.transport.getHost().port
        return port

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        head, _, body = self._data.partition(b"\r\n\r\n")
        if body and len(body) == int(head.lower().partition(b"content-length: ")[2].split()[0]):
            self._data = b""
            self._answered.callback(body)

    def get(self, path: str, headers: str = "") -> "Deferred[bytes]":
        """The body of the answer."""
        self._answered = Deferred()
        request = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{headers}\r\n"
        self.transport.write(request.encode())
        return self._answered

    def poll(self) -> None:
        """Poll from the last cursor, as a script tag does."""
        self.get(f"/feed/poll?callback=show&token={token()}&cursor={self.cursor}").addCallback(
            self._told
        )

    @property
    def is_answered(self) -> bool:
        """Whether there is nothing to wait for."""
        return bool(self._answered.called)

    def _told(self, body: bytes) -> None:
        self.cursor = json.loads(body[len("/**/show(") : -len(");")])["cursor"]


def token() -> str:
    """Who the client is."""
    claims = {"sub": USER, "exp": 4_000_000_000}
    return jwt.encode(claims, SECRET, algorithm="HS256")


def exchange_of(author: str) -> str:
    """Where the author's events are published."""
    return f"{author}_feedExchange"


class World:
    """The daemon, between its broker and its clients."""

    def __init__(self, reactor: Any, fast: bool) -> None:
        self.reactor = reactor
        self.broker = Broker()
        self.port = free_port()
        self._fast = fast
        self._last_id = 1000

    async def open(self, folder: Path) -> None:
        """Start the daemon, with its files in `folder`; returns when it is ready."""
        from feedd.tap import Options, makeService  # of the checkout that `main` has named

        listening = await TCP4ServerEndpoint(self.reactor, 0, interface=HOST).listen(
            _Once(self.broker)
        )
        (folder / "token.key").write_text(SECRET)
        (folder / "feedd.toml").write_text(
            CONFIG.format(
                port=self.port,
                host=HOST,
                fast=str(self._fast).lower(),
                folder=folder,
                broker=listening.getHost().port,
            )
        )
        options = Options()
        options.parseOptions(["--config", str(folder / "feedd.toml")])
        self.service = makeService(options)
        self.service.privilegedStartService()
        self.service.startService()
        await self.until(lambda: self.broker.transport is not None)
        await self.status("ready", True)
        with closing(sqlite3.connect(folder / "feedd.sqlite")) as connection:
            self.broker.meta = dict(connection.execute("SELECT name, value FROM meta"))

    async def close(self) -> None:
        """Stop the daemon."""
        self.broker.transport.loseConnection()
        await self.service.stopService()

    async def client(self) -> Client:
        """A new connection."""
        client: Client = await connectProtocol(
            TCP4ClientEndpoint(self.reactor, HOST, self.port), Client()
        )
        return client

    async def until(self, condition: Any) -> None:
        """Wait for it."""
        for _ in range(int(WAIT_SECONDS / 0.005)):
            if condition():
                return
            await deferLater(self.reactor, 0.005)
        raise TimeoutError(f"it never came: {condition.__code__}")

    async def status(self, name: str, value: Any) -> None:
        """Wait until ``/status`` says so."""
        client = await self.client()
        for _ in range(int(WAIT_SECONDS / 0.02)):
            if json.loads(await client.get("/status", KEY))[name] == value:
                client.transport.loseConnection()
                return
            await deferLater(self.reactor, 0.02)
        raise TimeoutError(f"{name} never was {value}")

    async def poll(self, client: Client) -> Window:
        """A poll is sent; what runs until it is parked."""
        window = Window(client.port, set())
        sys.setprofile(window)
        client.poll()
        await self.until(lambda: window.is_over)
        sys.setprofile(None)
        return window

    async def event(self, *clients: Client) -> Window:
        """A frame is delivered; what runs until its event was sent to all of them."""
        window = Window(
            self.broker.transport.getPeer().port,
            {client.port for client in clients},
            len(clients),
        )
        self._last_id += 1
        await deferLater(self.reactor, REST_SECONDS)
        sys.setprofile(window)
        self.broker.deliver(self._last_id)
        await self.until(lambda: all(client.is_answered for client in clients))
        sys.setprofile(None)
        return window

    async def arrive(self, number: int) -> list[Client]:
        """So many new clients, with a cursor each."""
        clients = [await self.client() for _ in range(number)]
        for client in clients:
            client.poll()
        await self.status("polls", number)
        await self.until(lambda: exchange_of(USER) in self.broker.bound)
        await self.event(*clients)
        return clients


class _Once(Factory):
    """A server with one protocol."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol

    def buildProtocol(self, addr: Any) -> Protocol:
        return self._protocol


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind((HOST, 0))
        port: int = found.getsockname()[1]
        return port


async def measure(reactor: Any, fast: bool) -> dict[str, Any]:
    """
    Everything with the fast way or without it, by name.

    ``crowd`` is ``send`` with `CROWD` listeners.
    """
    world, rounds = World(reactor, fast), []
    with tempfile.TemporaryDirectory() as folder:
        await world.open(Path(folder))
        (client,) = await world.arrive(1)
        for _ in range(ROUNDS):
            again = await world.poll(client)
            await world.event(client)
            other = await world.client()
            other.cursor = client.cursor
            client.transport.loseConnection()
            await world.status("polls", 0)
            client = other
            new = await world.poll(client)
            rounds.append({"again": again, "new": new, "send": await world.event(client)})
        client.transport.loseConnection()
        await world.status("polls", 0)
        clients = await world.arrive(CROWD)
        for _ in range(ROUNDS):
            for client in clients:
                client.poll()
            await world.status("polls", CROWD)
            rounds.append({"crowd": await world.event(*clients)})
        await world.close()
    return {
        name: min(
            (each[name] for each in rounds if name in each), key=lambda window: window.calls.total()
        ).found()
        for name in ("send", "crowd", "new", "again")
    }


async def main(reactor: Any, folder: str) -> None:
    """Print what was found in the checkout in `folder`, as JSON."""
    sys.path.insert(0, folder)
    print(
        json.dumps({"fast": await measure(reactor, True), "plain": await measure(reactor, False)})
    )


if __name__ == "__main__":
    react(main, sys.argv[1:])
