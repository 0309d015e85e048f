"""
The key of the site's own servers.
"""

import hmac

from feedd.auth.credentials import bearer


class BackendKey:
    """
    The key that opens ``/api``, sent as ``Authorization: Bearer <key>``; an empty key opens it to
    nobody.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def allows(self, authorization: bytes | None) -> bool:
        """Whether this header holds the key; it takes as long for a key that is nearly right."""
        offered = bearer(authorization)
        return bool(self._key) and offered is not None and hmac.compare_digest(offered, self._key)
