"""Subscriptions are found again, and end; nothing is left of them."""

from feedd.core.event import Event
from feedd.core.horizon import Horizon
from tests.unit.core import Heard, HubCase, change, post


class FindTests(HubCase):
    """`find`: the short cut of a hot poll."""

    def test_found(self) -> None:
        """A subscription is found by its handle, its viewer and the last cursor it gave out."""
        subscription = self.subscribe("al")
        self.assertIs(self.hub.find("h1", "al", subscription.issued), subscription)

    def test_not_found(self) -> None:
        """Another handle, viewer or cursor finds nothing."""
        issued = self.subscribe("al").issued
        for wrong in (("h2", "al", issued), ("h1", "bob", issued), ("h1", "al", "")):
            self.assertIsNone(self.hub.find(*wrong), wrong)

    def test_older_cursor(self) -> None:
        """
        An older cursor of the subscription does not find it: its answer may never have arrived.
        """
        subscription = self.subscribe("al", "bob")
        issued = subscription.issued
        self.hub.dispatch(post(1))
        self.hub.take(subscription, Horizon("k1", 0))
        self.assertIsNone(self.hub.find("h1", "al", issued))

    def test_handles(self) -> None:
        """No two subscriptions of a process have the same handle, not even when one has ended."""
        handles = set()
        for _ in range(20):
            subscription = self.hub.open("al")
            handles.add(subscription.handle)
            self.hub.close(subscription)
        self.assertEqual(len(handles), 20)


class AllTests(HubCase):
    """`close_all`."""

    def test_close_all(self) -> None:
        """Everybody who waits is answered with nothing, and nobody is heard any more."""
        (first, al), (_, bob) = self.park("al", "cy"), self.park("bob")
        issued = first.issued
        self.hub.close_all()
        self.assertEqual((al.answers, len(bob.answers)), ([([], issued)], 1))
        self.assertEqual((len(self.hub), self.hub.parked, self.broker.followed), (0, 0, set()))


class ParkTests(HubCase):
    """`park`, `end`, `leave`."""

    def test_parked(self) -> None:
        """The hub knows how many listeners wait."""
        self.park("al")
        subscription, _ = self.park("bob")
        self.subscribe("cy")
        self.assertEqual((self.hub.parked, len(self.hub)), (2, 3))
        self.hub.leave(subscription)
        self.assertEqual(self.hub.parked, 1)

    def test_second_poll(self) -> None:
        """A second listener ends the first, with nothing and the same cursor."""
        subscription, first = self.park("al", "bob")
        issued, second = subscription.issued, Heard()
        self.hub.park(subscription, second)
        self.hub.dispatch(post(1))
        self.flush()
        self.assertEqual((first.answers, second.ids), ([([], issued)], [1]))

    def test_second_poll_when_the_first_raises(self) -> None:
        """A first listener that raises when it is ended does the second no harm."""

        def broken(events: list[Event], cursor: str) -> None:
            raise ValueError("gone")

        subscription, second = self.subscribe("al", "bob"), Heard()
        self.hub.park(subscription, broken)
        self.hub.park(subscription, second)
        self.hub.dispatch(post(1))
        self.flush()
        self.assertEqual((len(self.reported), second.ids), (1, [1]))

    def test_ended(self) -> None:
        """A viewer who is ended is idle: their subscription expires."""
        subscription, heard = self.park("al")
        self.hub.end(subscription)
        self.hub.end(subscription)
        self.assertEqual((len(heard.answers), self.hub.parked), (1, 0))
        self.hub.expire(60, 60)
        self.assert_empty()

    def test_parked_with_something_pending(self) -> None:
        """What is pending already when somebody parks is answered by the next flush."""
        subscription, heard = self.subscribe("al", "bob"), Heard()
        self.hub.dispatch(post(1))
        self.hub.park(subscription, heard)
        self.assertEqual(self.woken, 1)
        self.flush()
        self.assertEqual(heard.ids, [1])

    def test_parked_when_overflowed(self) -> None:
        """A viewer who parks on a subscription that has overflowed is ended by the next flush."""
        subscription, heard = self.subscribe("al", "bob"), Heard()
        for number in range(1, 9):
            self.hub.dispatch(post(number))
        self.hub.park(subscription, heard)
        self.flush()
        self.assertEqual((heard.answers, self.hub.parked), ([([], subscription.issued)], 0))

    def test_parked_when_ended(self) -> None:
        """A viewer who parks on a subscription that has ended meanwhile is answered at once."""
        subscription, heard = self.subscribe("al"), Heard()
        self.hub.close(subscription)
        self.hub.park(subscription, heard)
        self.assertEqual(heard.answers, [([], subscription.issued)])
        self.assert_empty()

    def test_left_when_ended(self) -> None:
        """To leave a subscription that has ended does nothing."""
        subscription, _ = self.park("al")
        self.hub.close(subscription)
        self.hub.leave(subscription)
        self.assert_empty()


