"""A URL: its methods, and the one place where a coroutine answers a request."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from feedd.web import arguments
from feedd.web.errors import INTERNAL, Encoded, NoSuchMethod, NoSuchURL, Refusal, TooLarge, refuse
from feedd.web.gate import Gate
from feedd.web.responses import Response, document, preflight, refused
from feedd.web.server.request import FeedRequest

_log = Logger()


class Answer(NamedTuple):
    """A JSON document and its status."""

    json: bytes
    status: int = 200


Method = Callable[[FeedRequest], Awaitable[Answer | Response | None]]
"""Answers a request; returns None when the request is parked, to be answered later."""


class Endpoint(Resource):
    """
    A URL that answers JSON, or JSONP to a GET with ``callback``.

    HEAD is a GET without its body, OPTIONS tells the methods.

    :param methods: what answers each method.
    :cvar max_body_bytes: the longest body; None for the limit of the site.
    """

    isLeaf = True
    max_body_bytes: int | None = None

    def __init__(self, gate: Gate, methods: Mapping[bytes, Method]) -> None:
        super().__init__()
        self._gate = gate
        self._methods = dict(methods)
        if b"GET" in self._methods:
            self._methods[b"HEAD"] = self._methods[b"GET"]
        self._allow = b", ".join(sorted({*self._methods, b"OPTIONS"}))

    def render(self, request: Any) -> int:
        """Answer `request`, now or later."""
        request.origin = self._gate.allowed_origin(request)
        if request.method == b"OPTIONS" and self._is_there(request):
            write(request, preflight(self._allow, request.origin))
            return NOT_DONE_YET
        answering = Deferred.fromCoroutine(self._answer(request))
        # A coroutine that has parked its request has ended; the parked poll has set `when_lost`.
        if request.method in (b"GET", b"HEAD") and not answering.called:
            request.when_lost(answering.cancel)
        return NOT_DONE_YET

    async def _answer(self, request: FeedRequest) -> None:
        try:
            answer = await self._call(request)
        except Exception as error:
            if request.gone and isinstance(error, CancelledError):
                return
            refusal = explained(error, request.method, request.path)
            answer = refused(refusal, request.callback, request.origin, self._allow)
        if answer is not None:
            write(request, answer)

    async def _call(self, request: FeedRequest) -> Response | None:
        if request.method in (b"GET", b"HEAD"):
            request.callback = arguments.callback(request.args or {})
        if not self._is_there(request):
            raise NoSuchURL
        method = self._methods.get(request.method)
        if method is None:
            raise NoSuchMethod
        limit = self.max_body_bytes or request.site.max_body_bytes
        if max(request.received, request.announced or 0) > limit:
            raise TooLarge(f"the body may have {limit} bytes")
        if request.is_encoded:
            raise Encoded
        answer = await method(request)
        return response_to(request, answer) if isinstance(answer, Answer) else answer

    def _is_there(self, request: FeedRequest) -> bool:
        return bool(self._methods) and not (self.isLeaf and any(request.postpath or ()))


class Nothing(Endpoint):
    """A URL that is not there."""

    isLeaf = False

    def __init__(self, gate: Gate) -> None:
        super().__init__(gate, {})

    def getChild(self, path: bytes, request: Any) -> Any:
        """Nothing either, at any depth."""
        return self


class Users(Nothing):
    """
    A URL that is nothing by itself, and has each user below it.

    :param make: makes the endpoint of a user, of the segment that names them.
    """

    def __init__(self, gate: Gate, make: Callable[[bytes], Endpoint]) -> None:
        super().__init__(gate)
        self._make = make

    def getChild(self, path: bytes, request: Any) -> Endpoint:
        """The endpoint of the user whom the next segment names."""
        return self._make(path)


class Folder(Resource):
    """
    A part of a URL that is nothing by itself.

    :param children: what is below it, by name.
    """

    def __init__(self, nothing: Nothing, children: Mapping[bytes, Any]) -> None:
        super().__init__()
        self._nothing = nothing
        for name, child in children.items():
            self.putChild(name, child)

    def getChild(self, path: bytes, request: Any) -> Any:
        """A name that is none of the children's."""
        return self._nothing

    def render(self, request: Any) -> int:
        """The folder itself is nothing."""
        return self._nothing.render(request)


def explained(error: Exception, method: bytes, path: bytes) -> Refusal:
    """The refusal that `error`, just caught, calls for; an unexpected error is logged."""
    refusal = refuse(error)
    if refusal is None:
        _log.failure("{method} {path} failed", method=method, path=path)
        return INTERNAL
    return refusal


def response_to(request: FeedRequest, answer: Answer) -> Response:
    """The response that `request` gets: the document, or a call when it names a callback."""
    return document(answer.json, request.callback, answer.status, request.origin)


def write(request: FeedRequest, response: Response) -> None:
    """Send `response`; a client that has gone gets nothing."""
    if request.gone:
        return
    request.setResponseCode(response.status)
    for name, value in response.headers:
        request.setHeader(name, value)
    request.answer(response.body)
