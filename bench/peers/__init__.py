"""The servers that are compared, by name."""

from collections.abc import Iterable
from pathlib import Path

from bench.peers.aiohttp_gateway import AiohttpGateway
from bench.peers.feedd import FeeddPeer
from bench.peers.floor import Floor
from bench.peers.loop import Loop
from bench.peers.nchan import Nchan
from bench.peers.node import Faye, NodeGateway, NodeOf2011, SocketIO, install
from bench.peers.peer import Peer

DEFAULT = ("feedd", "nchan", "floor", "loop", "node", "aiohttp", "socketio", "faye")


def known(npm: Path | None) -> dict[str, Peer]:
    """
    Every peer by its name; `npm` is the folder of the packages that the peers in Node.js need.
    """
    peers: list[Peer] = [
        FeeddPeer(),
        FeeddPeer(fast=False),
        Nchan(),
        Floor(),
        Loop(),
        NodeGateway(npm),
        NodeOf2011(npm),
        AiohttpGateway(),
        SocketIO(npm),
        Faye(npm),
    ]
    return {peer.name: peer for peer in peers}


def choose(names: Iterable[str], peers: dict[str, Peer]) -> tuple[list[Peer], list[str]]:
    """
    The peers of these names that are installed here, and for each of the others a line that says
    what to install.

    :raises ValueError: for a name that nobody has.
    """
    chosen, lines = [], []
    for name in dict.fromkeys(names):
        if name not in peers:
            raise ValueError(f"no peer is called {name}; there are {', '.join(peers)}")
        lacking = peers[name].missing()
        if lacking:
            lines.append(f"without {name}: it needs {lacking}")
        else:
            chosen.append(peers[name])
    return chosen, lines


def chosen(text: str, npm: str | None) -> list[Peer]:
    """
    The installed peers among the names in `text`, separated by commas; what is lacking is printed.
    """
    folder = Path(npm) if npm else None
    if folder:
        install(folder)
    try:
        peers, lines = choose(text.split(","), known(folder))
    except ValueError as mistake:
        raise SystemExit(str(mistake)) from None
    for line in lines:
        print(line, flush=True)
    return peers
