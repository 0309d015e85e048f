"""
N clients that all connect at the same moment, and poll.

One epoll loop on raw sockets that never waits for anybody: connect, poll, and after each answer
poll again with its cursor. A client that is refused (503) waits for as long as it is told and asks
again. The server speaks HTTP/1.1 with a Content-Length.
"""

import errno
import heapq
import re
import select
import socket
import time
from collections.abc import Callable
from typing import NamedTuple

from bench.load import answer_end, raise_file_limit

LOOPBACK = "127.0.0.1"
READ_BYTES = 65_536

_HEAD = re.compile(rb"HTTP/1\.1 (\d+)")
_RETRY = re.compile(rb"retry-after: *(\d+)", re.IGNORECASE)
_CURSOR = re.compile(rb'"cursor":"([^"]*)"')

Ask = Callable[[int, str], bytes]
"""The poll of client i with a cursor, "" for none."""


class Count(NamedTuple):
    """
    The counts since the crowd set off.

    :ivar answers: with status 200; `refused`: with 503; `odd`: with another one; `lost`:
        connections that the server ended.
    """

    answers: int
    refused: int
    odd: int
    lost: int


class Crowd:
    """
    The clients, none of which is connected yet.

    :ivar cursors: the last that each was given.
    :ivar first: seconds from the start until each had its first answer; a poll that is parked has
        none.
    :ivar seen: the clients that have had an answer with the bytes that `look_for` named.
    """

    def __init__(self, port: int, number: int, ask: Ask, cursors: list[str] | None = None) -> None:
        raise_file_limit()
        self._port = port
        self._number = number
        self._ask = ask
        self.cursors = list(cursors) if cursors else [""] * number
        self.first: dict[int, float] = {}
        self.seen: set[int] = set()
        self._needle = b"\0"
        self._count = [0, 0, 0, 0]
        self._began = 0.0
        self._epoll = select.epoll()
        self._clients: dict[int, tuple[int, socket.socket]] = {}
        self._buffers: dict[int, bytes] = {}
        self._later: list[tuple[float, int]] = []

    @property
    def count(self) -> Count:
        """The counts so far."""
        return Count(*self._count)

    def look_for(self, needle: bytes) -> None:
        """From now on `seen` is who has had an answer with `needle`."""
        self._needle, self.seen = needle, set()

    def connect(self, at_once: int) -> None:
        """
        Set off, all at the same moment but for the turns of the loop that each `at_once` of them
        have.
        """
        self._began = time.monotonic()
        for index in range(self._number):
            self._connect(index)
            if index % at_once == at_once - 1:
                self.pump(0.0)

    def pump(self, seconds: float, done: Callable[[], bool] = lambda: False) -> bool:
        """Answer and poll for `seconds`, or until `done`; whether it was."""
        deadline = time.monotonic() + seconds
        while not (finished := done()):
            now = time.monotonic()
            while self._later and self._later[0][0] <= now:
                self._poll(heapq.heappop(self._later)[1])
            for descriptor, events in self._epoll.poll(max(0.0, min(deadline - now, 0.02)), 4096):
                self._turn(descriptor, events)
            if now >= deadline:
                break
        return finished

    def close(self) -> None:
        """Hang up."""
        for _, connection in self._clients.values():
            connection.close()
        self._epoll.close()

    def _connect(self, index: int) -> None:
        connection = socket.socket()
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        result = connection.connect_ex((LOOPBACK, self._port))
        if result not in (0, errno.EINPROGRESS):
            connection.close()
            self._count[3] += 1
            return
        self._clients[connection.fileno()] = index, connection
        self._buffers[connection.fileno()] = b""
        self._epoll.register(connection, select.EPOLLOUT)

    def _turn(self, descriptor: int, events: int) -> None:
        if events & (select.EPOLLHUP | select.EPOLLERR):
            self._lost(descriptor)
        elif events & select.EPOLLOUT:
            self._epoll.modify(descriptor, select.EPOLLIN)
            self._poll(descriptor)
        else:
            self._read(descriptor)

    def _poll(self, descriptor: int) -> None:
        if descriptor in self._clients:
            index, connection = self._clients[descriptor]
            connection.send(self._ask(index, self.cursors[index]))

    def _read(self, descriptor: int) -> None:
        index, connection = self._clients[descriptor]
        try:
            data = connection.recv(READ_BYTES)
        except ConnectionError:
            data = b""
        if not data:
            self._lost(descriptor)
            return
        data = self._buffers[descriptor] + data
        end = answer_end(data)
        if not end:
            self._buffers[descriptor] = data
            return
        self._buffers[descriptor] = data[end:]
        self._answered(index, descriptor, data[:end])

    def _answered(self, index: int, descriptor: int, answer: bytes) -> None:
        now = time.monotonic()
        found, retry = _HEAD.match(answer), _RETRY.search(answer)
        status = int(found[1]) if found else 0
        self._count[{200: 0, 503: 1}.get(status, 2)] += 1
        if status != 200:
            heapq.heappush(self._later, (now + float(retry[1] if retry else 2), descriptor))
            return
        self.first.setdefault(index, now - self._began)
        if self._needle in answer:
            self.seen.add(index)
        cursor = _CURSOR.findall(answer)
        if cursor:
            self.cursors[index] = cursor[-1].decode()
        self._poll(descriptor)

    def _lost(self, descriptor: int) -> None:
        _, connection = self._clients.pop(descriptor)
        connection.close()
        self._count[3] += 1
