"""
Sockets in memory, and the kernel that they are of: what a peer takes and sends is what the test
says.
"""

import errno
from select import EPOLLIN
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import IPv4Address
from twisted.internet.main import CONNECTION_LOST


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
    :ivar is_rumoured: an epoll says that there is something to read, whether there is or not.
    """

    def __init__(self, room: int = 10**9, kernel: "Kernel | None" = None) -> None:
        super().__init__(Selected())  # type: ignore[arg-type]
        self.connected = 1
        self.room = room
        self.lost = False
        self.tries = 0
        self.inbox: list[bytes] = []
        self.is_rumoured = False
        self.startReading()
        self._kernel = kernel or Kernel()
        self._number = self._kernel.number(self)
        self._sent = b""

    def fileno(self) -> int:
        return self._number

    @property
    def reads(self) -> bool:
        """Whether somebody reads, the reactor or a `BatchReader`, never both."""
        assert not (self.is_batched and self in self.reactor.readers)
        return self.is_batched or self in self.reactor.readers

    @property
    def is_batched(self) -> bool:
        """Whether a `BatchReader` reads."""
        return self._number in self._kernel.registered

    @property
    def is_ready(self) -> bool:
        """Whether a read would bring something, an error or the end, as far as the kernel says."""
        return bool(self.inbox) or self.lost or self.is_rumoured

    def recv(self, most: int) -> bytes:
        """A piece of what has come, as from a socket that does not block."""
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
    def unsent(self) -> int:
        """How many bytes the site has to send."""
        return len(self.dataBuffer) - self.offset + self._tempDataLen

    @property
    def socket(self) -> "Socket":
        """The socket itself."""
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
        """The bytes that were sent."""
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
    Numbers sockets, and is an epoll in which some of them are registered.

    :ivar registered: their numbers.
    :ivar most: how many there may be.
    """

    def __init__(self) -> None:
        self.registered: set[int] = set()
        self.most = 10**9
        self._sockets: list[Socket] = []

    def number(self, socket: Socket) -> int:
        """The descriptor of a new socket."""
        self._sockets.append(socket)
        return len(self._sockets) - 1

    def register(self, descriptor: int, events: int) -> None:
        """Look at a socket; twice is an error."""
        assert descriptor not in self.registered
        if len(self.registered) >= self.most:
            raise OSError(errno.ENOSPC, "no more watches")
        self.registered.add(descriptor)

    def unregister(self, descriptor: int) -> None:
        """Look no more."""
        self.registered.remove(descriptor)

    def close(self, socket: Socket) -> None:
        """A socket that is closed is taken out."""
        self.registered.discard(socket.fileno())

    def poll(self, timeout: float, most: int) -> list[tuple[int, int]]:
        """Those that have something, `most` of them at most."""
        return [
            (number, EPOLLIN)
            for number in sorted(self.registered)
            if self._sockets[number].is_ready
        ][:most]

    def fileno(self) -> int:
        """Its own descriptor."""
        return -1
