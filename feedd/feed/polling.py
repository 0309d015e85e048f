"""
A poll, whichever way it comes: the user who asks, the answer, and how long the poll waits for one.

Each way of the web reads a `PollQuery`, lets `Polling` find the answer, and writes it, or lets the
`Poll` wait.
"""

from math import inf
from typing import NamedTuple, Protocol

from feedd.core.hub import Hub
from feedd.core.subscription import Listener, Subscription
from feedd.feed.access import Page, check_page
from feedd.feed.ports import Authenticator, Credentials
from feedd.feed.reading import Reading, Reply


class PollQuery(NamedTuple):
    """
    The question of a poll.

    :ivar cursor: None, or "", to begin now.
    :ivar wait_seconds: how long its client is willing to wait; 0 for an answer at once.
    """

    credentials: Credentials
    page: Page
    cursor: str | None
    wait_seconds: float


class Found(NamedTuple):
    """
    The outcome of a poll.

    :ivar waits: the poll has to wait on the reply's subscription; else the reply is its answer.
    :ivar until: until then the same credentials need not be checked, see `Identity`,
    :ivar ends: and from then on they are worth nothing.
    """

    reply: Reply
    waits: bool
    until: float
    ends: float


class Deadlines(Protocol):
    """The wheel of the polls' deadlines, see `feedd.reactor.deadlines`."""

    def set(self, item: "Poll", seconds: float) -> None:
        """Let `item` expire in `seconds`, and not when it was to before."""

    def forget(self, item: "Poll") -> None:
        """Let go of `item`."""


class Surroundings(Protocol):
    """The process that polls wait in, as far as they need it."""

    @property
    def deadlines(self) -> Deadlines:
        """The wheel on which they wait."""

    def seconds(self) -> float:
        """The time, of the monotonic clock."""

    def time_of_day(self) -> float:
        """Seconds since 1970, of the clock that may be set."""

    def random(self) -> float:
        """A number from 0 to 1."""


class Polling:
    """
    Finds the answers of polls, and lets polls wait.

    :ivar hold_seconds: how long a poll is held at most, give or take a twentieth.
    :ivar seconds: the monotonic clock,
    :ivar time_of_day: and the one that may be set.
    """

    def __init__(
        self,
        reading: Reading,
        hub: Hub,
        authenticator: Authenticator,
        surroundings: Surroundings,
        hold_seconds: float,
    ) -> None:
        self.reading = reading
        self.hub = hub
        self.deadlines = surroundings.deadlines
        self.hold_seconds = hold_seconds
        self._authenticator = authenticator
        self._random = surroundings.random
        self.seconds = surroundings.seconds
        self.time_of_day = surroundings.time_of_day

    async def find(self, query: PollQuery) -> Found:
        """
        The answer to a poll, from its subscription, from memory or from the database.

        It does not wait as long as the authenticator does not and the subscription is hot.

        :raises Unauthorized: when nobody is logged in.
        :raises Forbidden: when only a cookie says who asks, and that is not enough.
        :raises BadCursor: when the cursor is none.
        :raises Unavailable: when that cannot be found out now.
        """
        identity = await self._authenticator.identify(query.credentials)
        check_page(identity, query.page)
        cursor = query.cursor or None
        reply = self.reading.hot(identity.user, cursor) if cursor is not None else None
        if reply is None:
            reply = await self.reading.cold(identity.user, cursor)
        waits = bool(
            query.wait_seconds > 0
            and reply.subscription is not None
            and not reply.events
            and not reply.gap
        )
        return Found(reply, waits, identity.until, identity.ends)

    def hold(self, wait_seconds: float, left_seconds: float = inf) -> float:
        """
        How long to hold a poll whose client is willing to wait so long.

        Polls that began together, after a restart for example, must not end together.

        :param left_seconds: in how many seconds its credentials end.
        """
        held = wait_seconds if wait_seconds < self.hold_seconds else self.hold_seconds
        held *= 0.95 + 0.1 * self._random()
        return held if held < left_seconds else max(left_seconds, 0.0)


class Poll:
    """
    A poll that waits on a subscription and is answered once, or whose client asks for just the same
    again: then it is the same object, and stays on the wheel of the deadlines.

    When its listener is answered, the listener takes the deadline back: it sets `due` to 0, or
    calls `end`.

    :param listener: waits on the subscription.
    :param wait_seconds: how long its client is willing to wait.
    :param until: as in `Found`,
    :param ends: and this.
    :ivar due: see `feedd.reactor.deadlines.Item`,
    :ivar slot: and this.
    """

    __slots__ = (
        "_ends",
        "_listener",
        "_polling",
        "_until",
        "_wait_seconds",
        "due",
        "slot",
        "subscription",
    )

    def __init__(
        self,
        polling: Polling,
        listener: Listener,
        subscription: Subscription,
        wait_seconds: float,
        until: float = 0.0,
        ends: float = inf,
    ) -> None:
        self.due = 0
        self.slot = 0
        self.subscription = subscription
        self._ends = ends
        self._listener = listener
        self._polling = polling
        self._until = until
        self._wait_seconds = wait_seconds

    @property
    def waits(self) -> bool:
        """Whether it waits now."""
        return self.subscription.listener is self._listener

    def park(self) -> None:
        """Wait from now on; whoever waits on the subscription is answered with nothing."""
        polling = self._polling
        left_seconds = self._ends - polling.time_of_day()
        polling.deadlines.set(self, polling.hold(self._wait_seconds, left_seconds))
        polling.hub.park(self.subscription, self._listener)

    def park_again(self) -> bool:
        """
        Wait once more, and return whether it does.

        It does not when who asks has to be found out again, when there is something to say at once,
        and when somebody else waits on the subscription.
        """
        polling = self._polling
        left_seconds = self._ends - polling.time_of_day()
        if polling.seconds() >= self._until or left_seconds <= 0:
            return False
        if not polling.hub.park_again(self.subscription, self._listener):
            return False
        polling.deadlines.set(self, polling.hold(self._wait_seconds, left_seconds))
        return True

    def expire(self) -> None:
        """The time is over: answer with what there is, which is nothing as a rule."""
        if self.waits:
            subscription, polling = self.subscription, self._polling
            polling.hub.answer(subscription, polling.reading.take(subscription))

    def end(self) -> None:
        """
        Wait no more, and never again: the client is gone, or asks for something else. The
        subscription is kept for a while.
        """
        self._polling.deadlines.forget(self)
        if self.waits:
            self._polling.hub.leave(self.subscription)
