"""The gate: a user passes from a page that may speak for this user; so do the site's servers."""

from collections.abc import Callable, Sequence

from feedd.feed.access import Page, check_page
from feedd.feed.ports import Authenticator, Credentials, Unauthorized
from feedd.web import arguments
from feedd.web.origin import Origins
from feedd.web.server.request import FeedRequest


class Gate:
    """
    Lets a request pass, or raises.

    :param backend: whether an Authorization header holds the backend key.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        origins: Origins,
        backend: Callable[[bytes | None], bool],
    ) -> None:
        self._authenticator = authenticator
        self._origins = origins
        self._backend = backend

    async def user(self, request: FeedRequest) -> str:
        """
        The user who asks.

        :raises Forbidden: when only a cookie says so, and that is not enough; see `check_page`.
        :raises Unauthorized: when nobody is logged in.
        :raises Unavailable: when that cannot be found out now.
        """
        identity = await self._authenticator.identify(credentials_of(request))
        check_page(identity, self.page_of(request))
        return identity.user

    def check_backend(self, request: FeedRequest) -> None:
        """
        Let only the site's own servers pass.

        :raises Unauthorized: when the request does not have the backend key.
        """
        if not self.is_backend(request):
            raise Unauthorized("this takes the backend key: Authorization: Bearer <key>")

    def is_backend(self, request: FeedRequest) -> bool:
        """Whether the site's own servers ask: the request has the backend key."""
        return self._backend(_first(request.requestHeaders.getRawHeaders(b"authorization")))

    def page_of(self, request: FeedRequest) -> Page:
        """The page that a request may come from."""
        if request.callback is None and request.method in (b"GET", b"HEAD"):
            return Page(may_be_foreign=False, is_own=False)
        header = request.header
        is_own = self._origins.is_own(
            header("sec-fetch-site"), header("origin"), header("referer"), header("host")
        )
        return Page(may_be_foreign=True, is_own=is_own)

    def allowed_origin(self, request: FeedRequest) -> bytes | None:
        """The origin of the page that asks, if it may read the response; see `Origins.allows`."""
        origin = self._origins.allows(request.header("origin"))
        return None if origin is None else origin.encode("latin-1")


def credentials_of(request: FeedRequest) -> Credentials:
    """
    What a request offers as proof of who asks.

    :raises BadArgument: when ``token`` or ``as`` is given twice.
    """
    headers, given = request.requestHeaders, request.args or {}
    return Credentials(
        authorization=_first(headers.getRawHeaders(b"authorization")),
        token=arguments.one(given, "token"),
        name=arguments.one(given, "as"),
        cookie=b"; ".join(headers.getRawHeaders(b"cookie") or []) or None,
    )


def _first(values: Sequence[bytes] | None) -> bytes | None:
    return values[0] if values else None
