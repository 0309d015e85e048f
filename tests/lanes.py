"""
Two equal processes, of which one has the fast lane: what is done to one is done to the other, and
nobody can tell them apart.

This module knows connections and bytes. It does not know what is sent.
"""

import errno
import re
from collections import Counter
from select import EPOLLIN
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import IPv4Address
from twisted.internet.main import CONNECTION_LOST

from feedd.auth.token import TokenAuth
from feedd.core.subscription import by_id
from feedd.reactor.batch_reader import Watch
from feedd.web.api.poll import RepeatedPoll
from feedd.web.fast.channel import Lane, LaneChannel
from tests.browser import LINGER_SECONDS, Browser, House

SECRET = "a secret of thirty-two bytes, and more"


class Selected:
    """The part of a reactor that a descriptor talks to."""

    def __init__(self) -> None:
        self.readers: set[object] = set()
        self.writers: set[object] = set()
        self.addReader, self.addWriter = self.readers.add, self.writers.add
        self.removeReader, self.removeWriter = self.readers.discard, self.writers.discard


class Socket(FileDescriptor):
    """
    A socket whose peer takes as many bytes as the test says.

    :ivar room: how many more bytes the kernel takes.
    :ivar lost: the peer has gone, and the kernel knows.
    :ivar tries: how often something was sent, or tried to be.
    :ivar inbox: what has come and was not read yet, a piece a read; b"" is the end.
    """

    def __init__(self, room: int = 10**9, kernel: "Kernel | None" = None) -> None:
        super().__init__(Selected())  # type: ignore[arg-type]
        self.connected = 1
        self.room = room
        self.lost = False
        self.tries = 0
        self.inbox: list[bytes] = []
        self.startReading()
        self._kernel = kernel or Kernel()
        self._number = self._kernel.number(self)
        self._sent = b""

    def fileno(self) -> int:
        return self._number

    @property
    def reads(self) -> bool:
        """Whether the site wants to read: it has a reactor or a `Watch` look, never both."""
        assert not (self.watched and self in self.reactor.readers)
        return self.watched or self in self.reactor.readers

    @property
    def watched(self) -> bool:
        """Whether a `Watch` looks."""
        return self._number in self._kernel.watched

    @property
    def ready(self) -> bool:
        """Whether a read would bring something, an error or the end."""
        return bool(self.inbox) or self.lost

    def recv(self, most: int) -> bytes:
        """What has come, as a socket that does not block does."""
        if self.lost:
            raise ConnectionResetError
        if not self.inbox:
            raise BlockingIOError
        return self.inbox.pop(0)

    @property
    def writes(self) -> bool:
        """Whether the site has something to send."""
        return self in self.reactor.writers

    @property
    def socket(self) -> "Socket":
        """What is sent to at once."""
        return self

    def send(self, data: bytes) -> int:
        """Take what there is room for, as a socket that does not block does."""
        self.tries += 1
        if self.lost:
            raise ConnectionResetError
        if not self.room:
            raise BlockingIOError
        taken = bytes(data[: self.room])
        self.room -= len(taken)
        self._sent += taken
        return len(taken)

    def writeSomeData(self, data: Any) -> Any:
        """The same, as the reactor has it."""
        try:
            return self.send(bytes(data))
        except BlockingIOError:
            return 0
        except OSError:
            return CONNECTION_LOST

    def drain(self, room: int = 10**9) -> object:
        """
        The reactor's turns while there are `room` more bytes; returns why the connection ended, if
        it did.
        """
        self.room = room
        while self.writes and self.room:
            ended = self.doWrite()
            if ended is not None:
                return ended
        return None

    def value(self) -> bytes:
        """What has been sent."""
        return self._sent

    def clear(self) -> None:
        """Forget it."""
        self._sent = b""

    def abortConnection(self) -> None:
        """Close at once."""
        self.disconnecting = 1

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 4242)

    getHost = getPeer


class Kernel:
    """
    Numbers sockets, and is an epoll in which some of them are watched.

    :ivar watched: their numbers.
    :ivar most: how many may be watched.
    """

    def __init__(self) -> None:
        self.watched: set[int] = set()
        self.most = 10**9
        self._sockets: list[Socket] = []

    def number(self, socket: Socket) -> int:
        """The descriptor of a new socket."""
        self._sockets.append(socket)
        return len(self._sockets) - 1

    def register(self, descriptor: int, events: int) -> None:
        """Watch; twice is an error."""
        assert descriptor not in self.watched
        if len(self.watched) >= self.most:
            raise OSError(errno.ENOSPC, "no more watches")
        self.watched.add(descriptor)

    def unregister(self, descriptor: int) -> None:
        """Watch no more."""
        self.watched.remove(descriptor)

    def close(self, socket: Socket) -> None:
        """A socket that is closed is watched no more."""
        self.watched.discard(socket.fileno())

    def poll(self, timeout: float, most: int) -> list[tuple[int, int]]:
        """Those of the watched that have something, `most` of them at most."""
        return [
            (number, EPOLLIN) for number in sorted(self.watched) if self._sockets[number].ready
        ][:most]

    def fileno(self) -> int:
        """Its own descriptor."""
        return -1


