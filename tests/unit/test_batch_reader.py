"""Connections that are read together, and how they come back to the reactor."""

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from feedd.reactor.batch_reader import BatchReader
from tests.sockets import Kernel, Selected, Socket


class Connection(Protocol):
    """
    Keeps what it gets.

    :ivar then: is called with it first.
    :ivar ends: why it was closed.
    """

    transport: Any

    def __init__(self, reader: BatchReader, socket: "ClosingSocket") -> None:
        self.got: list[bytes] = []
        self.then: Any = lambda data: None
        self.transport = socket
        self.number = reader.add(self)
        self._reader = reader

    @property
    def ends(self) -> list[Failure]:
        """Why the socket was closed."""
        ends: list[Failure] = self.transport.ends
        return ends

    def dataReceived(self, data: bytes) -> None:
        self.then(data)
        self.got.append(data)

    def ended(self) -> None:
        self._reader.remove(self.number)
        self.transport.startReading()


class ClosingSocket(Socket):
    """
    A socket that takes note of why it is closed.

    :ivar fails: closing it raises.
    """

    fails = False

    def __init__(self, kernel: Kernel) -> None:
        super().__init__(kernel=kernel)
        self.ends: list[Failure] = []

    def connectionLost(self, reason: Failure) -> None:
        """Close it."""
        self.ends.append(reason)
        if self.fails:
            raise ZeroDivisionError


class ReadTests(SynchronousTestCase):
    """Three connections at most in a round."""

    def setUp(self) -> None:
        self.kernel, self.reactor = Kernel(), Selected()
        self.most = 3
        self.reader = BatchReader(self.reactor, self.kernel, lambda: self.most)

    def connect(self, *inbox: bytes) -> Connection:
        """A connection that is read from, and for which this has come."""
        connection = Connection(self.reader, ClosingSocket(self.kernel))
        connection.transport.inbox.extend(inbox)
        return connection

    def test_read(self) -> None:
        """Each that is ready is read from once a round; the others are not."""
        first, second, idle = self.connect(b"a", b"b"), self.connect(b"c"), self.connect()
        self.reader.doRead()
        self.assertEqual([first.got, second.got, idle.got], [[b"a"], [b"c"], []])
        self.reader.doRead()
        self.assertEqual([first.got, second.got], [[b"a", b"b"], [b"c"]])

    def test_most(self) -> None:
        """So many are read from in a round as may be then."""
        connections = [self.connect(b"a") for _ in range(5)]
        self.reader.doRead()
        self.most = 1
        self.assertEqual(sum(len(connection.got) for connection in connections), 3)
        self.reader.doRead()
        self.assertEqual(sum(len(connection.got) for connection in connections), 4)

    def test_one_reader(self) -> None:
        """
        The reactor does not read from those that are read here, and has the reader while there are
        any; from one that is removed nobody reads.
        """
        first, second = self.connect(), self.connect()
        self.assertEqual((self.reactor.readers, len(self.reader)), ({self.reader}, 2))
        self.assertFalse(first.transport in first.transport.reactor.readers)
        self.reader.remove(first.number)
        self.assertFalse(first.transport.reads)
        self.assertEqual(self.reactor.readers, {self.reader})
        self.kernel.close(second.transport)
        self.reader.forget(second.number)
        self.assertEqual((self.reactor.readers, len(self.reader)), (set(), 0))

    def test_full(self) -> None:
        """When the kernel has no room for another, the reactor still reads from it."""
        self.connect()
        self.kernel.most = 1
        socket = ClosingSocket(self.kernel)
        with self.assertRaises(OSError):
            Connection(self.reader, socket)
        self.assertTrue(socket.reads)
        self.assertEqual((socket.is_batched, len(self.reader)), (False, 1))

    def test_end(self) -> None:
        """The end of a connection, and an error, are left to the reactor to find out."""
        ended, lost, other = self.connect(b""), self.connect(), self.connect(b"a")
        lost.transport.lost = True
        self.reader.doRead()
        for connection in (ended, lost):
            self.assertIn(connection.transport, connection.transport.reactor.readers)
            self.assertEqual((connection.got, connection.transport.is_batched), ([], False))
        self.assertEqual((other.got, len(self.reader)), ([b"a"], 1))

    def test_nothing_after_all(self) -> None:
        """A connection that has nothing to read though the epoll says so stays as it is."""
        connection = self.connect()
        connection.transport.is_rumoured = True
        self.reader.doRead()
        self.assertEqual((connection.got, len(self.reader)), ([], 1))

    def test_failure(self) -> None:
        """
        One that fails is closed with what it raised, as the reactor would; the others have theirs.
        """
        failing, other = self.connect(b"a"), self.connect(b"b")
        failing.then = lambda data: 1 / 0
        self.reader.doRead()
        (end,) = failing.ends
        self.assertIs(end.type, ZeroDivisionError)
        self.assertEqual((other.got, other.ends), ([b"b"], []))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_failure_at_the_end(self) -> None:
        """
        One that fails once more when it is closed does not keep the others from theirs, nor from
        being closed.
        """
        failing, other = self.connect(b"a"), self.connect(b"b")
        failing.then = lambda data: 1 / 0
        failing.transport.fails = True
        self.reader.doRead()
        self.assertEqual(other.got, [b"b"])
        self.reader.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(len(other.ends), 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 3)

    def test_one_ends_another(self) -> None:
        """
        One that gives another back in the same round: what was read by then still arrives, unless
        it has been closed.
        """
        for connected in (1, 0):
            first, second = self.connect(b"a"), self.connect(b"b")
            second.transport.connected = connected

            def give_back(data: bytes, number: int = second.number) -> None:
                self.reader.remove(number)

            first.then = give_back
            self.reader.doRead()
            self.assertEqual((first.got, second.got), ([b"a"], [b"b"] * connected))

    def test_shutdown(self) -> None:
        """
        The reactor, which knows nothing of the connections that are read here, ends them by way of
        the reader.
        """
        connections = [self.connect(), self.connect()]
        reason = Failure(ConnectionDone())
        self.reader.connectionLost(reason)
        self.assertEqual([connection.ends for connection in connections], [[reason], [reason]])

    def test_descriptor(self) -> None:
        """To the reactor it is the epoll's descriptor, with a name in the log."""
        self.assertEqual(
            (self.reader.fileno(), self.reader.logPrefix()),
            (self.kernel.fileno(), "feedd.reactor.batch_reader"),
        )
