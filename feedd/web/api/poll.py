"""
The long poll: answered at once, or parked until an event or its deadline comes.

This module joins a request to a subscription. It does not know where events come from.
"""

from collections.abc import Callable
from typing import Protocol

from feedd.core.event import Event
from feedd.core.hub import Hub
from feedd.core.subscription import Subscription
from feedd.feed.reading import Reading
from feedd.reactor.deadlines import Deadlines, Expiring
from feedd.web import arguments
from feedd.web.endpoint import Answer, Endpoint, response_to, write
from feedd.web.gate import Gate
from feedd.web.server.request import FeedRequest


class Sink(Protocol):
    """Where one answer goes."""

    def send(self, json: bytes) -> None:
        """Answer with this document; the client may have gone."""


class RequestSink:
    """A request of twisted.web that waits for its answer."""

    __slots__ = ("_request",)

    def __init__(self, request: FeedRequest) -> None:
        self._request = request

    def send(self, json: bytes) -> None:
        """Answer the request."""
        self._request.when_lost(None)
        write(self._request, response_to(self._request, Answer(json)))


class Poll(Expiring):
    """
    A client that waits on a subscription; it is answered exactly once, or it goes.

    :ivar waits: whether it is parked.
    """

    __slots__ = ("_endpoint", "_sink", "subscription", "waits")

    def __init__(self, endpoint: "PollEndpoint", sink: Sink, subscription: Subscription) -> None:
        super().__init__()
        self.subscription = subscription
        self.waits = False
        self._endpoint = endpoint
        self._sink = sink

    def park(self, seconds: float) -> None:
        """Wait, from now on, for so long."""
        self.waits = True
        self._endpoint.deadlines.set(self, seconds)
        self._endpoint.hub.park(self.subscription, self.answer)

    def answer(self, events: list[Event], cursor: str) -> None:
        """Send the events, or none: the listener that the subscription calls."""
        if self.waits:
            self.waits = False
            self._endpoint.deadlines.forget(self)
            self._sink.send(self._endpoint.spell(events, cursor))

    def expire(self) -> None:
        """The time is over: answer with what there is, which is nothing as a rule."""
        if self.waits:
            self._endpoint.hub.leave(self.subscription)
            self.answer(*self._endpoint.reading.take(self.subscription))

    def lost(self) -> None:
        """The client has gone; the subscription lingers for its next poll."""
        self._endpoint.deadlines.forget(self)
        if self.waits:
            self.waits = False
            self._endpoint.hub.leave(self.subscription)


class RepeatedPoll(Poll):
    """
    A poll whose client asks again and again on one connection: parked anew it is the same object,
    and stays on the wheel.

    :ivar before: the bytes of its request up to the cursor,
    :ivar behind: and from there on.
    :ivar wait: how long the client is willing to wait, in seconds.
    :ivar until: how long it is known who asks, in seconds since 1970.
    """

    __slots__ = ("before", "behind", "until", "wait")

    def __init__(
        self,
        endpoint: "PollEndpoint",
        sink: Sink,
        subscription: Subscription,
        request: tuple[bytes, bytes],
        wait: float,
        until: float,
    ) -> None:
        super().__init__(endpoint, sink, subscription)
        self.before, self.behind = request
        self.wait = wait
        self.until = until

    def is_repeated(self, data: bytes, now: float) -> bool:
        """
        Whether `data` asks, to the letter, for the same, with the cursor that was given out last,
        and who asks is known.
        """
        return (
            data == self.before + self.subscription.issued.encode() + self.behind
            and now < self.until
        )

    def park_again(self) -> bool:
        """
        Wait once more, unless something can be said at once, or somebody else waits on the
        subscription.
        """
        endpoint = self._endpoint
        if not endpoint.hub.park_again(self.subscription, self.answer):
            return False
        self.waits = True
        endpoint.deadlines.set(self, endpoint.hold(self.wait))
        return True

    def answer(self, events: list[Event], cursor: str) -> None:
        """The same, but that it may be parked again."""
        if self.waits:
            self.waits = False
            self.due = 0
            self._sink.send(self._endpoint.spell(events, cursor))


class PollEndpoint(Endpoint):
    """
    ``GET /feed/poll``.

    :param degraded: whether events come by the net only.
    :param hold_seconds: how long a poll is held, give or take a twentieth.
    :param random: a number from 0 to 1, so that polls that began together do not end together.
    """

    def __init__(
        self,
        gate: Gate,
        reading: Reading,
        hub: Hub,
        deadlines: Deadlines,
        degraded: Callable[[], bool],
        hold_seconds: float,
        random: Callable[[], float],
    ) -> None:
        super().__init__(gate, {b"GET": self.get})
        self.reading = reading
        self.hub = hub
        self.deadlines = deadlines
        self.degraded = degraded
        self._hold_seconds = hold_seconds
        self._random = random
        self._told: tuple[list[Event], bytes, bytes] = ([], b"", b"")

    async def get(self, request: FeedRequest) -> Answer | None:
        """Answer a poll from its subscription, from memory or from the database; else park it."""
        given = request.args or {}
        wait = arguments.seconds(given, "wait", self._hold_seconds)
        cursor = arguments.cursor(given)
        viewer = await self._gate.user(request)
        reply = self.reading.hot(viewer, cursor) if cursor is not None else None
        if reply is None:
            reply = await self.reading.cold(viewer, cursor)
        held = wait > 0 and request.method == b"GET" and reply.subscription is not None
        if reply.events or reply.gap or not held:
            return Answer(self.spell(reply.events, reply.cursor, reply.more, reply.gap))
        if reply.subscription is not None and not request.gone:
            poll = Poll(self, RequestSink(request), reply.subscription)
            request.when_lost(poll.lost)
            poll.park(self.hold(wait))
        return None

    def spell(
        self, events: list[Event], cursor: str, more: bool = False, gap: bool = False
    ) -> bytes:
        """
        ``{"events": […], "cursor": "…"}`` and what else there is to say.

        The events' bytes are not made again, and what stands around the cursor is made once for all
        to whom the same list goes.
        """
        told, start, end = self._told
        if events is not told or more or gap:
            start = b'{"events":[%s],"cursor":"' % b",".join([event.json for event in events])
            gap_or_more = (b',"gap":true' if gap else b"") + (b',"more":true' if more else b"")
            end = b'"%s%s}' % (gap_or_more, b',"state":"degraded"' if self.degraded() else b"")
            if not gap_or_more:
                self._told = (events, start, end)
        return start + cursor.encode() + end

    def hold(self, wait_seconds: float) -> float:
        """How long to hold a poll that is willing to wait so long."""
        held = wait_seconds if wait_seconds < self._hold_seconds else self._hold_seconds
        return held * (0.95 + 0.1 * self._random())
