"""The site's own session: what is asked, how often, and what each answer means."""

import json
from collections.abc import Callable
from typing import Any

from treq.testing import RequestTraversalAgent
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from feedd.auth.http import (
    MAX_BODY_BYTES,
    REFUSED_SECONDS,
    SiteAuth,
    SiteLimits,
    digest_of,
)
from feedd.core.counters import Counters
from feedd.feed.ports import Authenticator, Credentials, Identity, Unauthorized, Unavailable
from feedd.feed.settings import Auth
from tests.contracts.authenticator import AuthenticatorContract

URL = "http://site.example.org/whoami?from=feedd"


class Site(Resource):
    """
    The site: the session ``<name>`` is the user's of that name.

    :ivar requests: all it was asked.
    :ivar answer: when set, answers in the place of the site.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []
        self.answer: Callable[[Request], bytes | int] | None = None

    def render_GET(self, request: Request) -> bytes | int:
        self.requests.append(request)
        if self.answer is not None:
            return self.answer(request)
        session = request.getCookie(b"session") or b""
        if not session.isalpha():
            request.setResponseCode(401)
            return b"SECRET"
        request.addCookie(b"session", b"of-somebody-else")
        return json.dumps({"user": session.decode(), "more": [1]}).encode()


def says(code: int, body: bytes = b"", **headers: str) -> Callable[[Request], bytes]:
    """A site that always answers the same."""

    def answer(request: Request) -> bytes:
        request.setResponseCode(code)
        for name, value in headers.items():
            request.setHeader(name, value)
        return body

    return answer


def silent(request: Request) -> int:
    """A site that takes the request and says nothing."""
    return NOT_DONE_YET


def half(request: Request) -> int:
    """A site that begins its answer and does not end it."""
    request.write(b'{"user"')
    return NOT_DONE_YET


class SiteCase(SynchronousTestCase):
    """A site, a clock, and an authenticator over both."""

    settings = Auth(mode="http", url=URL, cache_seconds=5, timeout_seconds=3)

    def setUp(self) -> None:
        self.clock = Clock()
        self.counters = Counters()
        self.site = Site()
        self.agent = RequestTraversalAgent(self.site)
        self.auth = self.made(self.settings)
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def made(
        self,
        settings: Auth,
        agent: Any = None,
        limits: SiteLimits = SiteLimits(rest_seconds=0),  # noqa: B008
    ) -> SiteAuth:
        return SiteAuth(agent or self.agent, settings, self.clock, self.counters, limits)

    def begin(self, session: bytes, auth: SiteAuth | None = None) -> Deferred[Identity]:
        return self.ask(auth or self.auth, Credentials(cookie=b"session=" + session))

    def ask(self, authenticator: Authenticator, credentials: Credentials) -> Deferred[Identity]:
        begun = Deferred.fromCoroutine(authenticator.identify(credentials))
        self.agent.flush()
        return begun

    def user(self, session: bytes, auth: SiteAuth | None = None) -> str:
        identity: Identity = self.successResultOf(self.begin(session, auth))
        return identity.user

    def refused(self, session: bytes) -> None:
        self.failureResultOf(self.begin(session), Unauthorized)

    def away(self, session: bytes = b"alice", auth: SiteAuth | None = None) -> str:
        """Why the site cannot be asked."""
        error = self.failureResultOf(self.begin(session, auth), Unavailable).value
        self.assertEqual(error.part, "site")
        return str(error.why)


class SiteContract(AuthenticatorContract, SiteCase):
    """The contract, over `SiteAuth`."""

    good = ()
    ambient = (
        Credentials(cookie=b"a=b; session=alice"),
        Credentials(b"Bearer x", b"x", b"bob", b"session=alice"),
    )
    bad = (
        Credentials(cookie=b"session=SECRET9"),
        Credentials(cookie=b"other=SECRET"),
        Credentials(cookie=b"\xff\x00SECRET"),
        Credentials(authorization=b"Bearer SECRET", token=b"SECRET", name=b"SECRET"),
    )

    def authenticator(self) -> Authenticator:
        return self.auth


class Asked(SiteCase):
    """What goes to the site."""

    def test_request(self) -> None:
        """The URL is asked with the request's cookies, and with nothing else of the request."""
        self.successResultOf(
            self.ask(
                self.auth,
                Credentials(b"Bearer SECRET", b"SECRET", b"bob", b'a="b c"; session=alice'),
            )
        )
        [request] = self.site.requests
        self.assertEqual(
            (request.uri, request.getHeader("host")), (b"/whoami?from=feedd", "site.example.org")
        )
        self.assertEqual(request.requestHeaders.getRawHeaders("cookie"), ['a="b c"; session=alice'])
        self.assertNotIn("SECRET", str(list(request.requestHeaders.getAllRawHeaders())))

    def test_no_cookie(self) -> None:
        """Without a cookie the site is not asked."""
        self.failureResultOf(self.ask(self.auth, Credentials(token=b"x")), Unauthorized)
        self.assertEqual(self.site.requests, [])

    def test_no_jar(self) -> None:
        """A cookie that the site sets is not sent with the next user's request."""
        self.user(b"alice")
        self.user(b"bob")
        cookies = [request.requestHeaders.getRawHeaders("cookie") for request in self.site.requests]
        self.assertEqual(cookies, [["session=alice"], ["session=bob"]])

    def test_no_redirect(self) -> None:
        """A redirect, to a login page say, is a no and is not followed."""
        self.site.answer = says(302, b'{"user": "alice"}', location="http://evil.example.org/")
        self.refused(b"alice")
        self.assertEqual(len(self.site.requests), 1)


