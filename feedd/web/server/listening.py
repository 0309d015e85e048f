"""
Where a site listens: its endpoints, ports that several processes share, and their addresses.
"""

import os
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from twisted.application.service import Service
from twisted.application.strports import service
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.tcp import makeBinding

from feedd.feed.settings import HTTP, BadConfig
from feedd.reactor.complaints import Complain
from feedd.reactor.insides import watch_accepts

HAS_REUSE_PORT = hasattr(socket, "SO_REUSEPORT")
BACKLOG = 8192
"""How many new connections may wait to be accepted."""


def listening(
    settings: HTTP,
    site: Any,
    reactor: Any,
    announce: Callable[[str], object],
    complain: Complain,
) -> Iterator[Service]:
    """
    A service for each endpoint of ``http.listen``.

    :param announce: called with the address of each, see `address_of`, once it listens.
    :param complain: called for each connection that cannot be accepted.
    :raises BadConfig: when the system has no SO_REUSEPORT and ``http.reuse_port`` asks for it.
    """
    ports: Any = SharedPorts(reactor) if settings.reuse_port else FreedPaths(reactor)
    for endpoint in settings.listen:
        listener = service(with_backlog(endpoint), site, reactor=ports)
        scheme = "https" if endpoint.startswith("ssl:") else "http"
        listener.endpoint = Announced(listener.endpoint, scheme, announce, complain)
        yield listener


def address_of(scheme: str, address: IAddress) -> str:
    """
    What an administrator can open or connect to: ``http://127.0.0.1:8080/``, or ``unix:/path``.
    """
    match address:
        case IPv4Address():
            return f"{scheme}://{address.host}:{address.port}/"
        case IPv6Address():
            return f"{scheme}://[{address.host}]:{address.port}/"
        case UNIXAddress() if address.name:
            return f"unix:{os.fsdecode(address.name)}"
    return str(address)


class Announced:
    """
    A server endpoint, as far as a service needs one, that says where it listens, and when it can
    accept no more.
    """

    def __init__(
        self, endpoint: Any, scheme: str, announce: Callable[[str], object], complain: Complain
    ) -> None:
        self._endpoint = endpoint
        self._scheme = scheme
        self._announce = announce
        self._complain = complain

    def listen(self, protocolFactory: Any) -> Deferred[Any]:
        """Listen as the endpoint does."""
        listening: Deferred[Any] = self._endpoint.listen(protocolFactory)
        listening.addCallback(self._listens)
        return listening

    def _listens(self, port: Any) -> Any:
        self._announce(address_of(self._scheme, port.getHost()))
        watch_accepts(port, self._refused)
        return port

    def _refused(self, error: str) -> None:
        self._complain("http_accepts_failed", f"a connection could not be accepted: {error}")


class SharedPorts:
    """
    The part of a reactor that a TCP endpoint uses; other processes of the user may share its ports.

    An endpoint string cannot say SO_REUSEPORT; what Twisted takes in place of a port number can.
    """

    def __init__(self, reactor: Any, is_supported: bool = HAS_REUSE_PORT) -> None:
        """
        :param is_supported: whether the system has SO_REUSEPORT.
        :raises BadConfig: when it has not.
        """
        if not is_supported:
            raise BadConfig(["http.reuse_port: this system has no SO_REUSEPORT"])
        self._reactor = reactor

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        """Listen; the kernel gives each new connection to one of the processes that do."""
        binding: Any = makeBinding(interface, port, reuseAddress=True, reusePort=True)
        return self._reactor.listenTCP(binding, factory, backlog, interface)


def is_answered(path: str) -> bool:
    """Whether a process listens on the UNIX socket at `path`, or may."""
    with socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)
        try:
            client.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:  # it is busy, or not for us
            return True
    return True


class FreedPaths:
    """
    A reactor whose UNIX endpoints can listen where a process was killed that did.

    Twisted leaves the socket, and a lock that holds the process's id. That may be another process's
    by now, and in a container it is the same each time; so not the lock says whether the path is in
    use, but a connection.
    """

    def __init__(self, reactor: Any, is_answered: Callable[[str], bool] = is_answered) -> None:
        """:param is_answered: whether a process listens at a path."""
        self._reactor = reactor
        self._is_answered = is_answered

    def __getattr__(self, name: str) -> Any:
        """All else is the reactor's."""
        return getattr(self._reactor, name)

    def listenUNIX(self, address: str, factory: Any, *args: Any, **options: Any) -> Any:
        """Listen at a path, from which what nobody needs any more is removed."""
        is_path = not address.startswith("\0")  # else a name without a file (unix(7))
        if is_path and not self._is_answered(address):
            _remove(address, stat.S_ISSOCK)
            _remove(address + ".lock", stat.S_ISLNK)
        return self._reactor.listenUNIX(address, factory, *args, **options)


def _remove(path: str, is_ours: Callable[[int], bool]) -> None:
    """Remove the file at `path`, if there is one of the kind that is ours."""
    with suppress(FileNotFoundError):
        if is_ours(os.lstat(path).st_mode):
            os.unlink(path)


def with_backlog(endpoint: str) -> str:
    """
    The endpoint with room for all the browsers that come back at once after a restart.

    Twisted's own backlog of 50 makes the rest wait for a second SYN, and a third: seconds.
    """
    if endpoint.startswith(("tcp:", "tcp6:", "ssl:", "unix:")) and ":backlog=" not in endpoint:
        return f"{endpoint}:backlog={BACKLOG}"
    return endpoint
