"""
What every implementation of `feedd.feed.ports.Authenticator` promises.

An implementation's test case says with which credentials it lets ``alice`` in, and which it
refuses.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from feedd.feed.ports import Authenticator, Credentials, Identity, Unauthorized


class Case(Protocol):
    """
    What the contract asks of a test case.

    :ivar good: credentials of ``alice`` that a foreign page could not send.
    :ivar ambient: credentials of ``alice`` in a cookie.
    :ivar bad: credentials that name nobody, each holding the text ``SECRET`` where it holds any.
    """

    good: Sequence[Credentials]
    ambient: Sequence[Credentials]
    bad: Sequence[Credentials]

    def authenticator(self) -> Authenticator: ...
    def ask(self, authenticator: Authenticator, credentials: Credentials) -> Deferred[Identity]: ...
    def successResultOf(self, deferred: Deferred[Any]) -> Any: ...
    def failureResultOf(self, deferred: Deferred[Any], *kinds: type[BaseException]) -> Any: ...
    def assertEqual(self, first: object, second: object) -> None: ...
    def assertGreater(self, first: Any, second: Any) -> None: ...
    def assertNotIn(self, member: object, container: Any) -> None: ...


class AuthenticatorContract:
    """Mix into a test case that is a `Case`."""

    def test_lets_in(self: Case) -> None:
        """Good credentials say who asks, at first and again; only a cookie is ambient."""
        authenticator = self.authenticator()
        for ambient, offered in ((False, self.good), (True, self.ambient)):
            for credentials in [*offered, *offered]:
                identity = self.successResultOf(self.ask(authenticator, credentials))
                self.assertEqual(identity[:2], ("alice", ambient))

    def test_refuses(self: Case) -> None:
        """
        Everything else is refused, at first and again, and the text does not hold what was offered.
        """
        authenticator = self.authenticator()
        for credentials in [Credentials(), *self.bad, *self.bad]:
            failure = self.failureResultOf(self.ask(authenticator, credentials), Unauthorized)
            self.assertNotIn("SECRET", str(failure.value))

    def test_nobody(self: Case) -> None:
        """Empty credentials are none, wherever they stand."""
        authenticator = self.authenticator()
        for credentials in (
            Credentials(b""),
            Credentials(token=b""),
            Credentials(name=b""),
            Credentials(cookie=b""),
        ):
            self.failureResultOf(self.ask(authenticator, credentials), Unauthorized)

    def test_holds(self: Case) -> None:
        """What was proven holds for a while, and is answered at once and just as it was."""
        authenticator = self.authenticator()
        for credentials in (*self.good, *self.ambient):
            identity = self.successResultOf(self.ask(authenticator, credentials))
            self.assertGreater(identity.until, 0)
            again = Deferred.fromCoroutine(authenticator.identify(credentials))
            self.assertEqual(self.successResultOf(again), identity)