class Answers(SiteCase):
    """What the site says."""

    def test_no(self) -> None:
        """A 4xx is a no, and so is a 200 or 204 that names no user."""
        for number, answer in enumerate(
            [says(code, b'{"user": "alice"}') for code in (201, 204, 301, 400, 401, 403, 410, 418)]
            + [
                says(200, body)
                for body in (
                    b"",
                    b"alice",
                    b"[]",
                    b"{}",
                    b'{"user": null}',
                    b'{"user": 7}',
                    b'{"user": ""}',
                    b'{"user": "a b"}',
                    b'{"user": "' + b"x" * 65 + b'"}',
                    b'{"user": "\xff"}',
                    b'{"user": "alice"',
                    b"[" * 9999,
                    b"<html>",
                )
            ]
        ):
            self.site.answer = answer
            self.refused(b"%d" % number)
        self.assertEqual(self.counters["auth_unreadable"], 13)
        self.assertEqual(self.counters["auth_unavailable"], 0)

    def test_too_long(self) -> None:
        """A body of more than 16 KiB is a no, even when a user stands at its beginning."""
        body = b'{"user": "alice"}'
        self.site.answer = says(200, body + b" " * (MAX_BODY_BYTES - len(body)))
        self.assertEqual(self.user(b"a"), "alice")
        self.site.answer = says(200, body + b" " * (MAX_BODY_BYTES - len(body) + 1))
        self.refused(b"b")

    def test_without_end(self) -> None:
        """A body without end is cut off, and its connection closed."""
        ended: list[Failure] = []

        def endless(request: Request) -> int:
            request.notifyFinish().addErrback(ended.append)
            for _ in range(100):
                request.write(b" " * 1024)
            return NOT_DONE_YET

        self.site.answer = endless
        self.refused(b"alice")
        self.agent.flush()
        self.assertEqual(len(ended), 1)

    def test_errors(self) -> None:
        """
        A 5xx says nothing about the user, nor does a URL that is not there or a site that is busy;
        the site is asked again at once. Until it answers, it is said why it does not.
        """
        codes = (404, 408, 429, 500, 502, 503, 599)
        for code in codes:
            self.site.answer = says(code, b'{"user": "alice"}')
            self.assertIn(str(code), self.away())
            self.assertIn(str(code), self.auth.trouble)
        self.assertEqual(self.counters["auth_unavailable"], len(codes))
        self.site.answer = None
        self.assertEqual(self.user(b"alice"), "alice")
        self.assertEqual(self.auth.trouble, "")

    def test_refused_connection(self) -> None:
        """A site that is not there is unavailable; the reason is named."""

        class Nowhere:
            def request(self, *_: object) -> Deferred[Any]:
                return fail(ConnectionRefusedError())

        self.assertIn("ConnectionRefusedError", self.away(auth=self.made(self.settings, Nowhere())))

    def test_broken_off(self) -> None:
        """An answer that breaks off is no answer."""

        def breaks(request: Request) -> int:
            request.setHeader("content-length", "17")
            request.write(b'{"user"')
            request.transport.loseConnection()
            return NOT_DONE_YET

        self.site.answer = breaks
        begun = self.begin(b"alice")
        self.agent.flush()
        self.failureResultOf(begun, Unavailable)

    def test_time_limit(self) -> None:
        """The time limit is one for request and body, and the connection is closed at its end."""
        for answer in (silent, half):
            ended: list[Failure] = []

            def slow(request: Request, answer: Any = answer, ended: list[Failure] = ended) -> int:
                request.notifyFinish().addErrback(ended.append)
                result: int = answer(request)
                return result

            self.site.answer = slow
            begun = self.begin(b"alice")
            self.clock.advance(2.9)
            self.assertNoResult(begun)
            self.clock.advance(0.1)
            self.assertIn("3 s", self.failureResultOf(begun, Unavailable).value.why)
            self.agent.flush()
            self.assertEqual(len(ended), 1)


