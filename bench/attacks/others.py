"""The others: pairs of well-behaved clients, of which one posts and the other polls."""

import re
import socket
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from bench.load import LOOPBACK, READ_BYTES, answer_end
from bench.measured import percentile

PAIRS = 10
EVERY_SECONDS = 0.2
TIMEOUT_SECONDS = 120.0

_CURSOR = re.compile(rb'"cursor":"([^"]*)"')


class Seen(NamedTuple):
    """
    What they saw.

    :ivar posts: how many posts were read by their reader.
    :ivar refused: answers that were no success, each of which was asked for again.
    """

    posts: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    refused: int


class Client:
    """
    One client with a connection of its own.

    :ivar refused: answers that were no success.
    """

    def __init__(self, port: int, user: str, cookies: bool) -> None:
        self._port = port
        self._query = b"" if cookies else b"&as=" + user.encode()
        self._lines = (
            b"Host: x\r\nSec-Fetch-Site: same-origin\r\n"
            + (b"Cookie: session=%b.good\r\n" % user.encode()) * cookies
        )
        self._connection: socket.socket | None = None
        self.refused = 0

    def ask(self, method: bytes, path: bytes, body: bytes = b"") -> bytes:
        """The answer to a request, as soon as it is a success."""
        request = b"%b %b%b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b" % (
            *(method, path, self._query, self._lines, len(body), body),
        )
        if method == b"GET":
            request = request.replace(b"Content-Length: 0\r\n", b"")
        while True:
            answer = self._exchange(request)
            if answer.startswith(b"HTTP/1.1 20"):
                return answer
            if answer and not answer.startswith(b"HTTP/1.1 503"):
                raise ValueError(answer)
            self.refused += 1
            time.sleep(0.1)

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()

    def _exchange(self, request: bytes) -> bytes:
        try:
            if self._connection is None:
                address = (LOOPBACK, self._port)
                self._connection = socket.create_connection(address, TIMEOUT_SECONDS)
                self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connection.sendall(request)
            data = b""
            while not answer_end(data):
                piece = self._connection.recv(READ_BYTES)
                if not piece:
                    raise ConnectionError
                data += piece
            return data
        except OSError:
            self._connection = None
            return b""


class Pair:
    """
    An author and a reader, who polls.

    :ivar times_ms: from when each post was due until the reader had it.
    """

    def __init__(self, port: int, number: int, cookies: bool) -> None:
        self.author = Client(port, f"a{number}", cookies)
        self.reader = Client(port, f"u{number}", cookies)
        self.times_ms: list[float] = []
        self._cursor = self._cursor_in(self.reader.ask(b"GET", b"/feed/poll?wait=0"))
        self._got: dict[int, float] = {}
        self._number = 0
        self._is_over = False

    def run(self, begins: float, is_over: Callable[[], bool]) -> None:
        """Post every `EVERY_SECONDS` from `begins` until it is over."""
        reading = threading.Thread(target=self._read, daemon=True)
        self._is_over = False
        reading.start()
        due = begins
        posted: list[tuple[int, float]] = []
        while not is_over():
            time.sleep(max(0.0, due - time.monotonic()))
            self._number += 1
            body = b'{"body":{"n":"tok-%d-"}}' % self._number
            self.author.ask(b"POST", b"/feed/posts?x=1", body)
            posted.append((self._number, due))
            due += EVERY_SECONDS
        self._is_over = True
        self._number += 1
        self.author.ask(b"POST", b"/feed/posts?x=1", b'{"body":{"n":"tok-%d-"}}' % self._number)
        reading.join()
        self.times_ms += [(self._got[number] - due) * 1000 for number, due in posted]

    def _read(self) -> None:
        """Poll until the last post has come."""
        last = 0
        while not (self._is_over and last == self._number):
            answer = self.reader.ask(b"GET", b"/feed/poll?cursor=" + self._cursor)
            now = time.monotonic()
            self._cursor = self._cursor_in(answer)
            for number in map(int, re.findall(rb"tok-(\d+)-", answer)):
                self._got[number] = now
                last = number

    def _cursor_in(self, answer: bytes) -> bytes:
        return _CURSOR.findall(answer)[-1]


class Others:
    """All of them, at work only while they are watched."""

    def __init__(self, port: int, cookies: bool) -> None:
        self._pairs = [Pair(port, number, cookies) for number in range(PAIRS)]

    def watch(
        self, most: float, least: float = 0.0, done: Callable[[], bool] = lambda: False
    ) -> Seen:
        """Let them post and poll for `most` seconds, or until `done` when `least` are over."""
        began = time.monotonic()

        def is_over() -> bool:
            passed = time.monotonic() - began
            return passed >= most or (passed >= least and done())

        threads = [
            threading.Thread(target=pair.run, args=(began + EVERY_SECONDS * i / PAIRS, is_over))
            for i, pair in enumerate(self._pairs)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self._seen()

    def close(self) -> None:
        """Hang up."""
        for pair in self._pairs:
            pair.author.close()
            pair.reader.close()

    def _seen(self) -> Seen:
        times = sorted(time_ms for pair in self._pairs for time_ms in pair.times_ms)
        refused = sum(client.refused for p in self._pairs for client in (p.author, p.reader))
        for pair in self._pairs:
            pair.times_ms = []
            pair.author.refused = pair.reader.refused = 0
        p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
        return Seen(len(times), p50, p99, times[-1] if times else 0.0, refused)
