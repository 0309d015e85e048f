"""The broker's URL, and the endpoints it leads to."""

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from feedd.amqp.hosts import make_hosts, parse_address
from feedd.amqp.protocol.login import Login
from feedd.feed.settings import BadConfig


class ParseTests(SynchronousTestCase):
    """`parse_address`."""

    def test_whole(self) -> None:
        """Every part, URL-decoded."""
        address = parse_address(
            "amqps://us%40er:p%2Fw%3A@one:1,two,[::1]:3,[::2]/v%2Fh?heartbeat=7&x=y&cacertfile=/ca.pem"
        )
        self.assertEqual(address.hosts, (("one", 1), ("two", 5671), ("::1", 3), ("::2", 5671)))
        self.assertEqual(tuple(address.login), ("us@er", "p/w:", "v/h"))
        self.assertEqual(
            (address.tls, address.heartbeat_seconds, address.cacertfile), (True, 7, "/ca.pem")
        )

    def test_short(self) -> None:
        """What is left out is as RabbitMQ's clients have it."""
        for url in ("amqp://h", "amqp://h/", "amqp://h/%2F"):
            address = parse_address(url)
            self.assertEqual(address.hosts, (("h", 5672),))
            self.assertEqual(tuple(address.login), ("guest", "guest", "/"))
            self.assertEqual((address.tls, address.heartbeat_seconds), (False, None))

    def test_password_beside_the_url(self) -> None:
        """Counts instead of that in the URL."""
        self.assertEqual(parse_address("amqp://u:old@h", "n@w").login.password, "n@w")
        self.assertEqual(parse_address("amqp://u@h", "new").login, Login("u", "new", "/"))

    def test_at_sign_in_the_password(self) -> None:
        """A password that somebody forgot to encode."""
        self.assertEqual(parse_address("amqp://u:p@ss@h").login.password, "p@ss")

    def test_plain(self) -> None:
        """The PLAIN response in UTF-8."""
        self.assertEqual(Login("ü", "p", "/").plain_response(), b"\0\xc3\xbc\0p")

    def test_nonsense(self) -> None:
        """Is refused, without repeating what may be a password."""
        for url in (
            "http://u:secret@h",
            "amqp:u:secret@h",
            "amqp://",
            "amqp://u:secret@",
            "amqp://u:secret@h:x",
            "amqp://u:secret@h:0",
            "amqp://u:secret@h:65536",
            "amqp://u:secret@h:²",
            "amqp://u:secret@a,,b",
            "amqp://u:sec/ret@h",
            "amqp://u:secret@h?heartbeat=x",
            "amqp://u:secret@h?heartbeat=99999",
        ):
            with self.assertRaises(BadConfig) as caught:
                parse_address(url)
            self.assertNotIn("secret", str(caught.exception).replace("sec/ret", "secret"))


class HostTests(SynchronousTestCase):
    """`make_hosts`."""

    def test_a_door_for_each_host(self) -> None:
        """In order, named for people, without a password."""
        hosts = make_hosts(_Reactor(), parse_address("amqp://u:secret@a:1,b"), 3)
        self.assertEqual([host.name for host in hosts], ["a:1", "b:5672"])

    def test_tls(self) -> None:
        """With TLS the endpoint is wrapped."""
        plain, wrapped = (
            make_hosts(_Reactor(), parse_address(f"{scheme}://h"), 3)[0].endpoint
            for scheme in ("amqp", "amqps")
        )
        self.assertNotEqual(type(plain), type(wrapped))

    def test_no_authority(self) -> None:
        """A CA file that is not there is a mistake of the configuration."""
        with self.assertRaises(BadConfig) as caught:
            make_hosts(_Reactor(), parse_address("amqps://u:secret@h?cacertfile=/no/such/file"), 3)
        self.assertIn("cacertfile", str(caught.exception))


class _Reactor(MemoryReactorClock):
    """A reactor that could look up names, if it were asked."""

    def __init__(self) -> None:
        super().__init__()
        self.nameResolver = None
