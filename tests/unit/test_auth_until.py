"""How long it holds what credentials prove."""

import os
from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from feedd.auth.demo import DemoAuth
from feedd.auth.token import TokenAuth, make_token
from feedd.core.counters import Counters
from feedd.feed.ports import Authenticator, Credentials, Identity, Unauthorized
from feedd.feed.settings import Auth
from tests.unit.test_auth_http import SiteCase

PROFILE = settings(derandomize="FEEDD_EXAMPLES" not in os.environ, deadline=None, database=None)
SECRET = "0123456789abcdef" * 2
EXACT = Auth(leeway_seconds=0)
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
    """The user of these credentials; None for nobody."""
    asked = Deferred.fromCoroutine(authenticator.identify(credentials))
    asked.addErrback(lambda failure: failure.trap(Unauthorized) and None)
    found: Identity | None = case.successResultOf(asked)
    return found


def auth_at(now: float) -> TokenAuth:
    """An authenticator that has seen no token yet."""
    return TokenAuth(SECRET, EXACT, lambda: now, Counters())


class TokenTests(SynchronousTestCase):
    """Tokens that have been verified."""

    @PROFILE
    @given(
        st.lists(st.tuples(offers(), st.sampled_from([0, 0, 1, 3, 5])), max_size=12),
        st.integers(1, 4),
    )
    def test_same(self, asked: list[tuple[Credentials, int]], remembered: int) -> None:
        """
        Until the time that was said the same credentials prove the same, whatever is asked in
        between, and as to an authenticator that remembers nothing; after it they prove nobody.
        """
        now = 0
        authenticator = TokenAuth(SECRET, EXACT, lambda: now, Counters(), remembered)
        proven: dict[Credentials, Identity | None] = {}
        for credentials, seconds in asked:
            now += seconds
            before = proven.get(credentials)
            found = identified(self, authenticator, credentials)
            self.assertEqual(found, identified(self, auth_at(now), credentials))
            if before is not None:
                self.assertEqual(found, before if now < before.ends else None)
            proven[credentials] = found

    def test_expired(self) -> None:
        """A token proves nobody from the second on at which it expires."""
        clock = Clock()
        authenticator = TokenAuth(SECRET, EXACT, clock.seconds, Counters())
        credentials = Credentials(token=TOKENS[0])
        for seconds in (0, 4.9):
            clock.advance(seconds)
            found = identified(self, authenticator, credentials)
            self.assertEqual(found, Identity("alice", False, inf, 5.0))
        clock.advance(0.1)
        self.assertIsNone(identified(self, authenticator, credentials))


class DemoTests(SynchronousTestCase):
    """The demo's authenticator."""

    @PROFILE
    @given(st.lists(st.sampled_from(WORDS), min_size=4, max_size=4))
    def test_same(self, words: list[bytes | None]) -> None:
        """What is proven holds for ever."""
        found = identified(self, DemoAuth(), Credentials(*words))
        self.assertEqual(found and found[2:], found and (inf, inf))


class SiteTests(SiteCase):
    """Users whom the site has named."""

    settings = Auth(mode="http", url="http://site.example.org/whoami", cache_seconds=5)

    def test_while_remembered(self) -> None:
        """The answer holds while it is remembered, and the site is not asked."""
        credentials = Credentials(cookie=b"session=alice")
        self.user(b"alice")
        self.clock.advance(4.9)
        found = identified(self, self.auth, credentials)
        self.assertEqual((found, len(self.site.requests)), (Identity("alice", True, 5.0), 1))
        self.clock.advance(0.1)
        found = self.successResultOf(self.begin(b"alice"))
        self.assertEqual((found, len(self.site.requests)), (Identity("alice", True, 10.0), 2))

    def test_not_remembered(self) -> None:
        """An answer that is not remembered holds for no time."""
        auth = self.made(Auth(mode="http", url="http://site.example.org/whoami", cache_seconds=0))
        found = self.successResultOf(self.begin(b"alice", auth))
        self.assertEqual(found, Identity("alice", True, 0.0))
