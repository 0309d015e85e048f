"""Signed tokens: the audience, the clocks of others, and several cookies."""

from math import inf

from twisted.internet.defer import Deferred

from feedd.auth.token import make_token
from feedd.feed.ports import Credentials, Identity, Unauthorized
from feedd.feed.settings import Auth
from tests.unit.test_auth_token import FAR, NOW, SECRET, TokenCase, good


class Audience(TokenCase):
    """With `auth.audience` a token must be for that."""

    def test_ours(self) -> None:
        """A token that names our audience, alone or among others, is good."""
        auth = self.auth(settings=Auth(audience="feed"))
        for audience in ("feed", ["feed"], ["other", "feed"]):
            self.assertEqual(self.user(auth, good(aud=audience)), "alice")
        self.assertEqual(
            self.user(auth, make_token(SECRET, "alice", FAR, "feed").encode()), "alice"
        )

    def test_others(self) -> None:
        """One that names another, or none, is refused."""
        auth = self.auth(settings=Auth(audience="feed"))
        for audience in ("feedd", "fee", "", [], ["other"], 7, {"feed": 1}):
            self.assertIn("aud", self.refused(good(aud=audience), auth))
        self.assertIn("has no aud", self.refused(good(), auth))

    def test_without_ours(self) -> None:
        """Without `auth.audience` a token that names any audience is for somebody else."""
        for audience in ("feed", ["feed"], "", [], {}, 0, None):
            self.assertIn("aud", self.refused(good(aud=audience), self.auth()))


class Leeway(TokenCase):
    """Clocks differ."""

    def test_thirty_seconds(self) -> None:
        """By default a token is good from 30 seconds before its nbf until 30 after its exp."""
        auth = self.auth(settings=Auth())
        self.assertIn("expired", self.refused(good(exp=NOW - 30), auth))
        self.assertIn("not valid yet", self.refused(good(nbf=NOW + 31), auth))
        token = good(exp=NOW - 29, nbf=NOW + 30)
        identity = self.successResultOf(self.ask(auth, Credentials(token=token)))
        self.assertEqual(identity.ends, NOW + 1)
        self.seconds += 1
        self.assertIn("expired", self.refused(token, auth))


class SeveralCookies(TokenCase):
    """A browser sends all cookies of one name, for whichever path they were set."""

    def asked(self, *tokens: bytes) -> Deferred[Identity]:
        cookie = b"; ".join(b"feedd_token=" + token for token in tokens)
        return self.ask(self.auth(), Credentials(cookie=cookie))

    def test_stale(self) -> None:
        """One that is over does not hide one that is good."""
        found = self.successResultOf(self.asked(good(exp=NOW), good(sub="bob"), good()))
        self.assertEqual(found, Identity("bob", True, inf, float(FAR)))

    def test_none_good(self) -> None:
        """When none is good the first says why."""
        failure = self.failureResultOf(self.asked(good(exp=NOW), b"x"), Unauthorized)
        self.assertIn("expired", str(failure.value))
