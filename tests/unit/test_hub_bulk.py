"""However many end, or begin to be heard, at once: no call is long, and nothing is lost."""

from feedd.core.horizon import Horizon
from feedd.core.roster import LEAVE
from feedd.core.subscription import Subscription
from tests.unit.core import Heard, HubCase, change, ids, post

MANY = 5_000


class BulkCase(HubCase):
    """A hub that does little at once."""

    max_pending = 10
    max_subscriptions = per_user = 3 * MANY
    at_once = 100

    def names(self, count: int, step: int = 1) -> list[str]:
        """Friends, ascending."""
        return [f"f{number:05}" for number in range(0, count, step)]

    def work(self) -> int:
        """Do all long work; returns in how many turns."""
        turns = 0
        while self.hub.has_work:
            self.hub.go_on()
            turns += 1
        return turns


class EndsTests(BulkCase):
    """Many subscriptions end."""

    def setUp(self) -> None:
        """Many tabs of al, all parked."""
        super().setUp()
        self.heard = Heard()
        self.tabs = [self.subscribe("al", "bob") for _ in range(MANY)]
        for tab in self.tabs:
            self.hub.park(tab, self.heard)

    def check_ended(self, turns: int) -> None:
        """All have been answered once, in many turns, and nothing is left."""
        self.assertGreater(turns, 100)
        self.assertEqual(self.failures, [])
        self.assertEqual(
            sorted(cursor for _, cursor in self.heard.answers),
            sorted(tab.issued for tab in self.tabs),
        )
        self.assert_empty()

    def test_close_viewer(self) -> None:
        """All subscriptions of a viewer end at once; listeners are answered in turns."""
        self.assertEqual((self.hub.close_viewer("al"), self.hub.close_viewer("al")), (MANY, 0))
        self.assertLess(len(self.heard.answers), 100)
        self.assertEqual(self.woken, 1)
        self.hub.dispatch(post(1))
        self.assertEqual((any(tab.pending for tab in self.tabs), self.woken), (False, 1))
        self.assertIsNone(self.hub.find(self.tabs[-1].handle, "al", self.tabs[-1].issued))
        self.check_ended(self.work())

    def test_close_all(self) -> None:
        """The same of everybody; one that had something pending is told nothing any more."""
        self.hub.dispatch(post(1))
        self.hub.close_all()
        self.assertEqual(self.hub.take(self.tabs[-1], Horizon("k2", 7)), [])
        self.flush()
        self.assertEqual({len(events) for events, _ in self.heard.answers}, {0})
        self.assertEqual(self.tabs[-1].position.settled, 0)
        self.assertEqual(len(self.heard.answers), MANY)
        self.assert_empty()

    def test_close_all_while_some_end(self) -> None:
        """A subscription that ends already is answered once."""
        self.hub.close_viewer("al")
        self.hub.close_all()
        self.check_ended(self.work())

    def test_somebody_comes_meanwhile(self) -> None:
        """A subscription that is opened while the others of its viewer end stays open."""
        self.hub.close_viewer("al")
        _, heard = self.park("al", "bob")
        self.work()
        self.hub.dispatch(post(1))
        self.flush()
        self.assertEqual((heard.ids, len(self.hub)), ([1], 1))

    def test_left_meanwhile(self) -> None:
        """A connection that goes while its subscription ends is not answered."""
        self.hub.close_viewer("al")
        self.hub.leave(self.tabs[-1])
        self.hub.close(self.tabs[-2])
        self.work()
        self.assertEqual(len(self.heard.answers), MANY - 1)

    def test_expire(self) -> None:
        """Many expire in many turns."""
        for tab in self.tabs:
            self.hub.leave(tab)
        self.hub.expire(60, 60)
        left = len(self.hub)
        self.hub.expire(61, 60)  # while the first goes on
        self.assertEqual((left, len(self.hub)), (MANY - self.at_once, left))
        self.assertGreater(self.work(), 10)
        self.assert_empty()


