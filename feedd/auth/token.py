"""
The authenticator by signed tokens (JWT, RFC 7519).

HS256 over a shared secret, or RS256 when the secret file holds a public key: one algorithm for one
key, never the one that the token asks for.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jwt
from jwt.algorithms import HMACAlgorithm, RSAAlgorithm
from jwt.exceptions import InvalidJTIError, InvalidSubjectError

from feedd.auth.credentials import bearer, cookie_values
from feedd.auth.revocation import Revocations
from feedd.core.counters import Counters
from feedd.core.event import is_user
from feedd.feed.ports import Credentials, Identity, Unauthorized
from feedd.feed.settings import Auth

MIN_SECRET_BYTES = 32
"""RFC 7518 section 3.2: as long as the hash's output."""

MIN_RSA_BITS = 2048
"""RFC 7518 section 3.3."""

MAX_TOKEN_BYTES = 4096
MAX_REMEMBERED = 20_000
MAX_COOKIES = 8
"""
So many cookies of one name are tried: a header has room for forty tokens, of which each costs a
verification.
"""

_LAST_SECOND = 100_000_000_000
"""Times from the year 5138 on are none: somebody wrote milliseconds."""

_OPTIONS = {
    "require": ["exp", "sub"],
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
}
"""Times are compared here, with the clock that the constructor took."""


class _Proof(NamedTuple):
    """
    What a token proves: who asks; until the second of its end, leeway included; and when it was
    issued, in milliseconds since 1970.
    """

    user: str
    ends: float
    issued: int


class TokenAuth:
    """
    `feedd.feed.ports.Authenticator` by tokens: from ``Authorization: Bearer``, else the query, else
    a cookie.
    """

    trouble = ""

    def __init__(
        self,
        key: str | bytes,
        settings: Auth,
        now: Callable[[], float],
        counters: Counters,
        remembered: int = MAX_REMEMBERED,
        decode: Callable[..., dict[str, Any]] = jwt.decode,
    ) -> None:
        """
        :param key: the content of the secret file: a secret of 32 bytes or more, or an RSA public
            key in PEM; white space around it does not count.
        :param now: seconds since 1970.
        :param counters: counts ``auth_logouts_dropped``.
        :param remembered: how many verified tokens cost no second verification; over it the one
            known longest goes.
        :param decode: `jwt.decode`.
        :raises ValueError: when the key is none, or too weak; the text does not hold it.
        """
        self._key, self._algorithm = _usable(_stripped(key))
        self._settings = settings
        self._now = now
        self._max_remembered = remembered
        self._decode = decode
        self._remembered: dict[bytes, _Proof] = {}
        self._revocations = Revocations(counters)

    @property
    def remembered(self) -> int:
        """How many tokens are remembered."""
        return len(self._remembered)

    async def identify(self, credentials: Credentials) -> Identity:
        """
        The token's user. A wrong token is not made good by another one elsewhere in the request;
        but of several cookies of one name, which only the browser can tell apart, the first good
        one counts.

        :raises Unauthorized: when there is no good token; of several cookies the first says why.
        """
        tokens, ambient = self._offered(credentials)
        refusal = None
        for token in tokens:
            try:
                proof = self._proven(token)
                return Identity(proof.user, ambient, until=math.inf, ends=proof.ends)
            except Unauthorized as error:
                refusal = refusal or error
        raise refusal or Unauthorized("no token")

    def _offered(self, credentials: Credentials) -> tuple[list[bytes], bool]:
        """The tokens to try, and whether they are in cookies."""
        token = bearer(credentials.authorization) or credentials.token
        if token:
            return [token], False
        cookies = cookie_values(credentials.cookie, self._settings.cookie)
        return [cookie for cookie in cookies if cookie][:MAX_COOKIES], True

    def revoke(self, user: str, at: int) -> None:
        """
        Refuse the tokens of `user` that were issued before `at`, milliseconds since 1970.

        Nobody can have been logged out in the future, though a site may write any time: it must not
        keep a user out for ever.
        """
        latest = self._now() + self._settings.leeway_seconds
        self._revocations.note(user, min(at, int(latest * 1000)))

    def _proven(self, token: bytes) -> _Proof:
        """What the token proves, now."""
        known = self._remembered.get(token)
        if known is None:
            known = self._verify(token)
            self._remember(token, known)
        if known.ends <= self._now():
            self._remembered.pop(token, None)
            raise Unauthorized("the token has expired (exp)")
        if self._revocations.refuses(known.user, known.issued):
            raise Unauthorized("the user has been logged out since the token was issued (iat)")
        return known

    def _remember(self, token: bytes, known: _Proof) -> None:
        if len(self._remembered) >= self._max_remembered:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[token] = known

    def _verify(self, token: bytes) -> _Proof:
        if len(token) > MAX_TOKEN_BYTES:
            raise Unauthorized(f"a token has {MAX_TOKEN_BYTES} bytes at most")
        claims = self._claims(token)
        if not is_user(claims["sub"]):
            raise Unauthorized("the token's sub is not a user: 1-64 characters of A-Z a-z 0-9 _ -")
        if "aud" in claims and not self._settings.audience:  # PyJWT lets an empty one pass
            raise Unauthorized("the token's aud is not auth.audience: it is for another service")
        leeway = self._settings.leeway_seconds
        if "nbf" in claims and _second(claims, "nbf") > self._now() + leeway:
            raise Unauthorized("the token is not valid yet (nbf)")
        return _Proof(claims["sub"], _second(claims, "exp") + leeway, self._issued(claims))

    def _issued(self, claims: dict[str, Any]) -> int:
        """
        When the token was issued at the latest, in milliseconds since 1970: a whole second is all
        of it, and nothing is issued after now. Without ``iat`` it is `max_token_seconds` before the
        end; a token that lives longer is older than any logout.
        """
        now = self._now()
        if "iat" in claims:
            second = min(_second(claims, "iat"), now)
            return int(second) * 1000 + (999 if second == int(second) else int(second % 1 * 1000))
        second = _second(claims, "exp") - self._settings.max_token_seconds
        return int(second * 1000) if 0 <= second <= now else 0

    def _claims(self, token: bytes) -> dict[str, Any]:
        try:
            return self._decode(
                token,
                self._key,
                algorithms=[self._algorithm],
                options=_OPTIONS,
                audience=self._settings.audience or None,
            )
        except jwt.InvalidSignatureError:
            why = "the token is not signed with our key"
        except jwt.InvalidAlgorithmError:
            why = f"the token is not signed with {self._algorithm}"
        except jwt.MissingRequiredClaimError as error:
            why = f"the token has no {error.claim}"
        except InvalidSubjectError:
            why = "the token's sub is not a text"
        except jwt.InvalidAudienceError:
            why = "the token's aud is not auth.audience: it is for another service"
        except InvalidJTIError:
            why = "the token's jti is not a text"
        except jwt.PyJWTError:
            why = "the token cannot be read"
        raise Unauthorized(why)


