"""
Which pages may ask: CORS, and the rule that a cookie alone opens nothing to a foreign page.

This module knows header values. It does not know requests.
"""

import re
from collections.abc import Collection

_ORIGIN = re.compile(r"(https?)://([^/?#]+)", re.IGNORECASE)


class Origins:
    """
    The site's own pages.

    :param allowed: origins such as ``https://www.example.org``, exactly as a browser sends them.
    """

    def __init__(self, allowed: Collection[str]) -> None:
        self._allowed = frozenset(origin.lower().rstrip("/") for origin in allowed)

    def allows(self, origin: str | None) -> str | None:
        """
        The configured origin that `origin` is, for ``Access-Control-Allow-Origin``; None for any
        other.
        """
        if origin is None:
            return None
        wanted = origin.lower()
        return wanted if wanted in self._allowed else None

    def is_own(
        self, fetch_site: str | None, origin: str | None, referer: str | None, host: str | None
    ) -> bool:
        """
        Whether a page of the site asks, going by headers that a page's script cannot set.

        :param fetch_site: Sec-Fetch-Site (W3C Fetch Metadata). ``same-origin`` and ``none`` (the
            user's own doing) are enough.
        :param origin: Origin, else `referer`: of an allowed site, or of the `host` that was asked.
        """
        if fetch_site in ("same-origin", "none"):
            return True
        found = _ORIGIN.match(origin or referer or "")
        if found is None:
            return False
        if self.allows(found[0]) is not None:
            return True
        # A browser that says where it comes from has told us by Sec-Fetch-Site that it is not our
        # own origin.
        return fetch_site is None and host is not None and found[2].lower() == host.lower()
