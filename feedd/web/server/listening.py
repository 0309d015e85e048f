"""
Where a site listens.

This module knows endpoint strings. It does not know what is served there.
"""

import socket
from collections.abc import Iterator
from typing import Any

from twisted.application.service import Service
from twisted.application.strports import service
from twisted.internet.tcp import makeBinding

from feedd.feed.settings import HTTP, BadConfig

BACKLOG = 8192


def listening(settings: HTTP, site: Any, reactor: Any) -> Iterator[Service]:
    """
    A service for each endpoint of ``http.listen``.

    :raises BadConfig: when the system has no SO_REUSEPORT and ``http.reuse_port`` asks for it.
    """
    ports: Any = SharedPorts(reactor) if settings.reuse_port else reactor
    for endpoint in settings.listen:
        yield service(with_backlog(endpoint), site, reactor=ports)


class SharedPorts:
    """
    A reactor, as far as a TCP endpoint needs one, whose ports other processes of the same user may
    listen on as well.

    An endpoint string cannot say SO_REUSEPORT; what Twisted takes in place of a port number can.
    """

    def __init__(self, reactor: Any) -> None:
        """:raises BadConfig: when the system has no SO_REUSEPORT."""
        if not hasattr(socket, "SO_REUSEPORT"):
            raise BadConfig(["http.reuse_port: this system has no SO_REUSEPORT"])
        self._reactor = reactor

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        """Listen; the kernel gives each new connection to one of those who do."""
        binding: Any = makeBinding(interface, port, reuseAddress=True, reusePort=True)
        return self._reactor.listenTCP(binding, factory, backlog, interface)


def with_backlog(endpoint: str) -> str:
    """
    The endpoint with room for all the browsers that come back at once after a restart.

    Twisted's own backlog of 50 makes the rest wait for a second SYN, and a third: seconds.
    """
    if endpoint.startswith(("tcp:", "tcp6:", "ssl:")) and ":backlog=" not in endpoint:
        return f"{endpoint}:backlog={BACKLOG}"
    return endpoint
