"""The pages of the site, told from foreign ones by the headers that browsers send."""

import re
from collections.abc import Collection

_ORIGIN = re.compile(r"(https?)://([^/?#]+)", re.IGNORECASE)


class Origins:
    """
    The origins of the site's own pages.

    :param allowed: origins such as ``https://www.example.org``, as a browser sends them.
    """

    def __init__(self, allowed: Collection[str]) -> None:
        self._allowed = frozenset(origin.lower().rstrip("/") for origin in allowed)

    def allows(self, origin: str | None) -> str | None:
        """
        The configured origin that `origin` is, None for any other.

        It is the value of ``Access-Control-Allow-Origin`` (Fetch standard, 3.2).
        """
        if origin is None:
            return None
        wanted = origin.lower()
        return wanted if wanted in self._allowed else None

    def is_own(
        self, fetch_site: str | None, origin: str | None, referer: str | None, host: str | None
    ) -> bool:
        """
        Whether a page of the site asks, by headers that a page's script cannot set.

        :param fetch_site: Sec-Fetch-Site (W3C Fetch Metadata); ``same-origin``, and ``none`` for
            what the user did without a page, are enough.
        :param origin: the Origin header; without one `referer` counts. It is that of an allowed
            site, or of the `host` that was asked.
        """
        if fetch_site in ("same-origin", "none"):
            return True
        found = _ORIGIN.match(origin or referer or "")
        if found is None:
            return False
        if self.allows(found[0]) is not None:
            return True
        # The page may be of the very origin that was asked. A browser that sends Sec-Fetch-Site
        # has said already that it is not.
        return fetch_site is None and host is not None and found[2].lower() == host.lower()
