"""Where a site listens: ports that other processes may listen on as well."""

import socket

from twisted.application.strports import service as listening_service
from twisted.internet.protocol import Factory
from twisted.internet.tcp import makeBinding
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from feedd.feed.settings import BadConfig
from feedd.web.server.listening import SharedPorts


class SharedPortsTests(SynchronousTestCase):
    """`SharedPorts`."""

    def test_tcp(self) -> None:
        """An endpoint string listens with SO_REUSEPORT, all else as it says."""
        reactor, factory = MemoryReactorClock(), Factory()
        service = listening_service(
            "tcp:80:interface=127.0.0.1:backlog=9", factory, reactor=SharedPorts(reactor)
        )
        service.startService()
        binding = makeBinding("127.0.0.1", 80, reuseAddress=True, reusePort=True)
        self.assertEqual(reactor.tcpServers, [(binding, factory, 9, "127.0.0.1")])

    def test_unsupported(self) -> None:
        """A system without it is a mistake of the configuration."""
        self.patch(socket, "SO_REUSEPORT", None)
        del socket.SO_REUSEPORT
        self.assertRaises(BadConfig, SharedPorts, MemoryReactorClock())
