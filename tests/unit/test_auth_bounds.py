"""Made-up cookies: whom they keep out, and whom not."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from feedd.auth.http import REFUSED_SECONDS, SiteAuth, SiteLimits
from feedd.auth.remembered import COOKIES_A_USER, Answer, Remembered
from feedd.core.counters import Counters
from feedd.feed.ports import Identity, Unauthorized, Unavailable
from tests.unit.test_auth_http import SiteCase, silent

LIMITS = SiteLimits(known=2, strangers=2, waiting=4, remembered=10, rest_seconds=0.0625)


class CrowdTests(SiteCase):
    """Many who are asked about at the same time."""

    def setUp(self) -> None:
        super().setUp()
        self.few = self.made(self.settings, limits=LIMITS)
        self.addCleanup(self.pass_time, LIMITS.rest_seconds)

    def crowd(self, *names: bytes) -> list[Deferred[Identity]]:
        """These ask, and the site does not answer."""
        self.site.answer = silent
        return [self.begin(name, self.few) for name in names]

    def answer(self) -> None:
        """The site answers all that it was asked, and what it is asked from now on."""
        self.site.answer = None
        for request in [request for request in self.site.requests if not request.finished]:
            session = request.getCookie(b"session") or b""
            if session.isalpha():
                request.write(b'{"user":"%b"}' % session)
            request.finish()
        self.agent.flush()
        self.pass_time(LIMITS.rest_seconds * 4)

    def pass_time(self, seconds: float) -> None:
        """So much, in steps in which the site is asked, and no turn comes late."""
        for _ in range(round(seconds / LIMITS.rest_seconds)):
            self.clock.advance(LIMITS.rest_seconds)
            self.agent.flush()

    def test_strangers_wait(self) -> None:
        """Over the bound of strangers the next ones wait, and are asked about in their order."""
        askers = self.crowd(b"a", b"b", b"c", b"d")
        self.assertEqual(len(self.site.requests), 2)
        self.answer()
        names = [self.successResultOf(asker).user for asker in askers]
        self.assertEqual((names, self.counters["auth_busy"]), (list("abcd"), 0))

    def test_rest(self) -> None:
        """The place of a stranger rests, however fast the site answers."""
        askers = self.crowd(b"a", b"b", b"c")
        for request in self.site.requests:
            request.write(b'{"user":"alice"}')
            request.finish()
        self.agent.flush()
        self.clock.advance(LIMITS.rest_seconds / 2)
        self.agent.flush()
        self.assertEqual(len(self.site.requests), 2)
        self.clock.advance(LIMITS.rest_seconds / 2)
        self.agent.flush()
        self.assertEqual(len(self.site.requests), 3)
        self.answer()
        for asker in askers:
            self.successResultOf(asker)

    def test_too_many(self) -> None:
        """When half the room to wait is taken a stranger is told to come again, counted."""
        askers = self.crowd(b"a", b"b", b"c", b"d")
        self.assertIn("too many", self.away(b"e", self.few))
        self.assertEqual((self.counters["auth_busy"], len(self.site.requests)), (1, 2))
        askers.append(self.begin(b"a", self.few))  # joins one that is asked about
        self.answer()
        for asker in askers:
            self.successResultOf(asker)

    def test_come_again(self) -> None:
        """One who was told so and comes again finds room where a newcomer finds none."""
        askers = self.crowd(b"a", b"b", b"c", b"d")
        self.away(b"e", self.few)
        askers.append(self.begin(b"e", self.few))
        self.away(b"f", self.few)
        self.answer()
        self.assertEqual(self.successResultOf(askers[-1]).user, "e")

    def test_turned_away_bounded(self) -> None:
        """Of those who were told so the last ones are remembered."""
        askers = self.crowd(b"a", b"b", b"c", b"d")
        for number in range(LIMITS.remembered + 1):
            self.away(b"x%d" % number, self.few)
        self.away(b"x0", self.few)
        askers.append(self.begin(b"x2", self.few))
        self.answer()
        self.failureResultOf(askers[-1], Unauthorized)

    def test_impatient(self) -> None:
        """
        Who waits longer than the site has time to answer is told so, counted, and takes no place.
        """
        askers = self.crowd(b"a", b"b", b"c", b"d")
        self.clock.advance(3)
        for asker in askers:
            self.failureResultOf(asker, Unavailable)
        self.assertEqual((self.counters["auth_busy"], len(self.site.requests)), (2, 2))
        self.pass_time(1)
        self.site.answer = None
        self.assertEqual(self.user(b"alice", self.few), "alice")

    def test_known(self) -> None:
        """
        Strangers, however many, keep nobody out whom the site has known: neither while the answer
        holds nor when it has to be asked again.
        """
        self.assertEqual(self.user(b"alice", self.few), "alice")
        self.assertEqual(self.user(b"bob", self.few), "bob")
        self.pass_time(1)
        strangers = self.crowd(*(b"x%d" % number for number in range(4)))
        self.assertEqual(self.user(b"alice", self.few), "alice")
        self.clock.advance(2)
        strangers += self.crowd(*(b"y%d" % number for number in range(4)))
        self.clock.advance(2)
        self.site.answer = None
        self.assertEqual(self.user(b"alice", self.few), "alice")
        self.assertEqual(self.user(b"bob", self.few), "bob")
        self.pass_time(6)
        for stranger in strangers:
            self.failureResultOf(stranger)

    def test_many_no(self) -> None:
        """The site's no to strangers, however many, evicts no yes."""
        self.user(b"alice", self.few)
        for number in range(2 * LIMITS.remembered):
            self.failureResultOf(self.begin(b"x%d" % number, self.few), Unauthorized)
            self.clock.advance(LIMITS.rest_seconds)
        self.site.requests.clear()
        self.assertEqual(self.user(b"alice", self.few), "alice")
        self.assertEqual(self.site.requests, [])

    def test_logged_out(self) -> None:
        """One whom the site knows no more is a stranger."""
        self.user(b"alice", self.few)
        self.pass_time(5)
        self.site.answer = lambda request: request.setResponseCode(401) or b""
        self.failureResultOf(self.begin(b"alice", self.few), Unauthorized)
        self.pass_time(REFUSED_SECONDS)
        askers = self.crowd(b"a", b"b", b"c", b"d")
        self.away(b"alice", self.few)
        self.answer()
        for asker in askers:
            self.successResultOf(asker)

    def test_fails_at_once(self) -> None:
        """A site that cannot be asked at all is no recursion for those who wait."""
        waiting: list[Deferred[Any]] = []

        class Nowhere:
            def request(self, *_: object) -> Deferred[Any]:
                waiting.append(Deferred())
                if len(waiting) > 1:
                    waiting[-1].errback(ConnectionRefusedError())
                return waiting[-1]

        limits = SiteLimits(strangers=1, waiting=2000, rest_seconds=0)
        auth: SiteAuth = self.made(self.settings, Nowhere(), limits)
        askers = [self.begin(b"x%d" % number, auth) for number in range(900)]
        waiting[0].errback(ConnectionRefusedError())
        self.clock.advance(0)
        for asker in askers:
            self.failureResultOf(asker, Unavailable)