class CloseTests(HubCase):
    """`close`, `close_viewer`, `expire`."""

    def test_close(self) -> None:
        """A viewer who is parked when their subscription is closed is answered with nothing."""
        subscription, heard = self.park("al", "bob")
        self.hub.dispatch(post(1))
        self.hub.close(subscription)
        self.hub.close(subscription)
        self.assertEqual(heard.answers, [([], subscription.issued)])
        self.assert_empty()

    def test_nothing_left(self) -> None:
        """When everything is closed no dictionary holds anything and nobody is followed."""
        opened = [
            self.park("al", "bob", "cy")[0],
            self.subscribe("al", "bob"),
            self.park("bob", "al")[0],
            self.hub.open("cy"),
        ]
        for event in (
            post(1),
            post(2, "cy"),
            change(3, "unfriend", "al", "cy"),
            change(4, "friend", "bob", "cy"),
        ):
            self.hub.dispatch(event)
        for number in range(5, 15):
            self.hub.dispatch(post(number))
        self.flush()
        for subscription in opened:
            self.hub.close(subscription)
        self.assert_empty()

    def test_one_of_two(self) -> None:
        """While one tab is left its friends are heard."""
        self.hub.close(self.subscribe("al", "bob"))
        first, (_, heard) = self.subscribe("al", "bob"), self.park("al", "bob")
        self.hub.close(first)
        self.hub.dispatch(post(1))
        self.flush()
        self.assertEqual(heard.ids, [1])

    def test_shared_author(self) -> None:
        """An author is unfollowed when the last who hears them has gone."""
        first, second = self.subscribe("al", "bob"), self.subscribe("cy", "bob")
        self.hub.close(first)
        self.assertIn("bob", self.broker.followed)
        self.hub.close(second)
        self.assert_empty()

    def test_close_viewer(self) -> None:
        """All subscriptions of a viewer end at once, and nobody else's."""
        (_, tab), _, (_, other) = self.park("al", "bob"), self.subscribe("al"), self.park("bob")
        self.assertEqual(self.hub.close_viewer("al"), 2)
        self.assertEqual((len(tab.answers), other.answers, self.hub.close_viewer("al")), (1, [], 0))

    def test_expire(self) -> None:
        """A subscription that nobody has polled for the linger time is closed, not earlier."""
        self.subscribe("al")
        self.hub.expire(59.9, 60)
        self.assertEqual(len(self.hub), 1)
        self.hub.expire(60, 60)
        self.assert_empty()

    def test_parked_does_not_expire(self) -> None:
        """A viewer who is parked does not expire, and lingers anew afterwards."""
        subscription, _ = self.park("al")
        self.hub.expire(1000, 60)
        self.hub.leave(subscription)
        self.hub.expire(1059, 60)
        self.assertEqual(len(self.hub), 1)
        self.hub.expire(1060, 60)
        self.assert_empty()

    def test_oldest_expire(self) -> None:
        """Of several only those expire whose time has come."""
        first, second = self.subscribe("al"), self.subscribe("bob")
        self.hub.expire(30, 60)
        self.hub.park(first, Heard())
        self.hub.leave(first)
        self.hub.expire(60, 60)
        self.assertEqual((first.open, second.open), (True, False))

    def test_answered_lingers(self) -> None:
        """After an answer the subscription is idle from the last tick of the clock on."""
        self.park("al", "bob")
        self.hub.expire(30, 60)
        self.hub.dispatch(post(1))
        self.flush()
        self.hub.expire(89, 60)
        self.assertEqual(len(self.hub), 1)
        self.hub.expire(90, 60)
        self.assert_empty()
