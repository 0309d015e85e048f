"""
The cost of a message from RabbitMQ: ``python -m bench.amqp --messages 50000 --turns 3``.

A real RabbitMQ, a publisher of frames that were packed beforehand, and feedd's CPU from /proc
before and after. Exchanges are shards, so that messages arrive for authors whom nobody here hears
(``miss``), and others for one who is heard (``hit``: parsed, kept in the recent log, dispatched to
a subscription that nobody waits on). The settings let the log hold them all, since throwing them
away costs less, and polls at the end see that it did; their answers are not in the figure.
``reader``: the same without a network, bytes into `FrameReader` and `Inbox`.
"""

import argparse
import http.client
import json
import socket
import sqlite3
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from bench.load import LOOPBACK
from bench.process import cpu_seconds
from feedd.amqp.authors import FollowedAuthors
from feedd.amqp.event_frames import pack_event
from feedd.amqp.exchanges import Exchanges
from feedd.amqp.inbox import Inbox, Receiver
from feedd.amqp.protocol.frame_reader import FrameReader
from feedd.amqp.protocol.frames import PROTOCOL_HEADER, pack_method
from feedd.amqp.protocol.methods import METHODS, SIGNATURES
from feedd.amqp.seal import Seal
from feedd.core.counters import Counters
from feedd.core.event import Event, make_event
from feedd.reactor.complaints import Complaints
from tests.live import servers
from tests.live.daemon import Feedd

BYTES = 200
READ_BYTES = 65_536
FRAME_MAX = 131_072
WAIT_SECONDS = 120
EXCHANGE = b"feed.0"
FIRST_ID = 1_000_000
SETTINGS = """
[store]
url = "sqlite:{folder}/feedd.sqlite"
[broker]
url = "%s"
exchange = "feed.{shard}"
shards = 1
queue_length = 1000000
[poll]
max_pending = 1000000
recent_events = 1000000
recent_bytes = 1000000000
linger_seconds = 600
"""


def message(id: int, author: str) -> Event:
    """A post whose JSON has `BYTES` bytes."""
    short = make_event(id, "post", author, id, b'{"text":""}', 1_766_000_000_000)
    return make_event(
        id,
        "post",
        author,
        id,
        b'{"text":"%s"}' % (b"x" * (BYTES - len(short.json))),
        1_766_000_000_000,
    )