class Remembered(SiteCase):
    """How often the site is asked."""

    def test_yes(self) -> None:
        """A user is remembered for `cache_seconds`."""
        for _ in range(3):
            self.assertEqual(self.user(b"alice"), "alice")
        self.clock.advance(4.9)
        self.user(b"alice")
        self.assertEqual(len(self.site.requests), 1)
        self.clock.advance(0.1)
        self.user(b"alice")
        self.assertEqual(len(self.site.requests), 2)

    def test_no(self) -> None:
        """A no is remembered for a shorter time."""
        for _ in range(3):
            self.refused(b"9")
        self.assertEqual(len(self.site.requests), 1)
        self.clock.advance(REFUSED_SECONDS)
        self.refused(b"9")
        self.assertEqual(len(self.site.requests), 2)

    def test_off(self) -> None:
        """With 0 seconds nothing is remembered."""
        auth = self.made(Auth(mode="http", url=URL, cache_seconds=0))
        for _ in range(3):
            self.user(b"alice", auth)
        self.assertEqual(len(self.site.requests), 3)

    def test_by_the_whole_header(self) -> None:
        """Other cookies are another answer."""
        self.assertEqual([self.user(b"alice"), self.user(b"bob")], ["alice", "bob"])

    def test_no_cookie_is_kept(self) -> None:
        """What is kept is as long for any cookies, and does not show them."""
        short, long = (digest_of(b"session=SECRET" * times) for times in (1, 1000))
        self.assertEqual((len(short), len(long), short == long), (32, 32, False))
        self.assertNotIn(b"SECRET", short + long)

    def test_together(self) -> None:
        """Many who offer the same cookies at the same time cost one request."""
        self.site.answer = silent
        askers = [self.begin(b"alice") for _ in range(50)]
        [request] = self.site.requests
        request.write(b'{"user": "alice"}')
        request.finish()
        self.agent.flush()
        self.assertEqual({self.successResultOf(asker).user for asker in askers}, {"alice"})

    def test_one_goes(self) -> None:
        """An asker who goes away, even the first one, takes nobody along."""
        self.site.answer = silent
        first, second = self.begin(b"alice"), self.begin(b"alice")
        first.cancel()
        self.failureResultOf(first, CancelledError)
        [request] = self.site.requests
        request.write(b'{"user": "alice"}')
        request.finish()
        self.agent.flush()
        self.assertEqual(self.successResultOf(second).user, "alice")
        self.assertEqual(self.user(b"alice"), "alice")

    def test_together_away(self) -> None:
        """All who wait hear that the site is away."""
        self.site.answer = silent
        askers = [self.begin(b"alice") for _ in range(3)]
        self.clock.advance(3)
        for asker in askers:
            self.failureResultOf(asker, Unavailable)
