"""
N posters on loopback: each posts on a connection that it keeps, and posts again when it is
answered.

One epoll loop on raw sockets, whose requests are packed beforehand. The answers are HTTP/1.1 with a
Content-Length.
"""

import select
import socket
import time
from collections.abc import Sequence
from typing import NamedTuple

from bench.load import LOOPBACK, READ_BYTES, answer_end


class Posted(NamedTuple):
    """
    The counts of the posters: answers with the status 201, others, how long it took and how long
    each post did.
    """

    posts: int
    refused: int
    seconds: float
    times_ms: list[float]


class Posters:
    """A connection for each of `requests`."""

    def __init__(self, port: int, requests: Sequence[bytes]) -> None:
        self._epoll = select.epoll()
        self._sockets: dict[int, tuple[socket.socket, bytes]] = {}
        self._buffers: dict[int, bytes] = {}
        self._sent: dict[int, float] = {}
        for request in requests:
            connection = socket.create_connection((LOOPBACK, port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets[connection.fileno()] = connection, request
            self._buffers[connection.fileno()] = b""
            self._epoll.register(connection, select.EPOLLIN)

    def close(self) -> None:
        """Hang up."""
        for connection, _ in self._sockets.values():
            connection.close()
        self._epoll.close()

    def run(self, seconds: float) -> Posted:
        """Post for `seconds`, and wait for the last answers."""
        began, posts, refused = time.monotonic(), 0, 0
        times: list[float] = []
        for descriptor in self._sockets:
            self._send(descriptor)
        waiting = len(self._sockets)
        while waiting:
            for descriptor, _ in self._epoll.poll(30, 256):
                answer = self._read(descriptor)
                if answer is None:
                    continue
                now = time.monotonic()
                times.append((now - self._sent[descriptor]) * 1000)
                created = answer.startswith(b"HTTP/1.1 201")
                posts, refused = posts + created, refused + (not created)
                if now - began < seconds:
                    self._send(descriptor)
                else:
                    waiting -= 1
        return Posted(posts, refused, time.monotonic() - began, times)

    def _send(self, descriptor: int) -> None:
        connection, request = self._sockets[descriptor]
        self._sent[descriptor] = time.monotonic()
        connection.sendall(request)

    def _read(self, descriptor: int) -> bytes | None:
        data = self._sockets[descriptor][0].recv(READ_BYTES)
        if not data:
            raise ConnectionError("the server has closed a connection")
        data = self._buffers[descriptor] + data
        whole = answer_end(data) > 0
        self._buffers[descriptor] = b"" if whole else data
        return data if whole else None