class SocketBrowser(Browser):
    """A browser on a socket; who reads from it is whoever looks."""

    def __init__(self, site: Any, kernel: Kernel, room: int = 10**9) -> None:
        super().__init__(site, Socket(room, kernel))
        self._site = site
        self._kernel = kernel

    def send(self, data: bytes) -> None:
        """These bytes, by way of the socket."""
        if self.wire.watched:
            self.wire.inbox.append(data)
            self._site.watch.doRead()
        else:
            super().send(data)

    def lose(self) -> None:
        """
        The connection is gone, and so is the socket; its end is read first, unless its loss was
        noticed otherwise.
        """
        if self.wire.watched and not self.wire.lost:
            self.send(b"")
        self._kernel.close(self.wire)
        super().lose()


def watch_on(kernel: Kernel) -> Watch:
    """A `Watch` that reads four sockets at once."""
    return Watch(Selected(), kernel, lambda: 4)


class CountedLane(Lane):
    """A lane that counts what it takes."""

    taken = 0
    repeated = 0

    def take(self, channel: LaneChannel, data: bytes) -> bool:
        """The same, counted."""
        took = super().take(channel, data)
        self.taken += took
        return took

    def repeat(self, poll: RepeatedPoll, data: bytes) -> bool:
        """The same, counted, and apart as well."""
        took = super().repeat(poll, data)
        self.taken += took
        self.repeated += took
        return took


class Side:
    """One of the two processes, and the connections to it."""

    def __init__(self, lane: bool, sockets: bool) -> None:
        self.house = House(
            door=TokenAuth(SECRET, "feedd_token", lambda: self.house.clock.seconds())
        )
        self.house.store.friendships |= {("alice", "bob"), ("bob", "alice")}
        self.house.open()
        self.kernel = Kernel()
        if lane:
            self.house.site = self.house.lane_site(CountedLane, watch_on(self.kernel))
        self.sockets = sockets
        self.browsers: list[Browser] = []
        self.inboxes: list[list[bytes]] = []

    def connect(self, index: int) -> None:
        """A new connection in the place of an old one."""
        browser = (
            SocketBrowser(self.house.site, self.kernel)
            if self.sockets
            else Browser(self.house.site)
        )
        self.browsers[index : index + 1] = [browser]
        self.inboxes[index : index + 1] = [[]]

    def deliver(self) -> None:
        """Let everything that is on its way arrive, as far as the site reads it."""
        moved = True
        while moved:
            self.house.clock.advance(0)
            moved = False
            for browser, inbox in zip(self.browsers, self.inboxes, strict=True):
                if self.sockets:
                    browser.wire.drain()
                reads = (
                    browser.wire.reads
                    if self.sockets
                    else browser.wire.producerState == "producing"
                )
                if inbox and reads and not browser.dropped:
                    browser.send(inbox.pop(0))
                    moved = True

    def outputs(self) -> list[tuple[bytes, bool]]:
        """
        For each connection what was written since the last call, but for the time of day, and
        whether it is closed.
        """
        found = []
        for browser in self.browsers:
            found.append(
                (
                    re.sub(rb"\r\nDate: [^\r]*", b"\r\nDate: now", browser.wire.value()),
                    bool(browser.dropped),
                )
            )
            browser.wire.clear()
        return found

    def state(self) -> dict[str, object]:
        """All that the process keeps."""
        house, hub = self.house, self.house.hub
        return {
            "subscriptions": [
                (
                    found.handle,
                    found.viewer,
                    found.issued,
                    found.overflowed,
                    list(by_id(found.pending)),
                    found.listener is not None,
                )
                for found in hub
            ],
            "idle": [(found.handle, found.idle_since) for found in hub if found.listener is None],
            "ready": [found.handle for found in hub.ready],
            "wheels": [
                Counter(item.due for items in wheel._slots.values() for item in items if item.due)
                for wheel in (house.deadlines, house.idle)
            ],
            "followed": set(house.broker.followed),
            "connections": house.site.connections,
            "timers": sorted(call.getTime() for call in house.clock.getDelayedCalls()),
            "counters": house.counters.snapshot(),
            "posts": len(house.store.posts),
        }

    def end(self) -> dict[str, object]:
        """All connections and subscriptions end; returns what is kept of them."""
        for browser in self.browsers:
            browser.lose()
        self.house.flush()
        self.house.hub.expire(self.house.clock.seconds() + LINGER_SECONDS, LINGER_SECONDS)
        self.house.clock.advance(0)
        return self.state()
