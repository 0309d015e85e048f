"""
Connections whose next read is a poll, as a rule: all that are ready are read in one loop.

Twisted's reactor calls five functions for each read, each with care for every kind of descriptor.
Here is only one kind, so `BatchReader` keeps an epoll of its own (epoll(7) allows one inside
another), which stands in the reactor as a single descriptor.
"""

from collections.abc import Callable
from select import EPOLLIN
from typing import Any, Protocol

from twisted.logger import Logger
from twisted.python.failure import Failure

READ_BYTES = 16_384

_log = Logger()


class Connection(Protocol):
    """
    A connection as far as it is read here.

    :ivar transport: Twisted's, on a socket.
    """

    transport: Any

    def dataReceived(self, data: bytes) -> None:
        """Take what was read."""

    def ended(self) -> None:
        """
        Give the connection back to the reactor (`BatchReader.remove`): there is nothing to read but
        its end or an error, and the reactor is to find out which.
        """


class BatchReader:
    """
    Reads from connections in the place of the reactor, in which it is one `IReadDescriptor`.

    :param epoll: a ``select.epoll``, or the part of it that is used here.
    :ivar most: how many connections may be read from now; called before each round.
    """

    def __init__(self, reactor: Any, epoll: Any, most: Callable[[], int]) -> None:
        self._reactor = reactor
        self._epoll = epoll
        self.most = most
        self._connections: dict[int, Connection] = {}

    def __len__(self) -> int:
        return len(self._connections)

    def add(self, connection: Connection) -> int:
        """
        Read from `connection` from now on, and let the reactor read no more.

        Returns the descriptor that `remove` and `forget` take.

        :raises OSError: when the kernel has no room for it (fs.epoll.max_user_watches); nothing has
            changed then.
        """
        transport = connection.transport
        descriptor: int = transport.fileno()
        self._epoll.register(descriptor, EPOLLIN)
        transport.stopReading()
        if not self._connections:
            self._reactor.addReader(self)
        self._connections[descriptor] = connection
        return descriptor

    def remove(self, descriptor: int) -> None:
        """Read from the connection no more; nobody does until the reactor is told to."""
        self._epoll.unregister(descriptor)
        self.forget(descriptor)

    def forget(self, descriptor: int) -> None:
        """The connection is closed, and the kernel has taken it out of the epoll."""
        del self._connections[descriptor]
        if not self._connections:
            self._reactor.removeReader(self)

    def doRead(self) -> None:
        """Read once from each connection that is ready, then let each take what it got."""
        connections = self._connections
        read: list[tuple[Connection, bytes]] = []
        # Two loops: a system call drives what Python is doing out of the processor's caches, so the
        # Python of a delivery and its next poll took 12 us between two calls and takes 4 alone.
        for descriptor, _ in self._epoll.poll(0, self.most()):
            connection = connections[descriptor]
            try:
                data = connection.transport.socket.recv(READ_BYTES)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if data:
                read.append((connection, data))
            else:
                connection.ended()
        for connection, data in read:
            try:
                if connection.transport.connected:  # one before it may have closed it
                    connection.dataReceived(data)
            except Exception:
                _log.failure("a connection failed")
                self._end(connection, Failure())

    def fileno(self) -> int:
        """The epoll's descriptor, which is ready when one of the connections is."""
        descriptor: int = self._epoll.fileno()
        return descriptor

    def logPrefix(self) -> str:
        """The name in Twisted's log."""
        return "feedd.reactor.batch_reader"

    def connectionLost(self, reason: Failure) -> None:
        """The reactor ends, and all connections with it."""
        for connection in tuple(self._connections.values()):
            self._end(connection, reason)

    def _end(self, connection: Connection, reason: Failure) -> None:
        """
        Close the connection, as the reactor does when it fails.

        An exception goes no further: what has been read from the others would be lost with it.
        """
        try:
            connection.transport.connectionLost(reason)
        except Exception:
            _log.failure("a connection failed at its end")
