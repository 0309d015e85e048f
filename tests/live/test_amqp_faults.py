"""RabbitMQ comes late, goes, hangs, runs out of memory, or is behind TLS."""

import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet import reactor
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.threads import deferToThread
from twisted.protocols.portforward import ProxyFactory
from twisted.protocols.tls import TLSMemoryBIOFactory

from tests.contracts.broker import posts, someone
from tests.live import servers
from tests.live.amqp import BrokerTestCase, Stranger
from tests.live.proxy import Proxy
from tests.sealed import sealed


class ComesAndGoesTests(BrokerTestCase):
    """A RabbitMQ of our own, so that we may harm it."""

    timeout = 120

    def setUp(self) -> None:
        super().setUp()
        self.own = servers.RabbitMQ()
        self.addCleanup(self.own.kill)

    async def run_server(self, *commands: Any) -> None:
        """Do these blocking things while the reactor runs."""
        for command in commands:
            await deferToThread(command)

    async def test_late_killed_and_full(self) -> None:
        """
        Absent at the start, it is found when it comes; killed and started, everything is bound
        again; while it has no memory left it is down, for nobody is rung.
        """
        author, flips = someone(), list[bool]()
        broker = self.make(self.own.url, changed=lambda: flips.append(broker.up))
        broker.follow(author)
        await self.until(lambda: "refused" in broker.trouble)
        broker.publish(posts(author))
        await self.run_server(self.own.start)
        await self.until(lambda: broker.up)
        broker.publish(posts(author, first=2))
        await self.wait_for(1)

        await self.run_server(self.own.kill)
        await self.until(lambda: not broker.up)
        await self.run_server(self.own.start)
        await self.until(lambda: broker.up)
        stranger = Stranger(self.own)
        (post,) = posts(author, first=3)
        stranger.publish(author, post.json, sealed(post))
        stranger.close()
        await self.wait_for(2)
        self.assertEqual(flips, [True, False, True])

        await deferToThread(self.own.ctl, "set_vm_memory_high_watermark", "absolute", "1MB")
        await self.until(lambda: "takes no messages" in broker.trouble)
        dropped = self.counters["amqp_publish_dropped"]
        broker.publish(posts(author, first=4))
        self.assertEqual((broker.up, self.counters["amqp_publish_dropped"]), (False, dropped + 1))
        await deferToThread(self.own.ctl, "set_vm_memory_high_watermark", "absolute", "2GB")
        await self.until(lambda: broker.trouble == "")
        broker.publish(posts(author, first=5))
        await self.wait_for(3)
        self.assertEqual([event.id for event in self.heard], [2, 3, 5])


class NetworkTests(BrokerTestCase):
    """A network that is in the way."""

    async def through_proxy(self) -> Proxy:
        proxy = Proxy(reactor, self.rabbit.port).start()
        self.addCleanup(proxy.stop)
        return proxy

    async def test_frozen(self) -> None:
        """A connection that stands still is noticed by its heartbeat and made anew."""
        proxy, author = await self.through_proxy(), someone()
        url = f"amqp://guest:guest@127.0.0.1:{proxy.port}/%2F"
        broker = await self.up(author, url=url, heartbeat_seconds=1, timeout_seconds=1)
        proxy.freeze()
        await self.until(lambda: not broker.up)
        self.assertIn("no heartbeat", broker.trouble)
        proxy.heal()
        await self.until(lambda: broker.up)
        broker.publish(posts(author))
        await self.wait_for(1)

    async def test_cut(self) -> None:
        """A connection that is reset is made anew, and everybody is heard again."""
        proxy, authors = await self.through_proxy(), [someone() for _ in range(50)]
        broker = await self.up(*authors, url=f"amqp://guest:guest@127.0.0.1:{proxy.port}/%2F")
        await proxy.cut()
        await self.until(lambda: not broker.up)
        proxy.heal()
        await self.until(lambda: broker.up)
        broker.publish([event for author in authors for event in posts(author)])
        await self.wait_for(50)


class TLSTests(BrokerTestCase):
    """amqps://, to a proxy that speaks TLS for RabbitMQ."""

    def setUp(self) -> None:
        super().setUp()
        pem = make_certificate("localhost")
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        (self.folder / "ca.pem").write_bytes(pem)
        context = PrivateCertificate.loadPEM(pem).options()
        front = TLSMemoryBIOFactory(context, False, ProxyFactory("127.0.0.1", self.rabbit.port))
        self.listening = reactor.listenTCP(0, front, interface="127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(self.listening.stopListening)

    def url(self, host: str, query: str) -> str:
        return f"amqps://guest:guest@{host}:{self.listening.getHost().port}/%2F{query}"

    async def test_trusted(self) -> None:
        """With the authority's file the connection is made."""
        author = someone()
        broker = await self.up(
            author, url=self.url("localhost", f"?cacertfile={self.folder / 'ca.pem'}")
        )
        broker.publish(posts(author))
        await self.wait_for(1)

    async def test_not_trusted(self) -> None:
        """Without it, or under another name, it is not."""
        for url, why in (
            (self.url("localhost", ""), "certificate verify failed"),
            (self.url("127.0.0.1", f"?cacertfile={self.folder / 'ca.pem'}"), "VerificationError"),
        ):
            broker = self.make(url)
            await self.until(lambda broker=broker: broker.trouble != "connecting")  # type: ignore[misc]
            self.assertFalse(broker.up)
            self.assertIn(why, broker.trouble)


def make_certificate(host: str) -> bytes:
    """A key and a certificate for `host` that vouches for itself, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + private
