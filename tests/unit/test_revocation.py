"""Logouts: which tokens they refuse, and what they do to polls."""

from twisted.trial.unittest import SynchronousTestCase

from feedd.auth.revocation import MOST, Revocations
from feedd.core.counters import Counters
from feedd.core.event import Event, make_event
from feedd.feed.settings import Auth
from feedd.store.tables import logouts
from tests.unit.core import CoreCase, Heard, HubCase, change, post
from tests.unit.test_auth_token import NOW, TokenCase, good

AT = NOW * 1000
"""The beginning of the second in which the tests begin, in milliseconds."""


def logout(id: int, user: str, at: int = AT) -> Event:
    """A ``logout`` of the log."""
    return make_event(id, "logout", user, None, b"{}", at)


class RevocationsTests(SynchronousTestCase):
    """What is remembered."""

    def setUp(self) -> None:
        self.counters = Counters()
        self.revocations = Revocations(self.counters, most=2)

    def test_older(self) -> None:
        """What was issued before the last logout is refused, of that user alone."""
        self.revocations.note("ann", 5)
        self.revocations.note("ann", 3)
        refused = [self.revocations.refuses("ann", issued) for issued in (4, 5, 6)]
        self.assertEqual(refused, [True, False, False])
        self.assertFalse(self.revocations.refuses("bob", 4))

    def test_started_with_too_many(self) -> None:
        """A process that starts is told of one more than it remembers, and refuses what it did."""
        self.assertEqual(logouts.MOST, MOST + 1)
        for at, user in enumerate(("bob", "cy", "dora"), 2):  # ann, at 1, is not among them
            self.revocations.note(user, at)
        self.assertTrue(self.revocations.refuses("ann", 0))

    def test_late(self) -> None:
        """An older one that comes late lets nobody in whom a merged one has refused."""
        for at, user in ((7, "ann"), (8, "bob"), (9, "cy")):
            self.revocations.note(user, at)
        self.revocations.note("ann", 5)
        self.assertTrue(self.revocations.refuses("ann", 6))

    def test_full(self) -> None:
        """Past the bound the oldest counts for everybody; nothing that it refused is let in."""
        for at, user in enumerate(("ann", "bob", "ann", "cy", "dora"), 1):
            self.revocations.note(user, at)
        self.assertEqual(self.counters["auth_logouts_dropped"], 2)
        for user in ("ann", "bob", "eve"):
            self.assertTrue(self.revocations.refuses(user, 2))
            self.assertFalse(self.revocations.refuses(user, 3))
        self.assertTrue(self.revocations.refuses("cy", 3))


class TokenTests(TokenCase):
    """Tokens that were issued before or after a logout."""

    def test_issued_at(self) -> None:
        """A token of the second of the logout is good, as a new login may follow at once."""
        auth = self.auth()
        self.seconds = NOW + 60.0
        before, same, after = (good(iat=NOW + second) for second in (9, 10, 11))
        self.assertEqual(self.user(auth, before), "alice")
        auth.revoke("alice", AT + 10_500)
        self.assertIn("logged out", self.refused(before, auth))
        for token in (same, after):
            self.assertEqual(self.user(auth, token), "alice")

    def test_parts_of_a_second(self) -> None:
        """A site may say it exactly."""
        auth = self.auth()
        self.seconds = NOW + 60.0
        auth.revoke("alice", AT + 10_500)
        self.refused(good(iat=NOW + 10.25), auth)
        self.assertEqual(self.user(auth, good(iat=NOW + 10.75)), "alice")

    def test_not_from_the_future(self) -> None:
        """A clock that is ahead does not make a token newer than when it was first seen."""
        auth = self.auth()
        token = good(iat=NOW + 3600)
        self.assertEqual(self.user(auth, token), "alice")
        self.seconds = NOW + 10.0
        auth.revoke("alice", AT + 10_000)
        self.refused(token, auth)

    def test_without_iat(self) -> None:
        """It counts as issued so long before its end; one that lives longer, as long ago."""
        auth = self.auth(settings=Auth(leeway_seconds=0, max_token_seconds=100))
        self.seconds = NOW + 60.0
        auth.revoke("alice", AT)
        for end, is_good in ((99, False), (101, True), (159, True), (161, False)):
            token = good(exp=NOW + end)
            if is_good:
                self.assertEqual(self.user(auth, token), "alice")
            else:
                self.refused(token, auth)
        self.assertEqual(self.user(auth, good(sub="bob", exp=NOW + 10**6)), "bob")

    def test_logged_out_in_the_future(self) -> None:
        """Whatever time a site has written, a user can log in again: it counts as now."""
        auth = self.auth(settings=Auth(leeway_seconds=30))
        auth.revoke("alice", 2**53 - 1)
        self.refused(good(iat=NOW), auth)
        self.seconds = NOW + 31.0
        self.assertEqual(self.user(auth, good(iat=NOW + 31)), "alice")

    def test_no_time(self) -> None:
        """An ``iat`` that is none is refused."""
        for wrong in ("now", None, True, -1):
            self.assertIn("iat", self.refused(good(iat=wrong), self.auth()))


class HubTests(HubCase):
    """What ends."""

    def test_ends(self) -> None:
        """The user's polls end with nothing; those of their friends are told nothing."""
        (subscription, heard), (_, friend) = self.park("al", "bob"), self.park("bob", "al")
        self.hub.dispatch(logout(1, "al"))
        self.flush()
        self.assertEqual((heard.answers, friend.answers), ([([], "k1.0~h1")], []))
        self.assertFalse(subscription.open)
        self.assertEqual(self.logged_out_users, ["al"])


class ReadingTests(CoreCase):
    """It is told to nobody, wherever it comes from."""

    recent_events = 4

    def test_untold(self) -> None:
        """Neither from memory nor from the database; the cursor goes past it."""
        self.start()
        self.commit("al", 2)
        self.now(self.posting.log_out("al"))
        self.assertEqual(self.authenticator.revoked.keys(), {"al"})
        self.tick()
        for cursor in ("k1.2", "k1.1"):
            reply = self.now(self.reading.cold("al", cursor))
            self.assertEqual([event.id for event in reply.events], [2] if cursor == "k1.1" else [])
            self.assertTrue(reply.cursor.startswith("k1.3"), reply.cursor)
        self.commit("al", 6)
        self.tick()
        reply = self.now(self.reading.cold("al", "k1.1"))
        self.assertEqual([event.id for event in reply.events], [2, *range(4, 10)])

    def test_begins_with(self) -> None:
        """A process that starts later knows it."""
        self.now(self.store.log_out("al"))
        self.start()
        self.assertEqual(self.authenticator.revoked.keys(), {"al"})

    def test_begins_with_events(self) -> None:
        """So does it where a site has written the event alone, as long as the log ends with it."""
        transaction = self.store.begin()
        transaction.insert("logout", "al", None, b"{}")
        transaction.commit()
        self.start()
        self.assertEqual(self.authenticator.revoked.keys(), {"al"})

    def test_no_friend_hears_it(self) -> None:
        """A new friend is not told what the other did before."""
        self.start()
        heard, reply = Heard(), self.now(self.reading.cold("bob", None))
        assert reply.subscription is not None
        self.hub.park(reply.subscription, heard)
        self.log.offer(change(1, "friend", "bob", "al"))
        self.log.offer(logout(2, "al"))
        self.log.offer(post(3, "al"))
        self.flush()
        self.assertEqual(heard.ids, [1, 3])
