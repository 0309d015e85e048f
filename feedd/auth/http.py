"""
The authenticator by the site's own session: the request's cookies are sent to a URL of the site,
which says whose they are.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, cast

import msgspec
from treq.client import HTTPClient
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IAgent

from feedd.auth.remembered import Answer, Remembered
from feedd.auth.revocation import Revocations
from feedd.core.counters import Counters
from feedd.core.event import is_user
from feedd.feed.ports import Credentials, Identity, Unauthorized, Unavailable
from feedd.feed.settings import Auth
from feedd.reactor.bulkhead import Bulkhead, Full
from feedd.reactor.complaints import Complaints
from feedd.reactor.single_flight import Flight, SingleFlight

MAX_BODY_BYTES = 16_384
BROKEN = frozenset({404, 408, 429})
"""Statuses of a site, besides 5xx, that say nothing about the user."""

TROUBLE_SECONDS = 60.0
"""How long a failure is the state of the site, when nobody asks it again."""

REFUSED_SECONDS = 1.0
"""How long a no is remembered, at most: a user who logs in must not wait for its end."""


class SiteLimits(NamedTuple):
    """
    The bounds of what is asked and remembered.

    :ivar known: requests to the site at the same time, about cookies that it has known before.
    :ivar strangers: and about others: each takes a millisecond of the processor, and anybody can
        make them up.
    :ivar rest_seconds: after each of the latter: they are 400 a second at most, and fewer when the
        process is busy.
    :ivar waiting: questions of each of these that wait. Strangers who were turned away once find
        room up to it, the others up to half of it: who asks again gets in.
    :ivar remembered: answers of the site, yes and no each.
    """

    known: int = 80
    strangers: int = 20
    rest_seconds: float = 0.05
    waiting: int = 1_000
    remembered: int = 20_000


class _Document(msgspec.Struct):
    user: str


class SiteAuth:
    """
    `feedd.feed.ports.Authenticator` that asks the site; 200 and ``{"user": "…"}`` lets in, `BROKEN`
    and 5xx are no answer, and anything else does not let in.
    """

    def __init__(
        self,
        agent: IAgent,
        settings: Auth,
        clock: IReactorTime,
        counters: Counters,
        limits: SiteLimits = SiteLimits(),  # noqa: B008
    ) -> None:
        """
        :param agent: makes the requests; it may pool connections, but must not keep cookies or
            follow redirects.
        """
        self._agent = agent
        self._settings = settings
        self._clock = clock
        self._now: Callable[[], float] = cast(Any, clock).seconds
        self._counters = counters
        self._limits = limits
        self._complain = Complaints(counters, self._now)
        self._trouble = ""
        self._failed_at = 0.0
        self._remembered = Remembered(limits.remembered, self._now, counters)
        self._turned_away: OrderedDict[bytes, None] = OrderedDict()
        self._logouts = 0
        self._revocations = Revocations(counters, limits.remembered)
        self._requests: SingleFlight[Answer] = SingleFlight()
        patience = settings.timeout_seconds
        self._known = Bulkhead(clock, limits.known, patience)
        self._strangers = Bulkhead(clock, limits.strangers, patience, limits.rest_seconds)

    @property
    def trouble(self) -> str:
        """Why the site could not be asked the last time, in a few words; "" when it could."""
        return self._trouble if self._now() - self._failed_at < TROUBLE_SECONDS else ""

    @property
    def remembered(self) -> int:
        """How many answers of the site are remembered."""
        return len(self._remembered)

    async def identify(self, credentials: Credentials) -> Identity:
        """
        The user whom the site knows by these cookies.

        :raises Unauthorized: when it knows nobody by them.
        :raises Unavailable: when the site cannot be asked.
        """
        if not credentials.cookie:
            raise Unauthorized("no cookie")
        key = digest_of(credentials.cookie)
        answer = self._remembered.get(key) or await self._ask(key, credentials.cookie)
        if answer.user is None:
            raise Unauthorized("the site knows nobody by these cookies")
        return Identity(answer.user, ambient=True, until=answer.until)

    async def _ask(self, key: bytes, cookie: bytes) -> Answer:
        """The site's answer; one request for all who offer the same cookies at the same time."""

        async def load(_: Flight[Answer]) -> Answer:
            while True:
                before = self._logouts
                user = await self._in_turn(key, lambda: self._load(cookie))
                if user is None or not self._revocations.refuses(user, before):
                    return self._remember(key, user)

        return await self._requests.join(key, load)

    def revoke(self, user: str, at: int) -> None:
        """Forget what the site has said of `user`; an answer on its way is asked for again."""
        self._remembered.forget_user(user)
        self._logouts += 1
        self._revocations.note(user, self._logouts)

    async def _in_turn(self, key: bytes, call: Callable[[], Awaitable[str | None]]) -> str | None:
        """The result of `call`, in the turn that these cookies have."""
        waiting, part = self._limits.waiting, self._strangers
        if self._remembered.is_known(key):
            part = self._known
        elif key not in self._turned_away:
            waiting //= 2
        self._turned_away.pop(key, None)
        try:
            return await part.run(call, waiting)
        except Full:
            self._counters.add("auth_busy")
            self._turned_away[key] = None
            if len(self._turned_away) > self._limits.remembered:
                self._turned_away.popitem(last=False)
            raise Unavailable("site", "too many logins are being checked") from None

    def _remember(self, key: bytes, user: str | None) -> Answer:
        seconds = self._settings.cache_seconds
        if user is None:
            seconds = min(seconds, REFUSED_SECONDS)
        answer = Answer(user, self._now() + seconds if seconds > 0 else 0.0)
        self._remembered.keep(key, answer)
        return answer

    async def _load(self, cookie: bytes) -> str | None:
        """
        The user; None when the site lets nobody in.

        :raises Unavailable: when the site does not answer properly.
        """
        self._counters.add("auth_requests")
        request = Deferred.fromCoroutine(self._request(cookie))
        try:
            status, body = await request.addTimeout(
                self._settings.timeout_seconds, self._clock, _too_late
            )
        except TimeoutError:
            raise self._unavailable(
                f"no answer within {self._settings.timeout_seconds:g} s"
            ) from None
        except Exception as error:
            raise self._unavailable(f"{_cause(error)} while asking it") from None
        if status >= 500 or status in BROKEN:
            raise self._unavailable(f"it answered {status}")
        self._trouble = ""
        return self._user_in(body) if status == 200 else None

    async def _request(self, cookie: bytes) -> tuple[int, bytes]:
        # A client of its own for each request: it keeps the cookies that an answer sets, and would
        # send them with the next one.
        response = await HTTPClient(self._agent).get(
            self._settings.url,
            headers={"Cookie": cookie, "Accept": "application/json"},
            allow_redirects=False,
            unbuffered=True,
            reactor=self._clock,
        )
        body = _Body()
        response.deliverBody(body)
        return response.code, await body.whole

    def _user_in(self, body: bytes) -> str | None:
        try:
            user = msgspec.json.decode(body, type=_Document).user
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            user = ""
        if is_user(user):
            return user
        self._complain("auth_unreadable", "the site's answer 200 names no user")
        return None

    def _unavailable(self, why: str) -> Unavailable:
        self._complain("auth_unavailable", f"the site cannot be asked: {why}")
        self._trouble, self._failed_at = why, self._now()
        return Unavailable("site", why)