class Publisher:
    """A connection that writes frames, and reads no more than it has to."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((LOOPBACK, port))
        self._socket.sendall(PROTOCOL_HEADER)
        self._call(
            0,
            "connection.start-ok",
            mechanism="PLAIN",
            response=b"\0guest\0guest",
            locale="en_US",
            client_properties={},
        )
        self._socket.recv(READ_BYTES)  # connection.tune
        self._socket.sendall(pack_method(0, METHODS["connection.tune-ok"], (2_047, FRAME_MAX, 0)))
        self._call(0, "connection.open", virtual_host="/")
        self._socket.recv(READ_BYTES)
        self._call(1, "channel.open")
        self._socket.recv(READ_BYTES)

    def send(self, frames: bytes) -> None:
        """Publish."""
        self._socket.sendall(frames)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _call(self, channel: int, name: str, **fields: object) -> None:
        if name == "connection.start-ok":
            self._socket.recv(READ_BYTES)  # connection.start
        args = [fields.get(argument, default) for argument, default in SIGNATURES[name]]
        self._socket.sendall(pack_method(channel, METHODS[name], args))


def over_network(messages: int, author: str, feedd: Feedd, first_id: int) -> float:
    """
    Microseconds of feedd's CPU for each message of `author`; a last one, for nobody, says that all
    have come.
    """
    seal = seal_of(feedd)
    frames = b"".join(_sealed(message(first_id + n, author), seal) for n in range(messages))
    last = _sealed(message(first_id + messages, "nobody"), seal)
    publisher = Publisher(servers.rabbitmq().port)
    unfollowed = _unfollowed(feedd)
    expected = unfollowed + 1 + (messages if author != "alice" else 0)
    spent = cpu_seconds([feedd.pid])
    publisher.send(frames + last)
    deadline = time.monotonic() + WAIT_SECONDS
    while _unfollowed(feedd) < expected:
        assert time.monotonic() < deadline, "messages were lost"
        time.sleep(0.2)
    spent = cpu_seconds([feedd.pid]) - spent
    publisher.close()
    return spent / messages * 1e6


def seal_of(feedd: Feedd) -> Seal:
    """The seal of its database."""
    with closing(sqlite3.connect(feedd.folder / "feedd.sqlite")) as connection:
        meta = dict(connection.execute("SELECT name, value FROM meta"))
    seal = Seal()
    seal.begin(meta["epoch"], bytes.fromhex(meta["seal_key"]))
    return seal


def _sealed(event: Event, seal: Seal) -> bytes:
    return pack_event(1, EXCHANGE, event, FRAME_MAX, seal.of(event.json))


def without_network(messages: int, author: str) -> float:
    """Microseconds of CPU for each message, read in pieces of 64 KiB by what feedd reads with."""
    authors = FollowedAuthors(Exchanges("feed.{shard}", 1), 60)
    authors.follow("alice")
    counters, delivered = Counters(), []
    complain = Complaints(counters, time.monotonic)
    receiver = Receiver(delivered.append, lambda id: None)
    seal = Seal()
    seal.begin("k1", b"a key")
    inbox = Inbox(authors, seal, receiver, complain, counters, lambda: 0, "bench")
    reader = FrameReader(inbox, lambda *args: None, complain, FRAME_MAX)
    reads = list(
        _pieces(
            b"".join(
                _delivery(message(FIRST_ID + number, author), seal) for number in range(messages)
            )
        )
    )
    spent = time.process_time()
    for read in reads:
        reader.feed(read)
    spent = time.process_time() - spent
    assert len(delivered) + counters["amqp_unfollowed"] == messages
    return spent / messages * 1e6


def _delivery(event: Event, seal: Seal) -> bytes:
    """The frames that RabbitMQ sends for it."""
    method = pack_method(
        1,
        METHODS["basic.deliver"],
        (b"amq.ctag-0123456789abcdefghijkl", event.id, False, EXCHANGE, event.author),
    )
    published = _sealed(event, seal)
    header = published[published.index(b"\xce") + 1 :]
    return method + header


def _pieces(data: bytes) -> Iterator[bytes]:
    return (data[start : start + READ_BYTES] for start in range(0, len(data), READ_BYTES))


def _ask(feedd: Feedd, path: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection(LOOPBACK, feedd.port, timeout=30)
    connection.request("GET", path, headers={"Authorization": "Bearer demo"})
    answer: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def _told(feedd: Feedd, poll: str, cursor: str) -> int:
    """How many events a viewer is told from `cursor` on."""
    count, more = 0, True
    while more:
        answer = _ask(feedd, f"{poll}&cursor={cursor}")
        count += len(answer["events"])
        cursor, more = answer["cursor"], answer.get("more", False) or not count
    return count


def _unfollowed(feedd: Feedd) -> int:
    counters: dict[str, int] = _ask(feedd, "/status")["counters"]
    assert "amqp_unreadable" not in counters, counters
    return counters.get("amqp_unfollowed", 0)


def measure(messages: int, turns: int) -> dict[str, list[float]]:
    """Every turn of each."""
    found: dict[str, list[float]] = {"miss": [], "hit": [], "reader_miss": [], "reader_hit": []}
    for _ in range(turns):
        feedd = Feedd(SETTINGS % servers.rabbitmq().url).start()
        try:
            poll = "/feed/poll?as=alice&wait=0"
            cursor = _ask(feedd, poll)["cursor"]  # from now on alice is heard, by herself
            time.sleep(1)
            found["miss"].append(over_network(messages, "eve", feedd, FIRST_ID))
            found["hit"].append(over_network(messages, "alice", feedd, FIRST_ID))
            assert _told(feedd, poll, cursor) == messages, "messages were thrown away"
        finally:
            feedd.stop()
        found["reader_miss"].append(without_network(messages, "eve"))
        found["reader_hit"].append(without_network(messages, "alice"))
        print({name: round(times[-1], 2) for name, times in found.items()}, flush=True)
    return found


def row(times: Sequence[float]) -> dict[str, float]:
    """The median and the extremes."""
    return {"us": statistics.median(times), "us_low": min(times), "us_high": max(times)}


def main(argv: list[str] | None = None) -> None:
    """Measure, print microseconds of CPU for each message, and write JSON when asked to."""
    parser = argparse.ArgumentParser(prog="python -m bench amqp", description=__doc__)
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--json", help="a file for the figures")
    given = parser.parse_args(argv)
    rows = {name: row(times) for name, times in measure(given.messages, given.turns).items()}
    for name, figures in rows.items():
        print(
            f"{name:12} {figures['us']:6.2f} us ({figures['us_low']:.2f}-{figures['us_high']:.2f})"
        )
    if given.json:
        Path(given.json).write_text(
            json.dumps(
                {"messages": given.messages, "bytes": BYTES, "turns": given.turns, "rows": rows}
            )
        )


if __name__ == "__main__":
    main()
