"""
Holds N long polls open on loopback, and times every delivery.

One epoll loop on raw sockets, so that the generator costs less than what it measures. It speaks HTTP/1.1 to any server whose
answers have a Content-Length: an answer ends a poll, and the client polls again with what the answer told it. This module knows
no server.
"""

import re
import select
import socket
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

LOOPBACK = "127.0.0.1"
READ_BYTES = 65_536
TICKS = 100
"""The unit of /proc/<pid>/stat on Linux: USER_HZ."""

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)

Ask = Callable[[int, bytes], bytes]
"""The next request of subscriber i, after this answer (b"" before the first)."""


class Measured(NamedTuple):
    """
    What R rounds on N polls took.

    :ivar last_ms: in each round, from the publish to the last of the N answers.
    :ivar p50_ms: of all answers.
    :ivar cpu_us: of the server, for each answer with the poll that follows it.
    :ivar kib: of the server's memory for each poll.
    """

    last_ms: list[float]
    p50_ms: float
    cpu_us: float
    kib: float
    open_s: float
    missing: int

    @property
    def last(self) -> float:
        """The median of `last_ms`."""
        return statistics.median(self.last_ms)


class Polls:
    """N connections that poll."""

    def __init__(self, port: int, number: int, ask: Ask) -> None:
        self._ask = ask
        self._epoll = select.epoll()
        self._sockets: dict[int, tuple[int, socket.socket]] = {}
        self._buffers: dict[int, bytes] = {}
        self._arrived: dict[int, float] = {}
        self._needle = b"\0"
        for index in range(number):
            self._open(port, index)
            if index % 100 == 99:
                self.pump(0.01)

    def close(self) -> None:
        """Hang up."""
        for _, connection in self._sockets.values():
            connection.close()
        self._epoll.close()

    def pump(self, seconds: float, until: int = -1) -> None:
        """Answer and poll for `seconds`, or until so many have seen what `watch` named."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and len(self._arrived) != until:
            for descriptor, _ in self._epoll.poll(min(left, 0.1), 1024):
                self._read(descriptor)

    def watch(self, needle: bytes) -> None:
        """From now on, note when each connection first sees an answer with `needle`."""
        self._needle = needle
        self._arrived = {}

    @property
    def arrived(self) -> Sequence[float]:
        """When each did, monotonic seconds."""
        return tuple(self._arrived.values())

    def _open(self, port: int, index: int) -> None:
        connection = socket.create_connection((LOOPBACK, port))
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
        head = data.find(b"\r\n\r\n")
        length = _LENGTH.search(data, 0, head) if head > 0 else None
        end = head + 4 + int(length[1]) if length else 0
        if not length or len(data) < end:
            self._buffers[descriptor] = data
            return
        if self._needle in data:
            self._arrived.setdefault(descriptor, time.monotonic())
        self._buffers[descriptor] = data[end:]
        connection.sendall(self._ask(index, data[:end]))


def measure(port: int, pid: int, number: int, rounds: int, ask: Ask, publish: Callable[[str], None]) -> Measured:
    """Open the polls, publish `rounds` times, and see how long each answer takes."""
    before = _kib(pid)
    began = time.monotonic()
    polls = Polls(port, number, ask)
    opened = time.monotonic() - began
    polls.pump(1.0)
    parked, cpu = _kib(pid), _cpu_seconds(pid)
    lasts, times, missing = [], [], 0
    for turn in range(rounds):
        token = f"tok-{turn}-{time.monotonic_ns()}"
        polls.watch(token.encode())
        at = time.monotonic()
        publish(token)
        polls.pump(20.0, until=number)
        seen = sorted(arrival - at for arrival in polls.arrived)
        missing += number - len(seen)
        lasts.append(seen[-1] * 1000 if seen else float("inf"))
        times += seen
        polls.pump(0.5)
    spent = _cpu_seconds(pid) - cpu
    polls.close()
    answers = max(1, len(times))
    return Measured(lasts, statistics.median(times) * 1000, spent / answers * 1e6, (parked - before) / number, opened, missing)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _kib(pid: int) -> int:
    found = re.search(r"VmRSS:\s*(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) if found else 0
