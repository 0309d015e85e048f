"""The hub: which viewers receive an event, and when their listeners are answered."""

from feedd.core.event import Event
from feedd.core.horizon import Horizon
from feedd.core.owner import HubFull
from feedd.core.position import Position
from tests.unit.core import Heard, HubCase, change, ids, post


class DispatchTests(HubCase):
    """`dispatch` and `flush`."""

    def test_friend(self) -> None:
        """A parked viewer is answered with what a friend says."""
        _, heard = self.park("al", "bob")
        self.hub.dispatch(post(1))
        self.flush()
        self.assertEqual(heard.answers, [([1], "k1.0.1~h1")])

    def test_stranger(self) -> None:
        """Nobody hears a stranger."""
        _, heard = self.park("al", "bob")
        self.hub.dispatch(post(1, "eve"))
        self.flush()
        self.assertEqual((heard.answers, self.woken), ([], 0))

    def test_oneself(self) -> None:
        """Everybody hears themselves, on all their devices."""
        (_, tab), (_, phone) = self.park("al"), self.park("al")
        self.hub.dispatch(post(1, "al"))
        self.flush()
        self.assertEqual((tab.ids, phone.ids), ([1], [1]))

    def test_together(self) -> None:
        """What comes in before the flush is one answer, in order of id."""
        _, heard = self.park("al", "bob", "cy")
        self.hub.dispatch(post(2))
        self.hub.dispatch(post(1, "cy"))
        self.flush()
        self.assertEqual(heard.answers, [([1, 2], "k1.0.1.2~h1")])

    def test_settled(self) -> None:
        """An answer's cursor carries the log's watermark."""
        _, heard = self.park("al", "bob")
        self.hub.dispatch(post(2))
        self.flush(settled=1)
        self.assertEqual(heard.answers, [([2], "k1.1.2~h1")])

    def test_woken_once(self) -> None:
        """A flush is asked for once, until it has come."""
        self.park("al", "bob")
        self.hub.dispatch(post(1))
        self.hub.dispatch(post(2))
        self.assertEqual(self.woken, 1)
        self.flush()
        self.park("al", "bob")
        self.hub.dispatch(post(3))
        self.assertEqual(self.woken, 2)

    def test_nobody_parked(self) -> None:
        """For somebody who is not parked nothing is flushed; it is pending for their next poll."""
        subscription = self.subscribe("al", "bob")
        self.hub.dispatch(post(1))
        self.assertEqual((self.woken, bool(subscription.pending)), (0, True))

    def test_left_before_the_flush(self) -> None:
        """A viewer who leaves before the flush keeps what is pending."""
        subscription, heard = self.park("al", "bob")
        self.hub.dispatch(post(1))
        self.hub.leave(subscription)
        self.flush()
        self.assertEqual((heard.answers, bool(subscription.pending)), ([], True))

    def test_listener_that_raises(self) -> None:
        """A listener that raises is reported, and the others are answered."""
        error = ValueError("broken")

        def broken(events: list[Event], cursor: str) -> None:
            raise error

        self.hub.park(self.subscribe("al", "bob"), broken)
        _, heard = self.park("cy", "bob")
        self.hub.dispatch(post(1))
        self.flush()
        self.assertEqual((self.reported, heard.ids), ([error], [1]))

    def test_listener_that_parks_again(self) -> None:
        """A listener may park again inside its call, as a stream does, and misses nothing."""
        subscription, heard = self.subscribe("al", "bob"), Heard()

        def stream(events: list[Event], cursor: str) -> None:
            heard(events, cursor)
            self.hub.park(subscription, stream)

        self.hub.park(subscription, stream)
        for number in (1, 2):
            self.hub.dispatch(post(number))
            self.flush()
        self.assertEqual((heard.ids, self.hub.parked), ([1, 2], 1))

    def test_dispatch_inside_a_call(self) -> None:
        """What a listener causes inside its call asks for the next flush."""
        subscription, heard = self.subscribe("al", "bob"), Heard()

        def busy(events: list[Event], cursor: str) -> None:
            self.hub.park(subscription, heard)
            self.hub.dispatch(post(2))

        self.hub.park(subscription, busy)
        self.hub.dispatch(post(1))
        self.flush()
        self.assertEqual((self.woken, heard.ids), (2, []))
        self.flush()
        self.assertEqual(heard.ids, [2])

    def test_closed_by_another_listener(self) -> None:
        """A listener may end a subscription that the same flush would have answered after it."""
        _, heard = self.park("cy", "bob")
        first = self.subscribe("al", "bob")
        self.hub.park(first, lambda events, cursor: None)
        self.hub.dispatch(post(1))
        other, late = self.park("cy", "bob")
        self.hub.park(first, lambda events, cursor: self.hub.close(other))
        self.hub.dispatch(post(2))
        self.flush(at_once=1)
        self.assertEqual((heard.ids, late.ids, self.reported), ([1, 2], [], []))


