"""
One URL: its methods, who may ask, and the one place where a coroutine answers a request.

This module knows requests and answers. It does not know posts, polls or friends.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from feedd.feed.ports import Authenticator, Credentials, Unauthorized
from feedd.web import arguments
from feedd.web.errors import INTERNAL, Forbidden, NoSuchMethod, NoSuchURL, Refusal, TooLarge, refuse
from feedd.web.origin import Origins
from feedd.web.server.site import FeedRequest

_log = Logger()


class Answer(NamedTuple):
    """A JSON document and its status."""

    json: bytes
    status: int = 200


Method = Callable[[FeedRequest], Awaitable[Answer | None]]
"""Answers a request; None when the request is parked and somebody else will."""


class Gate:
    """
    Who is asking, and from which page.

    :param backend: whether an Authorization header holds the backend key.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        origins: Origins,
        backend: Callable[[bytes | None], bool],
    ) -> None:
        self.origins = origins
        self._authenticator = authenticator
        self._backend = backend

    async def user(self, request: FeedRequest) -> str:
        """
        The user who asks.

        :raises Forbidden: when only a cookie says so, and the request could be a foreign page's
            doing: a script tag (JSONP) or a form. A plain GET of JSON is unreadable to a foreign
            page, by CORS.
        """
        headers = request.requestHeaders
        identity = await self._authenticator.identify(
            Credentials(
                authorization=_first(headers.getRawHeaders(b"authorization")),
                token=arguments.one(request.args or {}, "token"),
                name=arguments.one(request.args or {}, "as"),
                cookie=b"; ".join(headers.getRawHeaders(b"cookie") or []) or None,
            )
        )
        if identity.ambient and (
            request.callback is not None or request.method not in (b"GET", b"HEAD")
        ):
            check_page(self._is_own(request))
        return identity.user

    def check_backend(self, request: FeedRequest) -> None:
        """Let only the site's own servers pass."""
        if not self._backend(_first(request.requestHeaders.getRawHeaders(b"authorization"))):
            raise Unauthorized("this takes the backend key: Authorization: Bearer <key>")

    def _is_own(self, request: FeedRequest) -> bool:
        header = request.header
        return self.origins.is_own(
            header("sec-fetch-site"), header("origin"), header("referer"), header("host")
        )


class Endpoint(Resource):
    """
    A URL that answers JSON, or JSONP to a GET with ``callback``.

    A subclass fills `methods`; HEAD is a GET without its body, OPTIONS says what there is.

    :cvar max_body_bytes: how long a body may be; None: as long as the site says.
    """

    isLeaf = True
    max_body_bytes: int | None = None

    def __init__(self, gate: Gate, methods: Mapping[bytes, Method]) -> None:
        super().__init__()
        self._gate = gate
        self._methods = dict(methods)
        if b"GET" in self._methods:
            self._methods[b"HEAD"] = self._methods[b"GET"]

    def render(self, request: Any) -> int:
        """Answer `request`, now or later."""
        self._allow_origin(request)
        if request.method == b"OPTIONS" and self._is_there(request):
            self._preflight(request)
            return NOT_DONE_YET
        answering = Deferred.fromCoroutine(self._answer(request))
        # A poll that has been parked meanwhile has said itself what to do when its client goes.
        if request.method in (b"GET", b"HEAD") and not answering.called:
            request.when_lost(answering.cancel)
        return NOT_DONE_YET

    async def _answer(self, request: FeedRequest) -> None:
        try:
            answer = await self._call(request)
        except Exception as error:
            if request.gone and isinstance(error, CancelledError):
                return
            answer = self._refuse(request, explained(error, request.method, request.path))
        if answer is not None:
            write(request, answer)

    async def _call(self, request: FeedRequest) -> Answer | None:
        if request.method in (b"GET", b"HEAD"):
            request.callback = arguments.callback(request.args or {})
        if not self._is_there(request):
            raise NoSuchURL
        method = self._methods.get(request.method)
        if method is None:
            raise NoSuchMethod
        limit = self.max_body_bytes or request.site.max_body_bytes
        if request.received > limit:
            raise TooLarge(f"the body may have {limit} bytes")
        return await method(request)

    def _is_there(self, request: FeedRequest) -> bool:
        return bool(self._methods) and not (self.isLeaf and any(request.postpath or ()))

    def _refuse(self, request: FeedRequest, refusal: Refusal) -> Answer:
        if refusal.status == 405:
            request.setHeader(b"Allow", b", ".join(sorted({*self._methods, b"OPTIONS"})))
        if refusal.status == 401:
            request.setHeader(b"WWW-Authenticate", b"Bearer")
        if refusal.retry_after_seconds is not None:
            request.setHeader(b"Retry-After", b"%d" % refusal.retry_after_seconds)
        return Answer(refusal.json(with_status=request.callback is not None), refusal.status)

    def _allow_origin(self, request: FeedRequest) -> None:
        """CORS for exactly the allowed origins (Fetch standard, 3.2)."""
        request.setHeader(b"Vary", b"Origin")
        origin = self._gate.origins.allows(request.header("origin"))
        if origin is not None:
            request.setHeader(b"Access-Control-Allow-Origin", origin.encode("latin-1"))
            request.setHeader(b"Access-Control-Allow-Credentials", b"true")

    def _preflight(self, request: FeedRequest) -> None:
        allowed = b", ".join(sorted({*self._methods, b"OPTIONS"}))
        request.setHeader(b"Allow", allowed)
        if request.responseHeaders.hasHeader(b"access-control-allow-origin"):
            request.setHeader(b"Access-Control-Allow-Methods", allowed)
            request.setHeader(
                b"Access-Control-Allow-Headers",
                b"Authorization, Content-Type, Idempotency-Key, Last-Event-ID",
            )
            request.setHeader(b"Access-Control-Max-Age", b"600")
        request.setResponseCode(204)
        request.finish()


