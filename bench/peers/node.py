"""Servers in Node.js, as peers: the gateway of 2011, Socket.IO and Faye."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.conversation import Conversation, Served
from bench.peers.aiohttp_gateway import JSONP
from bench.peers.peer import PROGRAMS, Program, started
from tests.live import servers
from tests.live.server import NotStarted

PACKAGES = ("amqplib", "socket.io", "faye")
SESSIONS_SECONDS = 120.0


class _Node:
    """
    :param modules: the folder that holds ``node_modules``, None when there is none.
    """

    name = "node"
    package = "amqplib"

    def __init__(self, modules: Path | None) -> None:
        self._modules = modules

    def missing(self) -> str:
        """Node.js, or its package."""
        if shutil.which("node") is None:
            return "Node.js (Debian: apt-get install nodejs npm)"
        if self._modules is None or not (self._modules / "node_modules" / self.package).is_dir():
            return f"the npm package {self.package} (give --npm FOLDER: it is installed there)"
        return ""

    def _program(self, script: str, *arguments: str) -> Program:
        environment = {"NODE_PATH": str(self._modules and self._modules / "node_modules")}
        return Program(["node", str(PROGRAMS / script), "{port}", *arguments], environment)


class NodeGateway(_Node):
    """JSONP behind RabbitMQ, one queue for the process; no login, no friends, no database."""

    queues = "shared"

    @contextmanager
    def running(self, viewers: int) -> Iterator[Served]:
        """One process."""
        with started(
            self._program("node_gateway.js", servers.rabbitmq().url, self.queues), JSONP
        ) as served:
            yield served


class NodeOf2011(NodeGateway):
    """The same with a queue for each user, as it was in 2011."""

    name = "node2011"
    queues = "peruser"


class SocketIO(_Node):
    """Polling transport, no broker."""

    name = "socketio"
    package = "socket.io"

    @contextmanager
    def running(self, viewers: int) -> Iterator[Served]:
        """One process, with a session for each viewer."""
        program = self._program("socketio.js")
        path = "/socket.io/?EIO=4&transport=polling&sid={v}"
        with started(program, Conversation(poll=path)) as served:
            sessions = _sessions(self.name, program, viewers)
            yield served._replace(
                conversation=Conversation(poll=path, body="{token}", variables=sessions)
            )


class Faye(_Node):
    """Bayeux long polls, no broker."""

    name = "faye"
    package = "faye"

    @contextmanager
    def running(self, viewers: int) -> Iterator[Served]:
        """One process, with a session for each viewer."""
        program = self._program("faye.js")
        connect = '[{"channel":"/meta/connect","clientId":"{v}","connectionType":"long-polling"}]'
        message = '[{"channel":"/feed","data":{"t":"{token}"}}]'
        with started(program, Conversation(poll="/faye")) as served:
            sessions = _sessions(self.name, program, viewers)
            talk = Conversation(
                poll="/faye", publish="/faye", body=message, send=connect, variables=sessions
            )
            yield served._replace(conversation=talk)


def install(folder: Path) -> None:
    """Install what the peers in Node.js need into `folder`, unless it is there."""
    if (
        all((folder / "node_modules" / package).is_dir() for package in PACKAGES)
        or shutil.which("npm") is None
    ):
        return
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        "npm",
        "install",
        "--no-audit",
        "--no-fund",
        "--no-save",
        "--prefix",
        str(folder),
        *PACKAGES,
    ]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _sessions(kind: str, program: Program, viewers: int) -> tuple[str, ...]:
    """Their ids, made by a process of its own."""
    file = program.folder / "sessions"
    command = [
        "node",
        str(PROGRAMS / "sessions.js"),
        kind,
        str(program.port),
        str(viewers),
        str(file),
    ]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SESSIONS_SECONDS
    )
    if done.returncode:
        raise NotStarted(f"{kind} gave no sessions:\n{done.stderr[-2000:]}")
    return tuple(file.read_text().split())