class RememberedTests(SynchronousTestCase):
    """The memory of the site's answers."""

    def setUp(self) -> None:
        self.now = 0.0
        self.counters = Counters()
        now: Callable[[], float] = lambda: self.now  # noqa: E731
        self.remembered = Remembered(100, now, self.counters)

    def keep(self, key: str, user: str | None, until: float = 1.0) -> None:
        self.remembered.keep(key.encode(), Answer(user, until))

    def test_holds(self) -> None:
        """An answer holds until its time is over; a user is known on."""
        self.keep("a", "alice")
        self.keep("x", None)
        self.assertEqual(self.remembered.get(b"a"), Answer("alice", 1.0))
        self.assertEqual(self.remembered.get(b"x"), Answer(None, 1.0))
        self.now = 1.0
        self.assertEqual([self.remembered.get(key) for key in (b"a", b"x")], [None, None])
        self.assertEqual([self.remembered.is_known(key) for key in (b"a", b"x")], [True, False])

    def test_newest(self) -> None:
        """The newest answer is the one, whatever was before."""
        for user in ("alice", None, "bob", "alice", "alice"):
            self.keep("a", user)
            self.assertEqual(self.remembered.get(b"a"), Answer(user, 1.0))
            self.assertEqual(self.remembered.is_known(b"a"), user is not None)
            self.assertEqual(len(self.remembered), 1)

    def test_bounded(self) -> None:
        """Of each kind the newest are kept, counted; an answer that is given again is new."""
        for number in range(101):
            self.keep(f"a{number}", f"u{number}")
            self.keep(f"x{number}", None)
            self.keep("a0", "u0")
        self.assertEqual((len(self.remembered), self.counters["auth_evictions"]), (200, 2))
        found = [self.remembered.get(key) for key in (b"a0", b"a1", b"x0", b"x1")]
        self.assertEqual([answer is None for answer in found], [False, True, True, False])

    def test_one_user(self) -> None:
        """One user, who may add any cookies to the one that counts, takes nobody's place."""
        self.keep("b", "bob")
        for number in range(1000):
            self.keep(f"a{number}", "alice")
        self.assertTrue(self.remembered.is_known(b"b"))
        self.assertEqual(len(self.remembered), COOKIES_A_USER + 1)
        self.assertTrue(self.remembered.is_known(b"a999"))
