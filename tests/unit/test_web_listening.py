"""Where a site listens, and ports that other processes may listen on as well."""

import os
import stat
from pathlib import Path

from twisted.application.strports import service as listening_service
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.protocol import Factory
from twisted.internet.tcp import makeBinding
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from feedd.feed.settings import HTTP, BadConfig
from feedd.web.server.listening import FreedPaths, SharedPorts, address_of, listening


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

    def complain(self, counter: str, why: str, amount: int = 1) -> None:
        """Nothing is complained of here."""
        self.fail(why)

    def test_announced(self) -> None:
        """Each endpoint is announced when it listens, and not before."""
        announced: list[str] = []
        http = HTTP(listen=("tcp:80", "unix:/run/feedd.sock"))
        reactor = MemoryReactorClock()
        for service in listening(http, Factory(), reactor, announced.append, self.complain):
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


class FreedPathsTests(SynchronousTestCase):
    """`FreedPaths`."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = str(self.folder / "socket")
        self.lock = self.path + ".lock"

    def left(self, is_answered: bool, address: str = "") -> list[str]:
        """The files that are left when an endpoint begins to listen."""
        reactor = MemoryReactorClock()
        ports = FreedPaths(reactor, lambda path: is_answered)
        endpoint = f"unix:{address or self.path}:mode=660"
        listening_service(endpoint, Factory(), reactor=ports).startService()
        ((path, _, _, mode, wants_lock),) = reactor.unixServers
        self.assertEqual((path, mode, wants_lock), (address or self.path, 0o660, True))
        return sorted(path.name for path in self.folder.iterdir())

    def test_left(self) -> None:
        """The files of a killed process are removed, also when its id is another's by now."""
        os.mknod(self.path, stat.S_IFSOCK | 0o600)
        os.symlink(str(os.getpid()), self.lock)
        self.assertEqual(self.left(False), [])

    def test_left_alone(self) -> None:
        """Also only the socket, or only the lock."""
        os.mknod(self.path, stat.S_IFSOCK | 0o600)
        self.assertEqual(self.left(False), [])
        os.symlink("1", self.lock)
        self.assertEqual(self.left(False), [])

    def test_answered(self) -> None:
        """Where somebody listens nothing is removed."""
        os.mknod(self.path, stat.S_IFSOCK | 0o600)
        os.symlink(str(os.getpid()), self.lock)
        self.assertEqual(self.left(True), ["socket", "socket.lock"])

    def test_no_socket(self) -> None:
        """No other file is removed, whatever its name."""
        for path in (self.path, self.lock):
            Path(path).write_text("precious")
        self.assertEqual(self.left(False), ["socket", "socket.lock"])

    def test_name(self) -> None:
        """A name without a file has nothing to remove."""
        self.assertEqual(self.left(False, "\0feedd"), [])
