"""The headers that prove who asks, the key of the site's own servers, and the demo's login."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from feedd.auth.backend import BackendKey
from feedd.auth.credentials import bearer, cookie_value, cookie_values
from feedd.auth.demo import DemoAuth
from feedd.feed.ports import Authenticator, Credentials, Identity
from tests.contracts.authenticator import AuthenticatorContract


class Cookies(SynchronousTestCase):
    """`cookie_value`."""

    def test_found(self) -> None:
        """A cookie is found wherever it stands, with and without spaces and quotes."""
        for header in (
            b"a=1",
            b"b=2; a=1",
            b"b=2;a=1;c=3",
            b"  a = 1 ;",
            b'a="1"',
            b"b; a=1",
            b"=; ;; a=1",
            b"aa=2; a=1",
        ):
            self.assertEqual((header, cookie_value(header, "a")), (header, b"1"))

    def test_none(self) -> None:
        """There is none in another name, without a value sign, or without a header."""
        for header in (None, b"", b"b=1", b"a", b"A=1", b"ba=1", b";", b"b=a=1"):
            self.assertEqual((header, cookie_value(header, "a")), (header, None))

    def test_first(self) -> None:
        """Of several with one name the first counts."""
        self.assertEqual(cookie_value(b"a=1; a=2", "a"), b"1")

    def test_all(self) -> None:
        """All of one name are found, in their order."""
        self.assertEqual(cookie_values(b'a=1; b=3; a="2"; a=\xff; a=', "a"), [b"1", b"2", b""])
        self.assertEqual(cookie_values(None, "a"), [])

    def test_bad_bytes(self) -> None:
        """A value of other than printable ASCII is passed over."""
        self.assertEqual(cookie_value(b"a=\xff\xfe; a=\x00; a=ok", "a"), b"ok")

    def test_values(self) -> None:
        """A value may hold equals signs, be empty, or be a single quote."""
        for header, value in (
            (b"a=b=c", b"b=c"),
            (b"a=", b""),
            (b'a=""', b""),
            (b'a="', b'"'),
            (b'a="x', b'"x'),
        ):
            self.assertEqual(cookie_value(header, "a"), value)

    @given(st.binary(), st.sampled_from(["a", "feedd_token"]))
    def test_anything(self, header: bytes, name: str) -> None:
        """No header is an error."""
        value = cookie_value(header, name)
        self.assertTrue(value is None or value in header)


class Bearer(SynchronousTestCase):
    """`bearer`."""

    def test_found(self) -> None:
        """The scheme's case and further spaces do not matter."""
        for header in (b"Bearer t", b"bearer t", b" BEARER   t ", b"Bearer t\t"):
            self.assertEqual(bearer(header), b"t")

    def test_none(self) -> None:
        """Another scheme, or no header, holds none."""
        for header in (None, b"", b"Basic t", b"Bearert", b"t"):
            self.assertEqual(bearer(header), None)


class Backend(SynchronousTestCase):
    """`BackendKey`."""

    def test_allows(self) -> None:
        """The key opens."""
        self.assertEqual(BackendKey(b"s3cret").allows(b"Bearer s3cret"), True)

    def test_refuses(self) -> None:
        """Nothing else does."""
        for header in (
            None,
            b"",
            b"Bearer",
            b"Bearer ",
            b"Bearer s3cre",
            b"Bearer s3cret!",
            b"Bearer \xff",
            b"Basic s3cret",
            b"s3cret",
        ):
            self.assertEqual((header, BackendKey(b"s3cret").allows(header)), (header, False))

    def test_empty(self) -> None:
        """An empty key opens to nobody, also not to an empty token."""
        for header in (None, b"", b"Bearer", b"Bearer "):
            self.assertEqual(BackendKey(b"").allows(header), False)

    def test_not_shown(self) -> None:
        """The key does not stand in its own text."""
        self.assertNotIn("s3cret", repr(BackendKey(b"s3cret")))


class Demo(AuthenticatorContract, SynchronousTestCase):
    """`DemoAuth`."""

    good = (Credentials(name=b"alice"), Credentials(name=b"alice", cookie=b"feedd_user=bob"))
    ambient = (
        Credentials(cookie=b"x=1; feedd_user=alice"),
        Credentials(name=b"", cookie=b'feedd_user="alice"'),
    )
    bad = (
        Credentials(name=b"SECRET!"),
        Credentials(name=b"SECRET\xff", cookie=b"feedd_user=alice"),
        Credentials(name=b"x" * 65),
        Credentials(cookie=b"feedd_user=<SECRET>"),
        Credentials(cookie=b"other=alice"),
        Credentials(authorization=b"Bearer alice"),
        Credentials(token=b"alice"),
    )

    def authenticator(self) -> Authenticator:
        return DemoAuth()

    def ask(self, authenticator: Authenticator, credentials: Credentials) -> Deferred[Identity]:
        return Deferred.fromCoroutine(authenticator.identify(credentials))
