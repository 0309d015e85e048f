"""Who is known without a closer look: never anybody whom a closer look would not let in."""

import os

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from feedd.auth.demo import DemoAuth
from feedd.auth.token import TokenAuth, make_token
from feedd.feed.ports import Authenticator, Credentials, Identity, Known, Unauthorized
from feedd.feed.settings import Auth
from tests.unit.test_auth_http import SiteCase

PROFILE = settings(derandomize="FEEDD_EXAMPLES" not in os.environ, deadline=None, database=None)
SECRET = "0123456789abcdef" * 2
TOKENS = [
    make_token(SECRET, user, expires).encode()
    for user in ("alice", "bob")
    for expires in (5, 10, 1000)
]
OTHERS = [make_token(SECRET[1:] + "x", "alice", 1000).encode(), TOKENS[0][:-1], b"x", b"", None]
WORDS = [
    None,
    b"",
    b"bob",
    b"b b",
    b"\xe9",
    b"x" * 65,
    b"a=b; feedd_user=dora",
    b"feedd_user=",
    b"feedd_user=b b",
]

tokens = st.sampled_from([*TOKENS, *OTHERS])


@st.composite
def offers(draw: st.DrawFn) -> Credentials:
    """Tokens anywhere."""
    header, query, cookie = (draw(st.one_of(st.none(), tokens)) for _ in range(3))
    return Credentials(
        authorization=None
        if header is None
        else draw(st.sampled_from([b"Bearer ", b"bearer  ", b"Basic "])) + header,
        token=query,
        name=draw(st.sampled_from([None, b"", b"carol"])),
        cookie=None if cookie is None else b"a=b; feedd_token=" + cookie,
    )


def identified(
    case: SynchronousTestCase, authenticator: Authenticator, credentials: Credentials
) -> Identity | None:
    """Who it is at a closer look; None for nobody."""
    asked = Deferred.fromCoroutine(authenticator.identify(credentials))
    asked.addErrback(lambda failure: failure.trap(Unauthorized) and None)
    found: Identity | None = case.successResultOf(asked)
    return found


def who(known: Known | None) -> Identity | None:
    """Who is known, for ever or for a while."""
    return known.identity if known is not None else None


class TokenTests(SynchronousTestCase):
    """Tokens that have been verified."""

    @PROFILE
    @given(
        st.lists(st.tuples(offers(), st.sampled_from([0, 0, 1, 3, 5])), max_size=12),
        st.integers(1, 4),
    )
    def test_same(self, asked: list[tuple[Credentials, int]], remembered: int) -> None:
        """At any time, known is who would be identified, or nobody is."""
        now = 0
        authenticator = TokenAuth(SECRET, "feedd_token", lambda: now, remembered)
        for credentials, seconds in asked:
            now += seconds
            known = who(authenticator.known(credentials))
            found = identified(self, authenticator, credentials)
            self.assertIn(known, (None, found))
            self.assertEqual(who(authenticator.known(credentials)), found)

    def test_expired(self) -> None:
        """Of a token that has expired since nobody is known, to the second."""
        now = 0.0
        authenticator = TokenAuth(SECRET, "feedd_token", lambda: now)
        credentials = Credentials(token=TOKENS[0])
        self.assertIsNone(authenticator.known(credentials))
        self.assertEqual(identified(self, authenticator, credentials), Identity("alice", False))
        now = 4.9
        self.assertEqual(authenticator.known(credentials), Known(Identity("alice", False), 5.0))
        now = 5.0
        self.assertIsNone(authenticator.known(credentials))


class DemoTests(SynchronousTestCase):
    """Whoever they say they are."""

    @PROFILE
    @given(st.lists(st.sampled_from(WORDS), min_size=4, max_size=4))
    def test_same(self, words: list[bytes | None]) -> None:
        """Known is who would be identified."""
        credentials, authenticator = Credentials(*words), DemoAuth()
        self.assertEqual(
            who(authenticator.known(credentials)), identified(self, authenticator, credentials)
        )


class SiteTests(SiteCase):
    """Whom the site has named."""

    settings = Auth(mode="http", url="http://site.example.org/whoami", cache_seconds=5)

    def test_while_remembered(self) -> None:
        """They are known while the answer is remembered, and the site is not asked."""
        credentials = Credentials(cookie=b"session=alice")
        self.assertIsNone(self.auth.known(credentials))
        self.user(b"alice")
        self.clock.advance(4.9)
        self.assertEqual(self.auth.known(credentials), Known(Identity("alice", True), 5.0))
        self.clock.advance(0.1)
        self.assertIsNone(self.auth.known(credentials))
        self.assertEqual(len(self.site.requests), 1)

    def test_not_remembered(self) -> None:
        """Where nothing is remembered nobody is known."""
        auth = self.made(Auth(mode="http", url="http://site.example.org/whoami", cache_seconds=0))
        self.user(b"alice", auth)
        self.assertIsNone(auth.known(Credentials(cookie=b"session=alice")))

    def test_refused(self) -> None:
        """A remembered no is nobody."""
        self.refused(b"1")
        self.assertIsNone(self.auth.known(Credentials(cookie=b"session=1")))
