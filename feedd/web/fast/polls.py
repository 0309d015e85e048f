"""
How a poll of the fast way comes to its answer.

It leads to the same `Reading` and the same `Poll` as the plain way, and answers the same bytes. A
poll is answered or parked at once when its user is known and its subscription is hot; for any other
the connection looks.
"""

from collections.abc import Callable

from twisted.internet.defer import CancelledError

from feedd.feed.ports import Authenticator, Identity
from feedd.feed.reading import Reply
from feedd.web.api.poll import PollEndpoint, RepeatedPoll
from feedd.web.endpoint import explained
from feedd.web.fast.connection import FastConnection
from feedd.web.fast.request import PollParser, PollRequest
from feedd.web.gate import check_page
from feedd.web.responses import Spelling


class FastPolls:
    """Answers polls, for all connections of a site."""

    def __init__(
        self,
        endpoint: PollEndpoint,
        authenticator: Authenticator,
        parser: PollParser,
        now: Callable[[], float],
    ) -> None:
        """:param now: seconds since 1970."""
        self.parser = parser
        self.spelling = Spelling(now)
        self.now = now
        self._endpoint = endpoint
        self._authenticator = authenticator

    def begin(self, connection: FastConnection, request: PollRequest) -> None:
        """Let `connection` answer, park or look."""
        known = self._authenticator.known(request.credentials)
        reply = self._hot(known.identity, request) if known is not None else None
        if known is not None and reply is not None:
            self._reply(connection, request, known.until, reply)
        else:
            connection.look(self._look(connection, request))

    def _hot(self, identity: Identity, request: PollRequest) -> Reply | None:
        if identity.ambient and request.callback is not None and not request.own:
            return None
        return self._endpoint.reading.hot(identity.user, request.cursor)

    async def _look(self, connection: FastConnection, request: PollRequest) -> None:
        """Find out who asks, or what they have missed."""
        try:
            reply = await self._found(request)
        except CancelledError:
            return  # the client has gone
        except Exception as error:
            refusal = explained(error, b"GET", b"/feed/poll")
            if connection.end_look():
                connection.refuse(refusal)
            return
        known = self._authenticator.known(request.credentials)
        if connection.end_look():
            until = known.until if known is not None else 0.0
            self._reply(connection, request, until, reply)

    async def _found(self, request: PollRequest) -> Reply:
        identity = await self._authenticator.identify(request.credentials)
        if identity.ambient and request.callback is not None:
            check_page(request.own)
        reading = self._endpoint.reading
        return reading.hot(identity.user, request.cursor) or await reading.cold(
            identity.user, request.cursor or None
        )

    def _reply(
        self, connection: FastConnection, request: PollRequest, until: float, reply: Reply
    ) -> None:
        endpoint, poll = self._endpoint, None
        if reply.subscription is not None:
            poll = RepeatedPoll(
                endpoint,
                connection,
                reply.subscription,
                (request.before, request.behind),
                request.wait_seconds,
                until,
            )
        if poll is None or reply.events or reply.gap:
            json = endpoint.spell(reply.events, reply.cursor, reply.more, reply.gap)
            connection.answer(json, poll)
        else:
            connection.park(poll, endpoint.hold(request.wait_seconds))
