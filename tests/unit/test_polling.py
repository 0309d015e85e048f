"""Polls, whichever way they come."""

from math import inf
from typing import Any

from feedd.core.subscription import Subscription
from feedd.feed.access import Page
from feedd.feed.polling import Found, Poll, PollQuery
from feedd.feed.ports import Credentials, Forbidden, Unauthorized
from tests.unit.core import CoreCase, Heard, ids

PLAIN = Page(may_be_foreign=False, is_own=False)
BOB = Credentials(name=b"bob")


class PollingCase(CoreCase):
    """A feed that is open; bob hears alice."""

    def setUp(self) -> None:
        super().setUp()
        self.store.friendships.add(("bob", "alice"))
        self.start()
        self.polling = self.feed.polling

    def find(self, cursor: str | None, wait_seconds: float = 50.0, **given: Any) -> Found:
        """The outcome of a poll of bob; it must be there at once."""
        query = PollQuery(BOB, PLAIN, cursor, wait_seconds)._replace(**given)
        return self.now(self.polling.find(query))

    def parked(self, until: float = 0.0, ends: float = inf) -> tuple[Poll, Heard]:
        """A poll of bob that waits, on a subscription of its own."""
        heard = Heard()
        poll = Poll(self.polling, heard, self.subscription(), 50.0, until, ends)
        poll.park()
        return poll, heard

    def subscription(self) -> Subscription:
        """A new subscription of bob, at the end of the log."""
        subscription = self.find(None).reply.subscription
        assert subscription is not None
        return subscription

    def offer(self) -> int:
        """A post of alice is let through; returns its event's id."""
        (event,) = self.commit("alice")
        self.log.offer(event)
        return event.id


class FindTests(PollingCase):
    """`Polling.find`."""

    def test_begin(self) -> None:
        """Without a cursor, or with an empty one, a poll begins now and waits."""
        self.offer()
        for cursor in (None, ""):
            found = self.find(cursor)
            self.assertEqual((found.waits, found.reply.events), (True, []))

    def test_hot(self) -> None:
        """The last cursor of a subscription finds it again, and what is pending on it."""
        first = self.find(None).reply
        again = self.find(first.cursor)
        self.assertIs(again.reply.subscription, first.subscription)
        self.assertTrue(again.waits)
        event = self.offer()
        found = self.find(first.cursor)
        self.assertEqual((ids(found.reply.events), found.waits), ([event], False))

    def test_not_willing(self) -> None:
        """A poll that is not willing to wait is answered, if with nothing."""
        self.assertFalse(self.find(None, 0).waits)

    def test_gap(self) -> None:
        """Nor does one wait whose cursor is of another database."""
        found = self.find("zz.0")
        self.assertEqual((found.reply.gap, found.waits), (True, False))

    def test_until(self) -> None:
        """The authenticator says how long its answer holds."""
        self.assertEqual(self.find(None)[2:], (inf, inf))

    def test_nobody(self) -> None:
        """A poll of nobody is refused."""
        with self.assertRaises(Unauthorized):
            self.find(None, credentials=Credentials())

    def test_cookie(self) -> None:
        """A cookie alone is not enough when a foreign page may be asking."""
        cookie = Credentials(cookie=b"user=bob")
        for may_be_foreign, is_own in ((False, False), (True, True)):
            page = Page(may_be_foreign, is_own)
            self.assertTrue(self.find(None, credentials=cookie, page=page).waits)
        foreign = Page(may_be_foreign=True, is_own=False)
        self.assertTrue(self.find(None, page=foreign).waits)
        with self.assertRaises(Forbidden):
            self.find(None, credentials=cookie, page=foreign)


