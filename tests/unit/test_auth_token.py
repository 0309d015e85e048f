"""Signed tokens: the good ones, and every forgery."""

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from feedd.auth.token import MAX_COOKIES, MAX_TOKEN_BYTES, TokenAuth, make_token
from feedd.core.counters import Counters
from feedd.feed.ports import Authenticator, Credentials, Identity, Unauthorized
from feedd.feed.settings import Auth
from tests.contracts.authenticator import AuthenticatorContract

NOW = 1_600_000_000
SECRET = "0123456789abcdef" * 2
FAR = NOW + 3600
EXACT = Auth(leeway_seconds=0)

_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PRIVATE = _RSA.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)


def public(key: Any) -> bytes:
    """The public half of a private key."""
    pem: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem


PUBLIC = public(_RSA)


def part(value: object) -> bytes:
    """One part of a token."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def signed(claims: object, key: bytes = SECRET.encode(), header: object = None) -> bytes:
    """A token put together by hand, with HS256, of claims that no library would sign."""
    start = part({"alg": "HS256", "typ": "JWT"} if header is None else header) + b"." + part(claims)
    return start + b"." + part(hmac.digest(key, start, hashlib.sha256))


def good(**claims: Any) -> bytes:
    """A token of alice with other claims besides, or instead."""
    return signed({"sub": "alice", "exp": FAR} | claims)


class TokenCase(SynchronousTestCase):
    """A clock, and tokens signed with our secret."""

    def setUp(self) -> None:
        self.seconds = float(NOW)
        self.counters = Counters()

    def auth(
        self, key: bytes | str = SECRET, remembered: int = 20_000, settings: Auth = EXACT
    ) -> TokenAuth:
        return TokenAuth(key, settings, lambda: self.seconds, self.counters, remembered)

    def ask(self, authenticator: Authenticator, credentials: Credentials) -> Deferred[Identity]:
        return Deferred.fromCoroutine(authenticator.identify(credentials))

    def user(self, auth: TokenAuth, token: bytes) -> str:
        identity: Identity = self.successResultOf(self.ask(auth, Credentials(token=token)))
        return identity.user

    def refused(self, token: bytes, auth: TokenAuth | None = None) -> str:
        """Why `token` is refused."""
        failure = self.failureResultOf(
            self.ask(auth or self.auth(), Credentials(token=token)), Unauthorized
        )
        return str(failure.value)


class TokenContract(AuthenticatorContract, TokenCase):
    """The contract, over `TokenAuth`."""

    token = good()
    good = (
        Credentials(authorization=b"Bearer " + token),
        Credentials(
            authorization=b"bearer " + token, token=b"SECRET", cookie=b"feedd_token=SECRET"
        ),
        Credentials(token=token),
        Credentials(authorization=b"Basic SECRET", token=token, cookie=b"feedd_token=SECRET"),
    )
    ambient = (
        Credentials(cookie=b'a=b; feedd_token="' + token + b'"'),
        Credentials(b"Basic x", b"", b"bob", b"feedd_token=" + token),
        Credentials(cookie=b"feedd_token=SECRET; feedd_token=; feedd_token=" + token),
        Credentials(cookie=b"feedd_token=" + token + b"; feedd_token=SECRET"),
    )
    bad = (
        Credentials(authorization=b"Bearer SECRET", token=token, cookie=b"feedd_token=" + token),
        Credentials(authorization=b"Basic " + token),
        Credentials(authorization=token),
        Credentials(token=b"SECRET", cookie=b"feedd_token=" + token),
        Credentials(token=b"SECRET.SECRET.SECRET"),
        Credentials(name=b"alice"),
        Credentials(cookie=b"other=" + token),
        Credentials(cookie=b"feedd_token=SECRET"),
        Credentials(cookie=b"feedd_token=SECRET; feedd_token=SECRET2; other=" + token),
        Credentials(cookie=b"feedd_token=SECRET; " * MAX_COOKIES + b"feedd_token=" + token),
    )

    def authenticator(self) -> Authenticator:
        return self.auth()


class Forged(TokenCase):
    """Tokens that are not ours, or not any more."""

    def test_no_signature(self) -> None:
        """The algorithm "none" is none of ours, however it is spelled."""
        for name in ("none", "None", "NONE", "nOnE", ""):
            token = (
                part({"alg": name, "typ": "JWT"}) + b"." + part({"sub": "alice", "exp": FAR}) + b"."
            )
            for auth in self.auth(), self.auth(PUBLIC):
                self.refused(token, auth)
                self.refused(token + b"x", auth)

    def test_signed_with_the_public_key(self) -> None:
        """A token that takes our public key for a shared secret is refused."""
        for key in (PUBLIC, PUBLIC.strip()):
            self.assertIn(
                "not signed with RS256",
                self.refused(signed({"sub": "alice", "exp": FAR}, key), self.auth(PUBLIC)),
            )
            claims_rs256 = signed({"sub": "alice", "exp": FAR}, key, {"alg": "RS256", "typ": "JWT"})
            self.assertIn("not signed with our key", self.refused(claims_rs256, self.auth(PUBLIC)))

    def test_another_algorithm(self) -> None:
        """The right secret with another hash is refused."""
        token = jwt.encode({"sub": "alice", "exp": FAR}, SECRET * 2, algorithm="HS512").encode()
        self.assertIn("HS256", self.refused(token, self.auth(SECRET * 2)))

    def test_another_key(self) -> None:
        """A token of another secret, or another RSA key, is refused."""
        self.assertIn(
            "not signed with our key", self.refused(signed({"sub": "alice", "exp": FAR}, b"x" * 32))
        )
        other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        token = jwt.encode({"sub": "alice", "exp": FAR}, other, algorithm="RS256").encode()
        self.assertIn("not signed with our key", self.refused(token, self.auth(PUBLIC)))

    def test_changed(self) -> None:
        """Other claims under a good signature are refused."""
        header, _, signature = good().split(b".")
        self.refused(header + b"." + part({"sub": "bob", "exp": FAR}) + b"." + signature)

    def test_expired(self) -> None:
        """A token ends at its second, not later."""
        self.assertIn("expired", self.refused(good(exp=NOW)))
        self.assertIn("expired", self.refused(good(exp=NOW - 1)))
        self.assertEqual(self.user(self.auth(), good(exp=NOW + 1)), "alice")

    def test_not_yet(self) -> None:
        """A token is not good before its nbf."""
        self.assertIn("not valid yet", self.refused(good(nbf=NOW + 1)))
        self.assertEqual(self.user(self.auth(), good(nbf=NOW)), "alice")

    def test_without(self) -> None:
        """A token without exp would be good for ever, one without sub for nobody."""
        self.assertIn("has no exp", self.refused(signed({"sub": "alice"})))
        self.assertIn("has no exp", self.refused(good(exp=None)))
        self.assertIn("has no sub", self.refused(signed({"exp": FAR})))

    def test_times_that_are_none(self) -> None:
        """
        A time is a number of seconds: no text, no truth, no infinity, nothing that is never over,
        no milliseconds.
        """
        for time in (
            "soon",
            str(FAR),
            True,
            [FAR],
            {},
            float("nan"),
            float("inf"),
            -1,
            FAR * 1000,
            10**30,
            10**400,
        ):
            self.refused(good(exp=time))
        for time in ("soon", float("nan"), FAR * 1000):
            self.refused(good(nbf=time))
        self.refused(signed(b'{"sub":"alice","exp":1e999}'))
        self.refused(signed(b'{"sub":"alice","exp":' + b"9" * 3000 + b"}"))

    def test_users_that_are_none(self) -> None:
        """sub must be a user."""
        for sub in (
            7,
            None,
            True,
            ["alice"],
            {"a": 1},
            "",
            "x" * 65,
            "a b",
            "a\n",
            "ålice",
            "../x",
        ):
            self.refused(good(sub=sub))
        self.assertEqual(self.user(self.auth(), good(sub="x" * 64)), "x" * 64)

    def test_for_somebody_else(self) -> None:
        """A token with an audience is for another service, when we have no name for ours."""
        self.assertIn("aud", self.refused(good(aud="https://other.example.org")))

    def test_says_which_claim(self) -> None:
        """The text names the claim that is wrong."""
        for claim, value in (
            ("exp", NOW),
            ("exp", "soon"),
            ("nbf", FAR),
            ("sub", 7),
            ("sub", "a b"),
            ("aud", "other"),
            ("aud", 7),
            ("jti", 7),
        ):
            self.assertRegex(self.refused(good(**{claim: value})), rf"\b{claim}\b")

    def test_garbage(self) -> None:
        """What is no token is refused, and costs no exception of another kind."""
        start = good().rsplit(b".", 1)[0]
        for token in (
            b"x" * 10_000,
            b"." * 10_000,
            b"a.b.c",
            b"..",
            b"\x00\xff\xfe",
            "é.é.é".encode(),
            start,
            start + b".",
            start + b".!!!",
            good() + b".x",
            signed([]),
            signed(7),
            signed(b""),
            signed(b"\xff"),
            signed(b"[" * 3000),
            part(b"[" * 2800) + b"." + part({}) + b".x",
            part(b'{"alg":"HS256","a":' + b"[" * 2700) + b"." + part({}) + b".x",
            signed({"sub": "alice", "exp": FAR}, header=[]),
            signed({"sub": "alice", "exp": FAR}, header={"alg": 7}),
            signed({"sub": "alice", "exp": FAR}, header={"typ": "JWT"}),
            signed({"sub": "alice", "exp": FAR}, header={"alg": "HS256", "crit": ["exp"]}),
            signed({"sub": "alice", "exp": FAR}, header={"alg": "HS256", "b64": False}),
        ):
            self.refused(token)
            self.refused(token, self.auth(PUBLIC))

    def test_too_long(self) -> None:
        """A good token of more than 4 kB is refused: what is remembered is bounded."""
        self.assertIn(str(MAX_TOKEN_BYTES), self.refused(good(more="x" * MAX_TOKEN_BYTES)))

    @given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=40))
    def test_anything(self, header: bytes, claims: bytes, signature: bytes) -> None:
        """Three parts of any bytes are refused."""
        self.seconds = float(NOW)
        self.counters = Counters()
        self.refused(part(header) + b"." + part(claims) + b"." + part(signature))
        self.refused(header + claims)
        self.refused(part({"alg": "HS256"}) + b"." + claims + b"." + signature)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(),
            lambda inner: st.dictionaries(st.text(), inner),
        )
    )
    def test_any_claims(self, value: object) -> None:
        """Claims that are well signed but no claims of ours are refused."""
        self.seconds = float(NOW)
        self.counters = Counters()
        self.refused(signed(value))
        self.refused(signed({"sub": value, "exp": value, "nbf": value}))


class Remembered(TokenCase):
    """A token is verified once."""

    def test_once(self) -> None:
        """
        A token that was verified needs no second verification, and is refused all the same when it
        is over.
        """
        verified: list[bytes] = []

        def decode(token: bytes, *args: Any, **options: Any) -> dict[str, Any]:
            verified.append(token)
            return jwt.decode(token, *args, **options)

        auth = TokenAuth(SECRET, EXACT, lambda: self.seconds, self.counters, decode=decode)
        for _ in range(3):
            self.assertEqual(self.user(auth, good()), "alice")
        self.seconds = FAR
        self.assertIn("expired", self.refused(good(), auth))
        self.assertEqual((verified, auth.remembered), ([good()], 0))

    def test_bounded(self) -> None:
        """Over the bound the one known longest goes."""
        auth = self.auth(remembered=2)
        for name in ("a", "b", "c"):
            self.user(auth, good(sub=name))
        self.assertEqual(auth.remembered, 2)

    def test_refused_is_not_remembered(self) -> None:
        """Refused tokens take no room."""
        auth = self.auth()
        self.refused(b"garbage", auth)
        self.refused(good(exp=NOW), auth)
        self.assertEqual(auth.remembered, 0)


class Keys(TokenCase):
    """What may stand in the secret file."""

    def test_stripped(self) -> None:
        """White space around the content does not count."""
        self.assertEqual(self.user(self.auth(f"\n {SECRET}\r\n"), good()), "alice")
        self.assertEqual(self.user(self.auth(SECRET.encode()), good()), "alice")

    def test_public_key(self) -> None:
        """With an RSA public key, tokens of its private half are good."""
        token = jwt.encode({"sub": "alice", "exp": FAR}, PRIVATE, algorithm="RS256").encode()
        self.assertEqual(self.user(self.auth(b"\n" + PUBLIC), token), "alice")

    def test_refused(self) -> None:
        """
        A key that is weak or of another kind is refused at once, and the text does not hold it.
        """
        weak = public(rsa.generate_private_key(public_exponent=65537, key_size=1024))
        curve = public(ec.generate_private_key(ec.SECP256R1()))
        broken = b"-----BEGIN PUBLIC KEY-----\nU0VDUkVU\n-----END PUBLIC KEY-----"
        for key, why in (
            (b"", "0 bytes"),
            (b"SECRET" * 5 + b"\n", "30 bytes"),
            (b'{"kty": "oct", "k": "SECRETSECRETSECRETSECRETSECRET"}', "another kind"),
            (b"ssh-rsa SECRETSECRETSECRETSECRETSECRETSECRET", "another kind"),
            (PRIVATE, "not an RSA public key"),
            (curve, "not an RSA public key"),
            (broken, "not an RSA public key"),
            (PUBLIC[:-60], "not an RSA public key"),
            (weak, "1024 bits"),
        ):
            text = str(self.assertRaises(ValueError, self.auth, key))
            self.assertIn(why, text)
            self.assertNotIn("SECRET", text)
            self.assertNotIn("MII", text)

    def test_make_token(self) -> None:
        """A token that we made is good until its end."""
        auth = self.auth()
        token = make_token(SECRET + "\n", "alice", NOW + 60).encode()
        self.assertEqual(self.user(auth, token), "alice")
        self.seconds += 60
        self.assertIn("expired", self.refused(token, auth))

    def test_make_token_refused(self) -> None:
        """None is made for nobody, with a weak secret, or with a public key."""
        self.assertRaises(ValueError, make_token, SECRET, "a b", FAR)
        self.assertRaises(ValueError, make_token, "short", "alice", FAR)
        self.assertRaises(ValueError, make_token, PUBLIC, "alice", FAR)
