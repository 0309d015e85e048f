"""
The broker's URL: the hosts, the account and the options that it names.

``amqp://user:password@host:port,host2:port2/vhost?heartbeat=10`` as in RabbitMQ's URI
specification, with several hosts besides. User, password and vhost are URL-decoded. Of the query,
``heartbeat`` (seconds) and ``cacertfile`` (a PEM file to trust instead of the system's authorities)
are understood, anything else is ignored.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS

from feedd.amqp.protocol.login import Login
from feedd.feed.settings import BadConfig
from feedd.reactor.link import Host

DEFAULT_PORTS = {"amqp": 5672, "amqps": 5671}


class Address(NamedTuple):
    """
    The content of a URL.

    :ivar hosts: name and port of each.
    :ivar heartbeat_seconds: None when the URL does not say.
    :ivar cacertfile: "" when the URL does not say.
    """

    tls: bool
    hosts: tuple[tuple[str, int], ...]
    login: Login
    heartbeat_seconds: int | None
    cacertfile: str


def parse_address(url: str, password: str = "") -> Address:
    """
    The address that `url` spells; `password`, when there is one, counts instead of that in the URL.

    Without user it is guest:guest, without path the vhost ``/``, as RabbitMQ's own clients have it.

    :raises BadConfig: when it cannot be used. The text never repeats the URL, which may hold a
        password.
    """
    scheme, _, rest = url.partition("://")
    if scheme not in DEFAULT_PORTS or not rest:
        raise BadConfig(["broker.url is not of the form amqp://user@host:port/vhost"])
    address, _, query = rest.partition("?")
    authority, _, path = address.partition("/")
    credentials, at, hosts = authority.rpartition("@")
    user, _, secret = credentials.partition(":") if at else ("guest", "", "guest")
    arguments = parse_qs(query)
    return Address(
        scheme == "amqps",
        tuple(_parse_host(host, DEFAULT_PORTS[scheme]) for host in hosts.split(",")),
        Login(unquote(user), password or unquote(secret), unquote(path) or "/"),
        _parse_heartbeat(arguments.get("heartbeat", [""])[-1]),
        arguments.get("cacertfile", [""])[-1],
    )


def make_hosts(reactor: object, address: Address, timeout_seconds: float) -> Sequence[Host]:
    """
    An endpoint for each host, in the URL's order; with TLS, the host's certificate is verified
    against its name.
    """
    return [
        Host(f"{host}:{port}", _make_endpoint(reactor, address, host, port, timeout_seconds))
        for host, port in address.hosts
    ]


def _make_endpoint(
    reactor: object, address: Address, host: str, port: int, timeout_seconds: float
) -> Any:
    endpoint: Any = HostnameEndpoint(reactor, host, port, timeout=timeout_seconds)
    if not address.tls:
        return endpoint
    # Only here, so that a site without TLS needs no pyOpenSSL.
    from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates

    trust = None
    if address.cacertfile:
        trust = trustRootFromCertificates([Certificate.loadPEM(_read(address.cacertfile))])
    return wrapClientTLS(optionsForClientTLS(host, trustRoot=trust), endpoint)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise BadConfig([f"cacertfile in broker.url cannot be read: {error.strerror}"]) from None


def _parse_host(text: str, default_port: int) -> tuple[str, int]:
    name, colon, port = text.strip().rpartition(":")
    if not colon or text.strip().endswith("]"):
        name, port = text.strip(), str(default_port)
    if not name or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise BadConfig(["broker.url names a host or port that is none"])
    return name.removeprefix("[").removesuffix("]"), int(port)


def _parse_heartbeat(text: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise BadConfig(["heartbeat in broker.url is not a number of seconds"])
    return int(text)