class ViewersTests(BulkCase):
    """Many viewers go."""

    def test_expire(self) -> None:
        """Letting go of a viewer is more work than that of a subscription: a turn has fewer."""
        for number in range(MANY):
            self.hub.open(f"u{number}")
        self.hub.expire(60, 60)
        self.assertEqual(MANY - len(self.hub), -(-self.at_once // (1 + LEAVE)))
        self.work()
        self.assert_empty()


class FriendsTests(BulkCase):
    """Long friend lists."""

    def test_long_list(self) -> None:
        """A long list takes effect in many turns, all of it."""
        names = self.names(MANY)
        self.hub.open("al")
        self.hub.set_friends("al", names, {})
        self.assertFalse(self.hub.has_friends("al"))
        self.assertLess(len(self.broker.followed), 200)
        self.assertGreater(self.work(), 20)
        self.assertTrue(self.hub.has_friends("al"))
        self.assertEqual(self.broker.followed, {"al", *names})

    def test_other_list(self) -> None:
        """A list of others drops the old friends, and what is pending from them."""
        subscription = self.open(self.names(MANY))
        for number, author in enumerate(("f00000", "f00001", f"f{MANY - 2:05}", f"f{MANY - 1:05}")):
            self.hub.dispatch(post(number + 1, author))
        even = ["a", *self.names(MANY, 2), "z"]
        self.hub.set_friends("al", even, {})
        self.work()
        self.assertEqual(self.broker.followed, {"al", *even})
        self.assertEqual(self.taken(subscription), [1, 3])
        self.hub.set_friends("al", [], {})
        self.assertGreater(self.work(), 10)
        self.assertEqual(self.broker.followed, {"al"})

    def test_same_list(self) -> None:
        """The same list is no work, an equal one little, and so is one that differs a bit."""
        names = self.names(MANY)
        self.open(names)
        self.hub.set_friends("al", names, {})
        self.assertFalse(self.hub.has_work)
        self.hub.set_friends("al", [*names], {})
        self.assertLess(self.work(), 10)
        self.hub.set_friends("al", [*names[:77], *names[78:], "z"], {})
        self.assertLess(self.work(), 10)
        self.assertEqual(self.broker.followed, {"al", *names[:77], *names[78:], "z"})

    def test_same_list_after_a_change(self) -> None:
        """The same list is looked at when a change has come since."""
        names = self.names(MANY)
        self.open(names)
        self.hub.dispatch(change(1, "unfriend", "al", names[7]))
        self.hub.set_friends("al", names, {})
        self.work()
        self.assertIn(names[7], self.broker.followed)

    def test_change_meanwhile(self) -> None:
        """A change that comes while a list takes effect is newer than the list."""
        names = self.names(MANY)
        for first, second in ((names[0], names[-1]), (names[-1], names[0])):
            self.hub.open("al")
            self.hub.set_friends("al", names, {})
            for number, (kind, friend) in enumerate(
                (("unfriend", first), ("unfriend", second), ("friend", "a"), ("friend", "z"))
            ):
                self.hub.dispatch(change(number + 1, kind, "al", friend))
            self.work()
            self.assertEqual(self.broker.followed, {"al", "a", "z", *names[1:-1]})
            self.hub.close_viewer("al")
            self.work()

    def test_same_list_after_a_change_meanwhile(self) -> None:
        """The same list is looked at again when a change has come while it took effect."""
        names = self.names(MANY)
        self.hub.open("al")
        self.hub.set_friends("al", names, {})
        self.hub.dispatch(change(1, "unfriend", "al", names[-1]))
        self.work()
        self.hub.set_friends("al", names, {})
        self.work()
        self.assertIn(names[-1], self.broker.followed)

    def test_newer_list_meanwhile(self) -> None:
        """A newer list replaces one that has not taken effect."""
        self.hub.open("al")
        self.hub.set_friends("al", self.names(MANY), {})
        self.hub.set_friends("al", ["bob"], {})
        self.work()
        self.assertEqual(self.broker.followed, {"al", "bob"})

    def test_gone_meanwhile(self) -> None:
        """A viewer who goes meanwhile leaves nothing behind, in many turns."""
        subscription = self.hub.open("al")
        self.hub.set_friends("al", self.names(MANY), {})
        for _ in range(10):
            self.hub.go_on()
        self.hub.close(subscription)
        self.assertTrue(self.hub.has_friends("al"))
        self.assertGreater(self.work(), 2)
        self.assert_empty()

    def open(self, names: list[str]) -> Subscription:
        """A subscription of al, who hears these."""
        subscription = self.hub.open("al")
        self.hub.set_friends("al", names, {})
        self.work()
        return subscription

    def taken(self, subscription: Subscription) -> list[int]:
        """The ids that were pending."""
        return ids(self.hub.take(subscription, Horizon("k1", 0)))