def digest_of(cookie: bytes) -> bytes:
    """A digest to keep in place of a Cookie header, which would let in anybody who reads it."""
    return hashlib.blake2b(cookie, digest_size=32).digest()


class _Body(Protocol):
    """
    Collects a body; one that is longer than `MAX_BODY_BYTES` counts as empty. Cancelling `whole`
    drops the connection.
    """

    def __init__(self) -> None:
        self.whole: Deferred[bytes] = Deferred(self._drop)
        self._parts: list[bytes] = []
        self._bytes = 0

    def dataReceived(self, data: bytes) -> None:
        if self.whole.called:
            return
        self._bytes += len(data)
        self._parts.append(data)
        if self._bytes > MAX_BODY_BYTES:
            self.whole.callback(b"")
            self._drop(None)

    def connectionLost(self, reason: Failure = Failure(ResponseDone())) -> None:  # noqa: B008
        if self.whole.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.whole.callback(b"".join(self._parts))
        else:
            self.whole.errback(reason)

    def _drop(self, _: object) -> None:
        transport: Any = self.transport
        if transport is not None:
            transport.loseConnection()


def _too_late(_: object, seconds: float) -> Failure:
    """
    The time limit's error, whatever the cancelled request has ended in; Twisted's own turns only a
    CancelledError into it.
    """
    return Failure(TimeoutError(seconds, "Deferred"))


def _cause(error: Exception) -> str:
    """The name of what went wrong; the texts of these errors hold addresses at best."""
    reasons = getattr(error, "reasons", None)
    return type(reasons[0].value if reasons else error).__name__
