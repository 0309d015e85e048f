"""The pages of the site, told from foreign ones by the headers that browsers send."""

import re
from collections.abc import Collection

_ORIGIN = re.compile(r"(https?)://[^/?#]+", re.IGNORECASE)
_PORTS = {"http": ":80", "https": ":443"}


class Origins:
    """
    The origins of the site's own pages.

    :param allowed: origins such as ``https://www.example.org``, as a browser sends them.
    """

    def __init__(self, allowed: Collection[str]) -> None:
        self._allowed = frozenset(_plain(origin.rstrip("/")) for origin in allowed)

    def allows(self, origin: str | None) -> str | None:
        """
        `origin` in lower case when it is one of the configured ones, None for any other.

        It is the value of ``Access-Control-Allow-Origin`` (Fetch standard, 3.2).
        """
        if origin is None or _plain(origin) not in self._allowed:
            return None
        return origin.lower()

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
        if fetch_site is not None or host is None:
            return False
        # A Host names no scheme, and a proxy may have ended the TLS: the page's scheme counts.
        return _plain(found[0]) == _plain(f"{found[1]}://{host}")


def _plain(origin: str) -> str:
    """`origin` in lower case and without the default port of its scheme (RFC 3986, 6.2.3)."""
    plain = origin.lower()
    return plain.removesuffix(_PORTS.get(plain.partition(":")[0], ""))
