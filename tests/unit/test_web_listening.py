"""Where a site listens, and ports that other processes may listen on as well."""

from twisted.application.strports import service as listening_service
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.protocol import Factory
from twisted.internet.tcp import makeBinding
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from feedd.feed.settings import HTTP, BadConfig
from feedd.web.server.listening import SharedPorts, address_of, listening


class AddressTests(SynchronousTestCase):
    """What is said once a site listens."""

    def test_addresses(self) -> None:
        """An administrator can open or connect to what is said."""
        for address, text in (
            (IPv4Address("TCP", "127.0.0.1", 8080), "http://127.0.0.1:8080/"),
            (IPv6Address("TCP", "::1", 8080), "http://[::1]:8080/"),
            (UNIXAddress(b"/run/feedd.sock"), "unix:/run/feedd.sock"),
        ):
            self.assertEqual(address_of("http", address), text)

    def test_announced(self) -> None:
        """Each endpoint is announced when it listens, and not before."""
        announced: list[str] = []
        http = HTTP(listen=("tcp:80", "unix:/run/feedd.sock"))
        reactor = MemoryReactorClock()
        for service in listening(http, Factory(), reactor, announced.append):
            self.assertEqual(announced, [])
            service.startService()
            self.assertEqual(len(announced), 1)
            announced.clear()


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
        self.assertRaises(BadConfig, SharedPorts, MemoryReactorClock(), is_supported=False)
