"""
The key of the site's own servers.

This module knows one secret. It does not know what it opens, and shows it to nobody.
"""

import hmac

from feedd.auth.credentials import bearer


class BackendKey:
    """
    Opens ``/api`` to who sends ``Authorization: Bearer <key>``; an empty key opens it to nobody.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def allows(self, authorization: bytes | None) -> bool:
        """Whether this header holds the key; takes the same time however much of it is right."""
        offered = bearer(authorization)
        return bool(self._key) and offered is not None and hmac.compare_digest(offered, self._key)
