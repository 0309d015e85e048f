"""An authenticator for tests."""

from collections.abc import Awaitable, Callable
from math import inf

from twisted.internet.defer import Deferred

from feedd.feed.ports import Credentials, Identity, Unauthorized


class NameAuth:
    """
    An authenticator that believes any name: ``Bearer NAME``, ``token=NAME``, ``as=NAME``, or the
    cookie ``user=NAME``, which is ambient.

    :ivar trouble: why nobody can be found out, "" when they can; only said.
    :ivar waits: when it is not None, each answer waits until it fires.
    :ivar instead: when it is not None, it answers.
    """

    def __init__(self) -> None:
        self.trouble = ""
        self.revoked: dict[str, int] = {}
        self.waits: Deferred[None] | None = None
        self.instead: Callable[[Credentials], Awaitable[Identity]] | None = None

    async def identify(self, credentials: Credentials) -> Identity:
        if self.instead is not None:
            return await self.instead(credentials)
        if self.waits is not None:
            await self.waits
        identity = self._named(credentials)
        if identity is None:
            raise Unauthorized("nobody is logged in")
        return identity

    def revoke(self, user: str, at: int) -> None:
        self.revoked[user] = max(at, self.revoked.get(user, 0))

    def _named(self, credentials: Credentials) -> Identity | None:
        bearer = (credentials.authorization or b"").removeprefix(b"Bearer ")
        name = bearer or credentials.token or credentials.name
        if name:
            return Identity(name.decode(), False, inf)
        if credentials.cookie:
            return Identity(credentials.cookie.rpartition(b"user=")[2].decode(), True, inf)
        return None
