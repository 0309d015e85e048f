"""
Connections whose next read is a poll, as a rule: all that are ready are read in one loop.

Twisted's reactor calls five functions for each read, each with care for every kind of descriptor.
Here is only one kind, so `Watch` keeps an epoll of its own (epoll(7) allows one inside another)
that stands in the reactor as a single descriptor. What is not a poll, and what is not a plain read,
is given back to the reactor. This module knows sockets. It does not know what is read from them.
"""

from collections.abc import Callable
from select import EPOLLIN
from typing import Any, Protocol

from twisted.logger import Logger
from twisted.python.failure import Failure

READ_BYTES = 16_384

_log = Logger()


class Watched(Protocol):
    """A connection, as far as it is watched: a protocol of Twisted on a socket."""

    transport: Any

    def dataReceived(self, data: bytes) -> None:
        """Take what was read."""

    def unwatch(self) -> None:
        """
        Call `Watch.remove`, and know it: there is nothing to read but an end or an error, which the
        reactor is to find.
        """


class Watch:
    """
    Reads from those who are watched, in the place of the reactor, for which this is one
    `IReadDescriptor`.

    :param epoll: a ``select.epoll``, or the part of it that is used here.
    :ivar most: how many may be read from now; asked before each round.
    """

    def __init__(self, reactor: Any, epoll: Any, most: Callable[[], int]) -> None:
        self._reactor = reactor
        self._epoll = epoll
        self.most = most
        self._watched: dict[int, Watched] = {}

    def __len__(self) -> int:
        return len(self._watched)

    def add(self, connection: Watched) -> int:
        """
        Read from `connection` from now on; returns what `remove` and `forget` know it by.

        :raises OSError: when the kernel watches no more; then the reactor still reads.
        """
        transport = connection.transport
        descriptor: int = transport.fileno()
        self._epoll.register(descriptor, EPOLLIN)
        transport.stopReading()
        if not self._watched:
            self._reactor.addReader(self)
        self._watched[descriptor] = connection
        return descriptor

    def remove(self, descriptor: int) -> None:
        """Give the connection back to the reactor."""
        transport = self._watched[descriptor].transport
        self._epoll.unregister(descriptor)
        self.forget(descriptor)
        transport.startReading()

    def forget(self, descriptor: int) -> None:
        """The connection is closed, and so is no more in the epoll."""
        del self._watched[descriptor]
        if not self._watched:
            self._reactor.removeReader(self)

    def doRead(self) -> None:
        """
        Read once from each connection that is ready, then let each take what it got.

        In two loops, because a system call drives what Python is doing out of the processor's
        caches.
        """
        watched = self._watched
        read: list[tuple[Watched, bytes]] = []
        for descriptor, _ in self._epoll.poll(0, self.most()):
            connection = watched[descriptor]
            try:
                data = connection.transport.socket.recv(READ_BYTES)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if data:
                read.append((connection, data))
            else:  # its end, or an error: the reactor will find out which
                connection.unwatch()
        for connection, data in read:
            try:
                if connection.transport.connected:  # one before it may have closed it
                    connection.dataReceived(data)
            except Exception:
                _log.failure("a connection failed")
                self._end(connection, Failure())

    def fileno(self) -> int:
        """Of the epoll, which is ready when any of the watched is."""
        descriptor: int = self._epoll.fileno()
        return descriptor

    def logPrefix(self) -> str:
        """For Twisted's log."""
        return "feedd.reactor.batch_reader"

    def connectionLost(self, reason: Failure) -> None:
        """The reactor ends, and all connections with it."""
        for connection in tuple(self._watched.values()):
            self._end(connection, reason)

    def _end(self, connection: Watched, reason: Failure) -> None:
        """
        Close, as the reactor does; what has been read from the others would be lost with an
        exception.
        """
        try:
            connection.transport.connectionLost(reason)
        except Exception:
            _log.failure("a connection failed at its end")