class FriendTests(HubCase):
    """Friend changes, in every order."""

    def test_befriend(self) -> None:
        """A new friend is heard from the change on, by all tabs of the viewer."""
        (_, tab), (_, phone) = self.park("al"), self.park("al")
        self.hub.dispatch(change(1, "friend", "al", "bob"))
        self.hub.dispatch(post(2))
        self.flush()
        self.assertEqual(
            (tab.ids, phone.ids, self.broker.followed), ([1, 2], [1, 2], {"al", "bob"})
        )

    def test_unfriend(self) -> None:
        """
        A user who is no friend any more is not heard, and what was pending from them is taken
        back.
        """
        _, heard = self.park("al", "bob", "cy")
        for event in (post(1), post(2, "cy"), change(3, "unfriend", "al", "bob"), post(4)):
            self.hub.dispatch(event)
        self.flush()
        self.assertEqual((heard.ids, self.broker.followed), ([2, 3], {"al", "cy"}))

    def test_post_before_its_friendship(self) -> None:
        """A friend's post that arrives before the friendship does is answered with it."""
        _, heard = self.park("al")
        self.recalled["bob"] = [post(1), post(3)]
        self.hub.dispatch(post(3))
        self.hub.dispatch(change(2, "friend", "al", "bob"))
        self.flush()
        self.assertEqual(heard.answers, [([2, 3], "k1.0.2.3~h1")])

    def test_post_before_its_friendship_while_idle(self) -> None:
        """The same is pending for a viewer who is not parked."""
        subscription = self.subscribe("al")
        self.recalled["bob"] = [post(3)]
        self.hub.dispatch(change(2, "friend", "al", "bob"))
        self.assertEqual(ids(self.hub.take(subscription, Horizon("k1", 0))), [2, 3])

    def test_friendship_from_long_ago(self) -> None:
        """
        When memory does not reach back to a friendship that comes late, only a cold poll can tell.
        """
        subscription, heard = self.park("al")
        issued = subscription.issued
        self.recalled["bob"] = None
        self.hub.dispatch(change(2, "friend", "al", "bob"))
        self.flush()
        self.assertEqual((heard.answers, self.hub.find("h1", "al", issued)), ([([], issued)], None))

    def test_wrong_order(self) -> None:
        """Of two changes of a pair the newer one counts, in whatever order they come."""
        _, heard = self.park("al")
        for event in (
            change(2, "unfriend", "al", "bob"),
            change(1, "friend", "al", "bob"),
            post(3),
        ):
            self.hub.dispatch(event)
        self.flush()
        self.assertEqual((heard.ids, self.broker.followed), ([1, 2], {"al"}))

    def test_wrong_order_the_other_way(self) -> None:
        """A friendship that was renewed stays, although its end comes later."""
        _, heard = self.park("al", "bob")
        for event in (
            change(2, "friend", "al", "bob"),
            change(1, "unfriend", "al", "bob"),
            post(3),
        ):
            self.hub.dispatch(event)
        self.flush()
        self.assertEqual(heard.ids, [1, 2, 3])

    def test_older_than_the_list(self) -> None:
        """
        A change that the friend list takes into account already has no effect when it comes again.
        """
        self.hub.open("al")
        self.hub.set_friends("al", ["bob"], {"bob": change(5, "friend", "al", "bob")})
        self.hub.dispatch(change(4, "unfriend", "al", "bob"))
        self.assertEqual(self.broker.followed, {"al", "bob"})

    def test_forget(self) -> None:
        """The flush says whose friend lists have changed, whether they listen here or not."""
        self.hub.dispatch(change(1, "friend", "al", "bob"))
        self.hub.dispatch(change(2, "friend", "bob", "al"))
        self.assertEqual((self.woken, self.forgotten), (1, []))
        self.flush()
        self.flush()
        self.assertEqual(self.forgotten, [{"al", "bob"}])

    def test_friend_of_oneself(self) -> None:
        """Nobody stops hearing themselves."""
        _, heard = self.park("al")
        self.hub.dispatch(change(1, "unfriend", "al", "al"))
        self.hub.dispatch(post(2, "al"))
        self.flush()
        self.assertEqual((heard.ids, self.broker.followed), ([1, 2], {"al"}))

    def test_friends_twice(self) -> None:
        """A friend who is heard already is not followed twice, and a stranger not unfollowed."""
        self.park("al", "bob")
        self.hub.dispatch(change(1, "friend", "al", "bob"))
        self.hub.dispatch(change(2, "unfriend", "al", "cy"))
        self.assertEqual(self.broker.followed, {"al", "bob"})

    def test_new_list(self) -> None:
        """A newer list replaces the older one, and nobody stops hearing themselves."""
        self.park("al", "bob")
        self.hub.set_friends("al", ["cy"], {})
        self.assertEqual(self.broker.followed, {"al", "cy"})

    def test_old_friendship_before_the_list(self) -> None:
        """
        What was held from a friendship that had ended before the viewer came is taken back when
        their list is there.
        """
        subscription = self.hub.open("al")
        self.recalled["bob"] = [post(6)]
        self.hub.dispatch(change(2, "friend", "al", "bob"))
        self.hub.set_friends("al", [], {"bob": change(5, "unfriend", "al", "bob")})
        subscription.start(Position(0), [])
        self.assertEqual(ids(self.hub.take(subscription, Horizon("k1", 0))), [2])
        self.assertEqual(self.broker.followed, {"al"})

    def test_list_of_somebody_who_has_gone(self) -> None:
        """A list that comes when its viewer has gone has no effect."""
        self.hub.set_friends("al", ["bob"], {})
        self.assert_empty()

    def test_overflow_by_befriending(self) -> None:
        """A new friend who said more than may be pending sends the poll to the cold path."""
        subscription, heard = self.park("al")
        issued = subscription.issued
        self.recalled["bob"] = [post(number) for number in range(2, 9)]
        self.hub.dispatch(change(1, "friend", "al", "bob"))
        self.flush()
        self.assertEqual((heard.answers, len(self.hub)), ([([], issued)], 0))


class FullTests(HubCase):
    """The bounds of a hub."""

    def test_full(self) -> None:
        """There are no more subscriptions than there may be."""
        for _ in range(self.max_subscriptions):
            self.hub.open("al")
        with self.assertRaises(HubFull):
            self.hub.open("bob")
        self.assertEqual(self.broker.followed, {"al"})

    def test_overflow_while_parked(self) -> None:
        """
        A viewer who is parked when more comes in than may be pending is ended with the cursor they
        had.
        """
        subscription, heard = self.park("al", "bob")
        issued = subscription.issued
        for number in range(1, 9):
            self.hub.dispatch(post(number))
        self.flush()
        self.assertEqual((heard.answers, len(self.hub)), ([([], issued)], 0))

    def test_overflow_while_idle(self) -> None:
        """A viewer who is not parked then is not found by their next poll, which is cold."""
        subscription = self.subscribe("al", "bob")
        for number in range(1, 9):
            self.hub.dispatch(post(number))
        self.assertIsNone(self.hub.find("h1", "al", subscription.issued))