class ParkTests(PollingCase):
    """A poll that waits."""

    def test_event(self) -> None:
        """An event answers it, once."""
        poll, heard = self.parked()
        self.assertEqual((poll.waits, self.hub.parked), (True, 1))
        event = self.offer()
        self.flush()
        self.assertEqual(heard.answers, [([event], f"k1.{event}~{poll.subscription.handle}")])
        self.assertEqual((poll.waits, self.hub.parked), (False, 0))

    def test_deadline(self) -> None:
        """At its deadline it is answered with nothing, and the cursor has moved with the log."""
        poll, heard = self.parked()
        self.log.settling.note_read(0, 0, 7)
        poll.expire()
        self.assertEqual(heard.answers, [([], f"k1.7~{poll.subscription.handle}")])

    def test_over(self) -> None:
        """After its end neither the deadline nor another end means anything."""
        poll, heard = self.parked()
        for _ in range(2):
            poll.end()
            poll.expire()
        self.assertEqual((heard.answers, self.hub.parked), ([], 0))

    def test_ended_subscription(self) -> None:
        """One whose subscription has ended meanwhile is answered at once."""
        subscription, heard = self.subscription(), Heard()
        self.hub.close(subscription)
        Poll(self.polling, heard, subscription, 50.0).park()
        self.assertEqual(heard.answers, [([], subscription.issued)])

    def test_deadlines(self) -> None:
        """The wheel holds it while it waits, and lets go of it at its end."""
        poll, _ = self.parked()
        self.assertEqual(list(self.turns.deadlines), [poll])
        poll.end()
        self.assertEqual(self.turns.deadlines.held, 0)


class AgainTests(PollingCase):
    """A poll that is asked again."""

    def test_again(self) -> None:
        """It waits again as often as it is asked, and is answered."""
        poll, heard = self.parked(until=10.0)
        for number in range(1, 4):
            self.offer()
            self.flush()
            self.assertEqual(len(heard.answers), number)
            self.turns.now += 3.3
            self.assertTrue(poll.park_again())

    def test_who_asks(self) -> None:
        """Not when it has to be found out again who asks."""
        poll, _ = self.parked(until=10.0)
        self.offer()
        self.flush()
        self.turns.now = 10.0
        self.assertFalse(poll.park_again())

    def test_who_asks_by_the_time_of_day(self) -> None:
        """Nor when the credentials have expired, however little time has passed."""
        poll, _ = self.parked(until=10.0, ends=2_000_000_000.0)
        self.turns.today = 1_999_999_999.0
        self.offer()
        self.flush()
        self.assertTrue(poll.park_again())
        self.offer()
        self.flush()
        self.turns.today += 1.0
        self.assertFalse(poll.park_again())

    def test_something_to_say(self) -> None:
        """Nor when something is pending, or the subscription has ended."""
        poll, _ = self.parked(until=10.0)
        self.offer()
        self.flush()
        self.offer()
        self.assertFalse(poll.park_again())
        self.now(self.polling.find(PollQuery(BOB, PLAIN, poll.subscription.issued, 0.0)))
        self.hub.close(poll.subscription)
        self.assertFalse(poll.park_again())

    def test_somebody_else(self) -> None:
        """Nor when another poll waits on the subscription."""
        poll, _ = self.parked(until=10.0)
        self.offer()
        self.flush()
        Poll(self.polling, Heard(), poll.subscription, 50.0).park()
        self.assertFalse(poll.park_again())


class HoldTests(PollingCase):
    """`Polling.hold`."""

    def test_hold(self) -> None:
        """As long as the client is willing to wait, and no longer than the process holds a poll."""
        for seconds, held in ((1.0, 1.0), (50.0, 50.0), (86_400.0, 50.0)):
            self.assertAlmostEqual(self.polling.hold(seconds), held)

    def test_credentials_end(self) -> None:
        """And no longer than what proves who asks; a poll on what has ended is over at once."""
        for left, held in ((10.0, 10.0), (60.0, 50.0), (0.0, 0.0), (-1.0, 0.0)):
            self.assertAlmostEqual(self.polling.hold(86_400.0, left), held)
