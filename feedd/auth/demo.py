"""
The authenticator of the demo, which believes any name. The configuration refuses it where others
than this machine can connect.
"""

import math

from feedd.auth.credentials import cookie_value
from feedd.core.event import is_user
from feedd.feed.ports import Credentials, Identity, Unauthorized

COOKIE = "feedd_user"


class DemoAuth:
    """
    `feedd.feed.ports.Authenticator` that believes ``as=alice`` in the query, else the cookie
    ``feedd_user``.
    """

    trouble = ""

    async def identify(self, credentials: Credentials) -> Identity:
        """
        The user that is named.

        :raises Unauthorized: when nobody is named, or what is named is no user.
        """
        name = credentials.name or cookie_value(credentials.cookie, COOKIE)
        if not name:
            raise Unauthorized(f"say who you are: as=alice, or the cookie {COOKIE}")
        user = name.decode("ascii", "replace")
        if not is_user(user):
            raise Unauthorized("not a user: 1-64 characters of A-Z a-z 0-9 _ -")
        return Identity(user, ambient=not credentials.name, until=math.inf)

    def revoke(self, user: str, at: int) -> None:
        """Nothing: here a name proves itself."""
