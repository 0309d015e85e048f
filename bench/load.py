"""
The load generator that needs no compiler: it holds N long polls open on loopback, and times every
delivery.

One epoll loop on raw sockets. It speaks HTTP/1.1 to any server whose answers have a Content-Length:
an answer ends a poll, and the client polls again with what the answer told it. It costs more than a
fast server, whose processor it shares; the one in C (`bench.native`) measures closer.
"""

import re
import resource
import select
import socket
import time
from collections.abc import Callable, Sequence

from bench.conversation import Served
from bench.measured import Measured, Timed, percentile
from bench.process import cpu_seconds, resident_kib

LOOPBACK = "127.0.0.1"
READ_BYTES = 65_536
PUBLISHERS = 16
OPEN_SECONDS = 30.0
ROUND_SECONDS = 20.0
SETTLE_SECONDS = 0.2
RAMP_SECONDS = 0.02

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_TOKEN = re.compile(rb"tok-(\d+)-")

Ask = Callable[[int, bytes], bytes]
"""The next request of subscriber i, after this answer (b"" before the first)."""


class Polls:
    """
    N connections that poll.

    :param ports: where; poll i goes to port i modulo their number.
    :param ramp: so many connect at once, 50 times a second at most.
    :param pids: the server; the next ones connect when it has done most of its work for these. A
        server that is flooded keeps the memory of the flood, which says nothing of a parked poll.
    """

    def __init__(
        self,
        ports: int | Sequence[int],
        number: int,
        ask: Ask,
        ramp: int = 100,
        pids: Sequence[int] = (),
    ) -> None:
        raise_file_limit()
        self._ports = [ports] if isinstance(ports, int) else list(ports)
        self._ask = ask
        self._epoll = select.epoll()
        self._sockets: dict[int, tuple[int, socket.socket]] = {}
        self._buffers: dict[int, bytes] = {}
        self._arrived: dict[int, float] = {}
        self._needle = b"\0"
        self._held: list[tuple[int, bytes]] | None = None
        self.hear: Callable[[bytes], None] = lambda answer: None
        """Called with every answer."""
        for index in range(number):
            self._open(index)
            if index % ramp == ramp - 1:
                self.pump(RAMP_SECONDS)
                if pids:
                    _wait_for(self, pids, window=0.01, rest=0.3, most=1.0)

    def close(self) -> None:
        """Hang up."""
        for _, connection in self._sockets.values():
            connection.close()
        self._epoll.close()

    def pump(self, seconds: float, until: int = -1) -> None:
        """Answer and poll for `seconds`, or until so many have seen what `look_for` named."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and len(self._arrived) != until:
            for descriptor, _ in self._epoll.poll(min(left, 0.1), 1024):
                self._read(descriptor)

    def look_for(self, needle: bytes) -> None:
        """From now on, note when each connection first sees an answer with `needle`."""
        self._needle = needle
        self._arrived = {}

    def hold(self) -> None:
        """From now on nobody polls again, until `release`."""
        self._held = []

    def release(self) -> None:
        """Let the clients that were answered meanwhile poll."""
        held, self._held = self._held or [], None
        for descriptor, answer in held:
            self._again(descriptor, answer)

    @property
    def arrived(self) -> Sequence[float]:
        """When each did, monotonic seconds."""
        return tuple(self._arrived.values())

    def _open(self, index: int) -> None:
        connection = socket.create_connection((LOOPBACK, self._ports[index % len(self._ports)]))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sockets[connection.fileno()] = index, connection
        self._buffers[connection.fileno()] = b""
        self._epoll.register(connection, select.EPOLLIN)
        connection.sendall(self._ask(index, b""))

    def _read(self, descriptor: int) -> None:
        index, connection = self._sockets[descriptor]
        data = connection.recv(READ_BYTES)
        if not data:
            raise ConnectionError(f"the server has closed connection {index}")
        data = self._buffers[descriptor] + data
        end = answer_end(data)
        if not end:
            self._buffers[descriptor] = data
            return
        if self._needle in data:
            self._arrived.setdefault(descriptor, time.monotonic())
        self._buffers[descriptor] = data[end:]
        self.hear(data[:end])
        self._again(descriptor, data[:end])

    def _again(self, descriptor: int, answer: bytes) -> None:
        if self._held is not None:
            self._held.append((descriptor, answer))
            return
        index, connection = self._sockets[descriptor]
        connection.sendall(self._ask(index, answer))


class Publishers:
    """
    A few connections that post in turn; what they are answered is read before the next post on the
    same one.
    """

    def __init__(self, served: Served, number: int = 1) -> None:
        self._served = served
        self._sockets: list[socket.socket | None] = [None] * number
        self._next = 0

    def publish(self) -> bytes:
        """Post an event with a token that holds the time, and return the token."""
        token = f"tok-{time.monotonic_ns()}-"
        which, self._next = self._next, (self._next + 1) % len(self._sockets)
        connection = self._sockets[which]
        answer = connection.recv(READ_BYTES) if connection else b""
        if connection is None or not answer:
            connection = socket.create_connection(
                (LOOPBACK, self._served.ports[0]), timeout=ROUND_SECONDS
            )
            self._sockets[which] = connection
        elif not answer.startswith(b"HTTP/1.1 2"):
            raise ConnectionError(f"a publish was answered {answer[:300]!r}")
        connection.sendall(self._served.conversation.publishing(token))
        return token.encode()

    def close(self) -> None:
        """Hang up."""
        for connection in self._sockets:
            if connection is not None:
                connection.close()


def answer_end(data: bytes) -> int:
    """The end of the first answer in `data`; 0 when it is not whole yet."""
    head = data.find(b"\r\n\r\n")
    length = _LENGTH.search(data, 0, head) if head > 0 else None
    end = head + 4 + int(length[1]) if length else 0
    return end if end <= len(data) else 0


def fanout(served: Served, number: int, rounds: int, held: int, ramp: int) -> Measured:
    """
    Open the polls, publish `rounds` times, and time each answer; then `held` rounds for what a
    delivery and a poll cost.
    """
    before, began = resident_kib(served.pids), time.monotonic()
    polls, publishers = (
        Polls(served.ports, number, served.conversation.request, ramp, served.pids),
        Publishers(served),
    )
    opened = time.monotonic() - began
    quiet(polls, served.pids)
    parked, spent = resident_kib(served.pids), cpu_seconds(served.pids)
    lasts: list[float] = []
    times: list[float] = []
    for _ in range(rounds):
        seen = _round(polls, publishers, number)
        lasts.append(seen[-1] * 1000 if seen else ROUND_SECONDS * 1000)
        times += seen
        quiet_after_round(polls, served.pids)
    spent = cpu_seconds(served.pids) - spent
    deliver_us, poll_us = _held(polls, publishers, served, number, held)
    polls.close()
    publishers.close()
    times.sort()
    return Measured(
        last_ms=lasts,
        p50_ms=percentile(times, 0.5) * 1000,
        p99_ms=percentile(times, 0.99) * 1000,
        cpu_us=spent / max(1, len(times)) * 1e6,
        kib=(parked - before) / number,
        open_s=opened,
        missing=number * rounds - len(times),
        deliver_us=deliver_us,
        poll_us=poll_us,
    )


def rate(served: Served, number: int, per_second: float, seconds: int) -> Timed:
    """Publish so many events a second to `number` polls, and time each delivery."""
    polls, publishers = (
        Polls(served.ports, number, served.conversation.request),
        Publishers(served, PUBLISHERS),
    )
    times: list[float] = []
    polls.hear = lambda answer: times.extend(
        time.monotonic() - int(sent) / 1e9 for sent in _TOKEN.findall(answer)
    )
    quiet(polls, served.pids)
    spent, began, wanted = cpu_seconds(served.pids), time.monotonic(), int(per_second * seconds)
    for sent in range(wanted):
        polls.pump(began + sent / per_second - time.monotonic())
        publishers.publish()
    polls.pump(2.0)
    spent = cpu_seconds(served.pids) - spent
    polls.close()
    publishers.close()
    times = sorted(took * 1000 for took in times)
    middle, late, worst = (percentile(times, share) for share in (0.5, 0.99, 1.0))
    return Timed(
        wanted,
        middle,
        late,
        worst,
        spent / max(1, len(times)) * 1e6,
        number * wanted - len(times),
        0,
    )


def quiet(polls: Polls, pids: Sequence[int]) -> None:
    """Return when the server rests: all polls are parked then."""
    polls.pump(SETTLE_SECONDS)
    _wait_for(polls, pids, window=0.25, rest=0.05, most=OPEN_SECONDS)


def _wait_for(polls: Polls, pids: Sequence[int], window: float, rest: float, most: float) -> None:
    """
    Until the server takes less than `rest` of a core for the time of a window, or `most` seconds
    have passed.
    """
    deadline = time.monotonic() + most
    share = 1.0
    while share > rest and time.monotonic() < deadline:
        spent, began = cpu_seconds(pids), time.monotonic()
        polls.pump(window)
        share = (cpu_seconds(pids) - spent) / (time.monotonic() - began)


def quiet_after_round(polls: Polls, pids: Sequence[int]) -> None:
    """The same between two rounds, for a moment."""
    polls.pump(SETTLE_SECONDS)
    _wait_for(polls, pids, window=0.05, rest=0.2, most=5.0)


def raise_file_limit() -> None:
    """Every poll is an open file."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _round(polls: Polls, publishers: Publishers, number: int) -> list[float]:
    """The times that the answers took, ascending."""
    polls.look_for(b"\0")
    token = publishers.publish()
    polls.look_for(token)
    polls.pump(ROUND_SECONDS, until=number)
    sent = int(token.split(b"-")[1]) / 1e9
    return sorted(arrival - sent for arrival in polls.arrived)


def _held(
    polls: Polls, publishers: Publishers, served: Served, number: int, rounds: int
) -> tuple[float, float]:
    """The cost of a delivery without the next poll, and that of the poll."""
    costs = [0.0, 0.0]
    for _ in range(rounds):
        start = cpu_seconds(served.pids)
        polls.hold()
        _round(polls, publishers, number)
        polls.look_for(b"\0")
        polls.pump(0.02)
        between = cpu_seconds(served.pids)
        polls.release()
        quiet_after_round(polls, served.pids)
        costs[0] += between - start
        costs[1] += cpu_seconds(served.pids) - between
    deliveries = max(1, number * rounds)
    return costs[0] / deliveries * 1e6, costs[1] / deliveries * 1e6
