"""The long poll as twisted.web brings it: read here, answered by `feedd.feed.polling`."""

from feedd.feed.polling import Poll, Polling, PollQuery
from feedd.web import arguments
from feedd.web.endpoint import Answer, Endpoint, response_to, write
from feedd.web.gate import Gate, credentials_of
from feedd.web.rendering import Renderer, Rendering
from feedd.web.server.request import FeedRequest


class PollEndpoint(Endpoint):
    """``GET /feed/poll``."""

    def __init__(self, gate: Gate, polling: Polling, renderer: Renderer) -> None:
        super().__init__(gate, {b"GET": self.get})
        self._polling = polling
        self._renderer = renderer

    async def get(self, request: FeedRequest) -> Answer | None:
        """Answer a poll, or let it wait."""
        query = self._query(request)
        reply, waits, _, ends = await self._polling.find(query)
        if not waits or reply.subscription is None:
            return Answer(self._renderer.document(reply))
        if not request.gone:
            waiting = WaitingRequest(request)
            poll = Poll(self._polling, waiting, reply.subscription, query.wait_seconds, ends=ends)
            waiting.park(poll)
        return None

    def _query(self, request: FeedRequest) -> PollQuery:
        given = request.args or {}
        wait_seconds = arguments.seconds(given, "wait", self._polling.hold_seconds)
        cursor = arguments.cursor(given)
        return PollQuery(
            credentials_of(request),
            self._gate.page_of(request),
            cursor,
            wait_seconds if request.method == b"GET" else 0.0,
        )


class WaitingRequest:
    """A request of twisted.web whose poll waits."""

    __slots__ = ("_poll", "_request")

    def __init__(self, request: FeedRequest) -> None:
        self._request = request

    def park(self, poll: Poll) -> None:
        """Let `poll` wait from now on, for as long as the client is there."""
        self._poll = poll
        self._request.when_lost(poll.end)
        poll.park()
        self._request.when_hurried(poll.expire)

    def work_out(self, rendering: Rendering, handle: str) -> tuple["WaitingRequest", bytes]:
        """Let go of the poll: the next one is another request. Returns the document."""
        self._poll.end()
        self._request.when_lost(None)
        return self, rendering.document(handle)

    def send_now(self, document: bytes) -> None:
        """Answer the request."""
        write(self._request, response_to(self._request, Answer(document)))