def make_token(
    key: str | bytes, user: str, expires: int, audience: str = "", issued: int | None = None
) -> str:
    """
    A token for `user` that ends at the second `expires` (since 1970), signed with HS256.

    :param audience: its ``aud``; "" for none.
    :param issued: its ``iat``, the second now; None for none.

    :raises ValueError: when the key cannot sign, or there can be no such user.
    """
    secret, algorithm = _usable(_stripped(key))
    if algorithm != "HS256":
        raise ValueError("a public key cannot sign; tokens come from who has the private one")
    if not is_user(user):
        raise ValueError("not a user: 1-64 characters of A-Z a-z 0-9 _ -")
    claims: dict[str, Any] = {"sub": user, "exp": expires}
    if audience:
        claims["aud"] = audience
    if issued is not None:
        claims["iat"] = issued
    return jwt.encode(claims, secret, algorithm=algorithm)


def _stripped(key: str | bytes) -> bytes:
    return (key.encode() if isinstance(key, str) else key).strip()


def _usable(key: bytes) -> tuple[Any, str]:
    """The key as PyJWT takes it, and the one algorithm that goes with it."""
    if key.startswith(b"-----BEGIN"):
        return _public_key(key), "RS256"
    if len(key) < MIN_SECRET_BYTES:
        raise ValueError(
            f"the token secret has {len(key)} bytes; HS256 needs {MIN_SECRET_BYTES} or more"
        )
    try:
        return HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(key), "HS256"
    except jwt.InvalidKeyError:
        raise ValueError(
            "the token secret is a key of another kind; it takes a random text, or an "
            "RSA public key in PEM"
        ) from None


def _public_key(pem: bytes) -> Any:
    key: Any
    try:
        key = RSAAlgorithm(RSAAlgorithm.SHA256).prepare_key(pem)
    except (jwt.InvalidKeyError, ValueError, TypeError):
        key = None
    if key is None or hasattr(key, "sign"):  # a private key would do, but has no business here
        raise ValueError("the token secret is in PEM, but not an RSA public key")
    if key.key_size < MIN_RSA_BITS:
        raise ValueError(f"the RSA key has {key.key_size} bits; RS256 needs {MIN_RSA_BITS} or more")
    return key


def _second(claims: dict[str, Any], name: str) -> float:
    """A NumericDate; neither NaN, which is never over, nor a text."""
    value = claims[name]
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _LAST_SECOND:
        return float(value)
    raise Unauthorized(f"the token's {name} is not a number of seconds")
