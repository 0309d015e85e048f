"""
The attackers, each in a process of its own: what they send, and what they need in the tables.
"""

import json
import secrets
import select
import socket
import time
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from bench.load import LOOPBACK, READ_BYTES, answer_end, raise_file_limit

BACKEND_KEY = "demo"
BREATH_BYTES = 65_536
POSTS = 50
PAGE_POST_BYTES = 6_000
LONGEST_POST_BYTES = 65_000


class Target(NamedTuple):
    """
    What is attacked.

    :ivar small: whether a tenth is enough.
    """

    port: int
    small: bool

    def of(self, number: int) -> int:
        """`number`, or what is left of it."""
        return max(1, number // 12) if self.small else number


class Attack(NamedTuple):
    """
    One attack.

    :ivar run: attacks; runs in a process of its own, which is killed when the time is over.
    :ivar ends: whether `run` returns when all is done; the others are watched until then.
    :ivar cookies: whether everybody is known by the site's cookies.
    :ivar friendships: the rows (viewer, friend) that it needs.
    :ivar prepare: called when feedd runs, before the calm is measured.
    """

    run: Callable[[Target], None]
    ends: bool = False
    cookies: bool = False
    friendships: Callable[[Target], Iterable[tuple[str, str]]] = lambda target: ()
    prepare: Callable[[Target], None] = lambda target: None


def get(path: str, lines: str = "") -> bytes:
    """The bytes of a GET."""
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode()


def call(target: Target, path: str, body: object = None) -> bytes:
    """The body of an answer; with a body of its own the request is a POST of the site's servers."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{LOOPBACK}:{target.port}{path}", data)
    request.add_header("Authorization", f"Bearer {BACKEND_KEY}")
    with urllib.request.urlopen(request, timeout=300) as response:
        found: bytes = response.read()
    return found


def connect(target: Target, number: int) -> list[socket.socket]:
    """So many connections."""
    raise_file_limit()
    return [socket.create_connection((LOOPBACK, target.port)) for _ in range(number)]


def repeat(
    connections: Sequence[socket.socket], ask: Callable[[], bytes], number: int | None = None
) -> None:
    """
    Ask on each connection, and again when it is answered, `number` times in all or for ever.
    """
    epoll = select.epoll()
    by_number = {connection.fileno(): connection for connection in connections}
    buffers = dict.fromkeys(by_number, b"")
    asked = 0
    for descriptor, connection in by_number.items():
        connection.sendall(ask())
        asked += 1
        epoll.register(descriptor, select.EPOLLIN)
    while by_number and (number is None or asked < number):
        for descriptor, _ in epoll.poll(1.0):
            try:
                data = by_number[descriptor].recv(READ_BYTES)
                if not data:
                    raise ConnectionError
                data = buffers[descriptor] + data
                end = answer_end(data)
                buffers[descriptor] = data[end:] if end else data
                if end:
                    by_number[descriptor].sendall(ask())
                    asked += 1
            except ConnectionError:
                by_number.pop(descriptor).close()


def pipeline_status(target: Target) -> None:
    """Ten connections that send GET /status without a pause, and read the answers."""
    breath = get("/status") * (BREATH_BYTES // len(get("/status")))
    connections = {connection.fileno(): connection for connection in connect(target, 10)}
    unsent = dict.fromkeys(connections, b"")
    epoll = select.epoll()
    for descriptor, connection in connections.items():
        connection.setblocking(False)
        epoll.register(descriptor, select.EPOLLIN | select.EPOLLOUT)
    while True:
        for descriptor, events in epoll.poll(1.0):
            try:
                if events & select.EPOLLOUT:
                    data = unsent[descriptor] or breath
                    unsent[descriptor] = data[connections[descriptor].send(data) :]
                if events & select.EPOLLIN:
                    connections[descriptor].recv(1 << 20)
            except ConnectionError:
                connections.pop(descriptor).close()


def write_page(target: Target) -> None:
    """A page of long posts of `author`."""
    for _ in range(POSTS):
        call(target, "/api/posts", {"author": "author", "body": {"t": "x" * PAGE_POST_BYTES}})


def pipeline_inits(target: Target) -> None:
    """64 KB of inits on one connection, of a client that does not read."""
    (connection,) = connect(target, 1)
    init = get("/feed/init?as=author")
    connection.sendall(init * (BREATH_BYTES // len(init)))
    time.sleep(3600)


def open_polls(target: Target) -> None:
    """60,000 polls of one user that begin, and whose subscriptions end."""
    number = target.of(60_000)
    repeat(connect(target, 20), lambda: get("/feed/poll?as=mallory&wait=0"), number)
    while json.loads(call(target, "/status"))["subscriptions"] > 1000:
        time.sleep(0.5)


def befriend_star(target: Target, number: int) -> list[tuple[str, str]]:
    """The star hears so many authors."""
    return [("star", f"f{index}") for index in range(number)]


def unfriend(target: Target) -> None:
    """10,000 of the friends of a user who polls are friends no more."""
    cursor = json.loads(call(target, "/feed/poll?as=star&wait=0"))["cursor"]
    (polling,) = connect(target, 1)
    polling.sendall(get(f"/feed/poll?as=star&cursor={cursor}"))
    pairs = [{"viewer": "star", "friend": f"f{index}"} for index in range(target.of(10_000))]
    call(target, "/api/friendships", {"remove": pairs, "mutual": False})
    time.sleep(2.0)


def poll_cold(target: Target) -> None:
    """A poll of somebody with 100,000 friends that this process knows nothing of, over and over."""
    cursor = json.loads(call(target, "/feed/poll?as=star&wait=0"))["cursor"].partition("~")[0]
    repeat(connect(target, 1), lambda: get(f"/feed/poll?as=star&cursor={cursor}&wait=0"))


def load_database(target: Target) -> None:
    """700 connections of one user that ask for the page."""
    repeat(connect(target, target.of(700)), lambda: get("/feed/init?as=author"))


def post_long(target: Target) -> None:
    """500 posts that are six times as long when they are escaped; polls and inits of them."""
    cursor = json.loads(call(target, "/feed/poll?as=mallory&wait=0"))["cursor"]
    body = {"author": "mallory", "body": {"t": "<" * LONGEST_POST_BYTES}}
    for _ in range(target.of(500)):
        call(target, "/api/posts", body)
    asks = [f"/feed/poll?as=mallory&cursor={cursor}&wait=0", "/feed/init?as=mallory"]
    for number in range(6):
        call(target, asks[number % 2])


def make_up_cookies(target: Target) -> None:
    """300 connections with another cookie in each request."""
    number = target.of(300)
    repeat(
        connect(target, number),
        lambda: get("/feed/init", f"Cookie: session={secrets.token_hex(8)}\r\n"),
    )


ATTACKS: dict[str, Attack] = {
    "status": Attack(pipeline_status),
    "inits": Attack(pipeline_inits, prepare=write_page),
    "polls": Attack(open_polls, ends=True),
    "unfriend": Attack(
        unfriend, ends=True, friendships=lambda target: befriend_star(target, target.of(50_000))
    ),
    "cold": Attack(poll_cold, friendships=lambda target: befriend_star(target, target.of(100_000))),
    "database": Attack(load_database, prepare=write_page),
    "long": Attack(post_long, ends=True),
    "cookies": Attack(make_up_cookies, cookies=True),
}
