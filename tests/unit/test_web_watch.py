"""Connections that are read together, and how they come back to the reactor."""

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from feedd.reactor.batch_reader import Watch
from tests.lanes import Kernel, Selected, Socket


class Connection(Protocol):
    """Keeps what it gets; `then` is called with it first."""

    def __init__(self, socket: Socket) -> None:
        self.got: list[bytes] = []
        self.then: Any = lambda data: None
        self.ends: list[Failure] = []
        self.transport: Any = socket
        self.unwatch: Any = None
        socket.connectionLost = self.ends.append  # type: ignore[method-assign,assignment]

    def dataReceived(self, data: bytes) -> None:
        self.then(data)
        self.got.append(data)


class WatchTests(SynchronousTestCase):
    """Three connections at most in a round."""

    def setUp(self) -> None:
        self.kernel, self.reactor = Kernel(), Selected()
        self.most = 3
        self.watch = Watch(self.reactor, self.kernel, lambda: self.most)

    def connect(self, *inbox: bytes) -> Connection:
        """A connection that is watched, and for which this has come."""
        connection = Connection(Socket(kernel=self.kernel))
        connection.transport.inbox.extend(inbox)
        connection.number = number = self.watch.add(connection)  # type: ignore[attr-defined]
        connection.unwatch = lambda: self.watch.remove(number)
        return connection

    def test_read(self) -> None:
        """Each that is ready is read from once a round; the others are not."""
        first, second, idle = self.connect(b"a", b"b"), self.connect(b"c"), self.connect()
        self.watch.doRead()
        self.assertEqual([first.got, second.got, idle.got], [[b"a"], [b"c"], []])
        self.watch.doRead()
        self.assertEqual([first.got, second.got], [[b"a", b"b"], [b"c"]])

    def test_most(self) -> None:
        """So many are read from in a round as may be then."""
        connections = [self.connect(b"a") for _ in range(5)]
        self.watch.doRead()
        self.most = 1
        self.assertEqual(sum(len(connection.got) for connection in connections), 3)
        self.watch.doRead()
        self.assertEqual(sum(len(connection.got) for connection in connections), 4)

    def test_one_reader(self) -> None:
        """
        Who is watched is not read from by the reactor, and the other way round; the watch is in it
        while it has somebody.
        """
        first, second = self.connect(), self.connect()
        self.assertEqual((self.reactor.readers, len(self.watch)), ({self.watch}, 2))
        self.assertFalse(first.transport in first.transport.reactor.readers)
        self.watch.remove(first.number)  # type: ignore[attr-defined]
        self.assertIn(first.transport, first.transport.reactor.readers)
        self.assertFalse(first.transport.watched)
        self.assertEqual(self.reactor.readers, {self.watch})
        self.kernel.close(second.transport)
        self.watch.forget(second.number)  # type: ignore[attr-defined]
        self.assertEqual((self.reactor.readers, len(self.watch)), (set(), 0))

    def test_end(self) -> None:
        """The end of a connection, and an error, are left to the reactor to find out."""
        ended, lost, other = self.connect(b""), self.connect(), self.connect(b"a")
        lost.transport.lost = True
        self.watch.doRead()
        for connection in (ended, lost):
            self.assertIn(connection.transport, connection.transport.reactor.readers)
            self.assertEqual((connection.got, connection.transport.watched), ([], False))
        self.assertEqual((other.got, len(self.watch)), ([b"a"], 1))

    def test_nothing_after_all(self) -> None:
        """A connection that has nothing to read though the epoll says so stays as it is."""
        connection = self.connect()
        self.patch(Socket, "ready", True)
        self.watch.doRead()
        self.assertEqual((connection.got, len(self.watch)), ([], 1))

    def test_failure(self) -> None:
        """
        One that fails is closed with what it raised, as the reactor would; the others have theirs.
        """
        failing, other = self.connect(b"a"), self.connect(b"b")
        failing.then = lambda data: 1 / 0
        self.watch.doRead()
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
        failing.then = failing.transport.connectionLost = lambda data: 1 / 0
        self.watch.doRead()
        self.assertEqual(other.got, [b"b"])
        self.watch.connectionLost(Failure(ConnectionDone()))
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

            def give_back(data: bytes, number: int = second.number) -> None:  # type: ignore[attr-defined]
                self.watch.remove(number)

            first.then = give_back
            self.watch.doRead()
            self.assertEqual((first.got, second.got), ([b"a"], [b"b"] * connected))

    def test_shutdown(self) -> None:
        """
        The reactor, which knows nothing of those who are watched, ends them by way of the watch.
        """
        connections = [self.connect(), self.connect()]
        reason = Failure(ConnectionDone())
        self.watch.connectionLost(reason)
        self.assertEqual([connection.ends for connection in connections], [[reason], [reason]])

    def test_descriptor(self) -> None:
        """To the reactor it is the epoll's descriptor, with a name in the log."""
        self.assertEqual(
            (self.watch.fileno(), self.watch.logPrefix()),
            (self.kernel.fileno(), "feedd.reactor.batch_reader"),
        )