class Nothing(Endpoint):
    """Every URL that is not there."""

    isLeaf = False

    def __init__(self, gate: Gate) -> None:
        super().__init__(gate, {})

    def getChild(self, path: bytes, request: Any) -> Any:
        """Nothing, at any depth."""
        return self


class Folder(Resource):
    """A part of the URL that is nothing by itself."""

    def __init__(self, nothing: Nothing, children: Mapping[bytes, Any]) -> None:
        super().__init__()
        self._nothing = nothing
        for name, child in children.items():
            self.putChild(name, child)

    def getChild(self, path: bytes, request: Any) -> Any:
        """What has not been put here is not there."""
        return self._nothing

    def render(self, request: Any) -> int:
        """The folder itself is not there either."""
        return self._nothing.render(request)


def check_page(own: bool) -> None:
    """
    Let only a page of the site pass, when a cookie is all that says who asks.

    :raises Forbidden: for any other.
    """
    if not own:
        raise Forbidden(
            "a cookie alone does not open this to a foreign page; send a token, or allow "
            "the page's origin"
        )


def explained(error: Exception, method: bytes, path: bytes) -> Refusal:
    """
    The answer that `error`, just caught, calls for; what is nobody's mistake but ours is logged.
    """
    refusal = refuse(error)
    if refusal is None:
        _log.failure("{method} {path} failed", method=method, path=path)
        return INTERNAL
    return refusal


def write(request: FeedRequest, answer: Answer) -> None:
    """
    Send `answer`, as JSONP when the request names a callback; a client that has gone gets nothing.
    """
    if request.gone:
        return
    if request.callback is None:
        status, kind, body = answer.status, b"application/json", answer.json
    else:
        # A script tag sees no status, and no body either unless the status is 200.
        status, kind, body = (
            200,
            b"application/javascript; charset=utf-8",
            b"/**/%s(%s);" % (request.callback, answer.json),
        )
    request.setResponseCode(status)
    request.setHeader(b"Content-Type", kind)
    request.setHeader(b"Content-Length", b"%d" % len(body))
    request.setHeader(b"Cache-Control", b"no-store")
    request.setHeader(b"X-Content-Type-Options", b"nosniff")
    request.answer(body)


def _first(values: Sequence[bytes] | None) -> bytes | None:
    return values[0] if values else None
