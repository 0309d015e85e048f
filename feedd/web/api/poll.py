"""The long poll as twisted.web brings it: read here, answered by `feedd.feed.polling`."""

from collections.abc import Callable

from feedd.core.event import Event
from feedd.core.subscription import Subscription
from feedd.feed.polling import Poll, Polling, PollQuery
from feedd.feed.reading import Reply
from feedd.web import arguments
from feedd.web.endpoint import Answer, Endpoint, response_to, write
from feedd.web.gate import Gate, credentials_of
from feedd.web.server.request import FeedRequest


class PollDocuments:
    """
    The JSON of polls' answers.

    :param is_degraded: whether events come by the net only.
    """

    def __init__(self, is_degraded: Callable[[], bool]) -> None:
        self._is_degraded = is_degraded
        self._told: tuple[list[Event], bytes, bytes] = ([], b"", b"")

    def of(self, events: list[Event], cursor: str, more: bool = False, gap: bool = False) -> bytes:
        """
        ``{"events": […], "cursor": "…"}`` and what else there is to say.

        The events' bytes are not made again, and what stands around the cursor is made once for all
        to whom the same list goes.
        """
        told, start, end = self._told
        if events is not told or more or gap:
            start = b'{"events":[%s],"cursor":"' % b",".join([event.json for event in events])
            gap_or_more = (b',"gap":true' if gap else b"") + (b',"more":true' if more else b"")
            state = b',"state":"degraded"' if self._is_degraded() else b""
            end = b'"%s%s}' % (gap_or_more, state)
            if not gap_or_more:
                self._told = (events, start, end)
        return start + cursor.encode() + end

    def of_reply(self, reply: Reply) -> bytes:
        """The answer to a poll that does not wait."""
        return self.of(reply.events, reply.cursor, reply.more, reply.gap)


class PollEndpoint(Endpoint):
    """``GET /feed/poll``."""

    def __init__(self, gate: Gate, polling: Polling, documents: PollDocuments) -> None:
        super().__init__(gate, {b"GET": self.get})
        self._polling = polling
        self._documents = documents

    async def get(self, request: FeedRequest) -> Answer | None:
        """Answer a poll, or let it wait."""
        query = self._query(request)
        reply, waits, _ = await self._polling.find(query)
        if not waits or reply.subscription is None:
            return Answer(self._documents.of_reply(reply))
        if not request.gone:
            WaitingRequest(request, self._documents).park(
                self._polling, reply.subscription, query.wait_seconds
            )
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

    __slots__ = ("_documents", "_poll", "_request")

    def __init__(self, request: FeedRequest, documents: PollDocuments) -> None:
        self._request = request
        self._documents = documents

    def park(self, polling: Polling, subscription: Subscription, wait_seconds: float) -> None:
        """Wait from now on, for as long as the client is there."""
        self._poll = Poll(polling, self, subscription, wait_seconds)
        self._request.when_lost(self._poll.end)
        self._poll.park()

    def send(self, events: list[Event], cursor: str) -> None:
        """Answer the request, and let go of it: the next poll is another one."""
        self._poll.end()
        self._request.when_lost(None)
        document = self._documents.of(events, cursor)
        write(self._request, response_to(self._request, Answer(document)))
