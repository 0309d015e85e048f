"""The insides of Twisted's ports and HTTP client that are used, on Twisted's own classes."""

import errno
import os
from typing import Any

from twisted.internet import tcp
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import Agent

from feedd.reactor import insides


class QuietPoolTests(SynchronousTestCase):
    """`make_quiet_pool`."""

    def test_quiet(self) -> None:
        """A request over the pool writes no line, when its connection begins and when it ends."""
        reactor = MemoryReactorClock()
        agent = Agent(reactor, pool=insides.make_quiet_pool(reactor))
        with capturedLogs() as events:
            asked = agent.request(b"GET", b"http://127.0.0.1/whoami")
            ((_, _, factory, _, _),) = reactor.tcpClients
            factory.doStart()
            channel = factory.buildProtocol(None)
            wire = StringTransport()
            channel.makeConnection(wire)
            self.assertTrue(wire.value().startswith(b"GET /whoami HTTP/1.1"))
            channel.connectionLost(Failure(ConnectionDone()))
            factory.doStop()
        self.failureResultOf(asked)
        self.assertEqual(list(events), [])


class Listener:
    """
    A socket that listens, whose `accept` has these outcomes and then nobody.

    :ivar closed: the number of connections that were accepted and closed.
    """

    def __init__(self, *outcomes: int | None) -> None:
        """:param outcomes: each an error's number, or None for a connection."""
        self.closed = 0
        self._outcomes = list(outcomes)

    def accept(self) -> tuple[Any, Any]:
        """The next outcome."""
        outcome = self._outcomes.pop(0) if self._outcomes else errno.EAGAIN
        if outcome is not None:
            raise OSError(outcome, os.strerror(outcome))
        return self, ("127.0.0.1", 4242)

    def close(self) -> None:
        """A connection is closed."""
        self.closed += 1


class AcceptTests(SynchronousTestCase):
    """`watch_accepts`."""

    def setUp(self) -> None:
        self.port: Any = tcp.Port(0, Factory())
        self.told: list[str] = []

    def told_of(self, *outcomes: int | None) -> tuple[list[str], int]:
        """The words that are told, and the connections closed, when accepts end so."""
        self.port.socket = listener = Listener(*outcomes)
        self.port.numberAccepts = 10
        with capturedLogs() as events:
            self.port.doRead()
        self.assertEqual(list(events), [])
        told, self.told = self.told, []
        return told, listener.closed

    def test_told(self) -> None:
        """Each connection that is lost is told, and no line is logged."""
        insides.watch_accepts(self.port, lambda error: self.told.append(error))
        self.assertEqual(self.told_of(), ([], 0))
        self.assertEqual(self.told_of(errno.ENFILE), (["ENFILE"], 0))
        tcp._reservedFD.reserve()
        self.assertEqual(self.told_of(errno.EMFILE, None, None), (["EMFILE"] * 2, 2))

    def test_another_port(self) -> None:
        """A port that accepts in another way is left as it is."""
        insides.watch_accepts(object(), self.told.append)
