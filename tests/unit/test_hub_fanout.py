"""
One event to many: in slices, and from a place in the log that is computed once.
"""

import os

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from feedd.core.event import make_event
from feedd.core.subscription import Positions, Subscription
from tests.unit.core import Heard, HubCase, post

EXAMPLES = int(os.environ.get("FEEDD_EXAMPLES", "0"))
PROFILE = settings(
    max_examples=EXAMPLES or 100, derandomize=not EXAMPLES, deadline=None, database=None
)


class SliceTests(HubCase):
    """`flush` with a limit."""

    max_subscriptions = 100

    def setUp(self) -> None:
        super().setUp()
        self.order: list[str] = []

    def wait(self, viewer: str) -> Subscription:
        """A parked viewer who takes note when they are answered."""
        subscription = self.subscribe(viewer, "bob")
        self.hub.park(subscription, lambda events, cursor: self.order.append(viewer))
        return subscription

    def test_order(self) -> None:
        """Each slice answers those who come next, nobody twice, and says whether there are more."""
        viewers = [f"v{number}" for number in range(7)]
        for viewer in viewers:
            self.wait(viewer)
        self.hub.dispatch(post(1))
        for upto, more in ((3, True), (6, True), (7, False), (7, False)):
            self.assertEqual(self.hub.flush("k1", 0, 3), more)
            self.assertEqual(self.order, viewers[:upto])
        self.assertEqual((self.woken, self.hub.parked), (1, 0))

    def test_just_enough(self) -> None:
        """A slice that holds all leaves nothing."""
        for number in range(3):
            self.wait(f"v{number}")
        self.hub.dispatch(post(1))
        self.assertFalse(self.hub.flush("k1", 0, 3))
        self.assertEqual(len(self.order), 3)

    def test_in_between(self) -> None:
        """
        What comes between two slices wakes nobody anew, and goes to those who still wait together
        with the rest.
        """
        first, heard = self.subscribe("al", "bob"), [Heard(), Heard()]
        self.hub.park(first, heard[0])
        self.hub.park(self.subscribe("cy", "bob"), heard[1])
        self.hub.dispatch(post(1))
        self.assertTrue(self.hub.flush("k1", 0, 1))
        self.hub.dispatch(post(2))
        self.assertEqual((self.woken, bool(first.pending)), (1, True))
        self.assertFalse(self.hub.flush("k1", 0, 1))
        self.assertEqual([listener.ids for listener in heard], [[1], [1, 2]])

    def test_parked_again_in_between(self) -> None:
        """A viewer who polls again between two slices is answered again, after those who wait."""
        first = self.wait("al")
        self.wait("cy")
        self.hub.dispatch(post(1))
        self.assertTrue(self.hub.flush("k1", 0, 1))
        self.hub.dispatch(post(2))
        self.hub.park(first, lambda events, cursor: self.order.append("al again"))
        self.assertTrue(self.hub.flush("k1", 0, 1))
        self.assertFalse(self.hub.flush("k1", 0, 1))
        self.assertEqual(self.order, ["al", "cy", "al again"])

    def test_gone_in_between(self) -> None:
        """
        A viewer who leaves or ends between two slices, or inside one, is passed over, and the next
        fan-out wakes as ever.
        """
        first, ends, leaves = (self.subscribe(viewer, "bob") for viewer in ("al", "cy", "di"))
        self.hub.park(first, lambda events, cursor: self.hub.close(ends))
        self.hub.park(ends, Heard())
        last = Heard()
        self.hub.park(leaves, last)
        self.hub.dispatch(post(1))
        self.assertTrue(self.hub.flush("k1", 0, 2))
        self.hub.leave(leaves)
        self.assertFalse(self.hub.flush("k1", 0, 2))
        self.assertEqual((last.ids, bool(leaves.pending)), ([], True))
        self.hub.park(leaves, last)
        self.assertEqual(self.woken, 2)
        self.flush()
        self.assertEqual(last.ids, [1])

    def test_all_gone_in_between(self) -> None:
        """When nobody is left to be answered, the next event asks for a flush."""
        self.wait("al")
        last = self.wait("cy")
        self.hub.dispatch(post(1))
        self.assertTrue(self.hub.flush("k1", 0, 1))
        self.hub.close(last)
        self.wait("di")
        self.hub.dispatch(post(2))
        self.assertEqual(self.woken, 2)

    def test_overflow(self) -> None:
        """A viewer who overflowed is ended in their turn."""
        for viewer in ("al", "cy"):
            self.wait(viewer)
        for number in range(1, 6):
            self.hub.dispatch(post(number))
        self.assertTrue(self.hub.flush("k1", 0, 1))
        self.assertFalse(self.hub.flush("k1", 0, 1))
        self.assertEqual((self.order, len(self.hub)), (["al", "cy"], 0))

    def test_friends_first(self) -> None:
        """The viewers whose friends changed are told of with the first slice, once."""
        self.wait("al")
        self.wait("cy")
        self.hub.dispatch(make_event(1, "friend", "bob", None, b'{"friend":"al"}', 0))
        self.assertTrue(self.hub.flush("k1", 0, 1))
        self.assertFalse(self.hub.flush("k1", 0, 1))
        self.assertEqual(self.forgotten, [{"bob"}])


class PositionTests(SynchronousTestCase):
    """A place in the log that many go to is computed once."""

    @PROFILE
    @given(
        st.lists(
            st.tuples(st.frozensets(st.integers(1, 9)), st.integers(0, 9)), min_size=1, max_size=5
        ),
        st.lists(
            st.tuples(
                st.lists(st.tuples(st.integers(-2, 14), st.sets(st.integers(0, 4))), max_size=3),
                st.integers(0, 12),
            )
        ),
    )
    def test_same(
        self,
        stands: list[tuple[frozenset[int], int]],
        flushes: list[tuple[list[tuple[int, set[int]]], int]],
    ) -> None:
        """
        The answers are the same as without, wherever each viewer stood and whatever comes to whom.
        """
        plain, shared = (
            [Subscription("al", f"h{number}") for number in range(len(stands))] for _ in range(2)
        )
        for number, (have, settled) in enumerate(stands):
            for subscription in (plain[number], shared[number]):
                subscription.start(settled, have, ())
        for events, settled in flushes:
            after: Positions = {}
            said = [(post(id or 77), hearers) for id, hearers in events]
            for number, (one, other) in enumerate(zip(plain, shared, strict=True)):
                for event, hearers in said:
                    if number in hearers:
                        self.assertEqual(one.push(event, 10), other.push(event, 10))
                self.assertEqual(one.take("k1", settled), other.take("k1", settled, after))
                self.assertEqual((one._have, one._settled), (other._have, other._settled))

    def test_ahead_of_the_log(self) -> None:
        """
        A viewer who has more settled than the log says keeps it, and nobody else gets it with the
        place.
        """
        after: Positions = {}
        for settled, cursor in ((7, "k1.7.9~h1"), (3, "k1.4.9~h1"), (7, "k1.7.9~h1")):
            subscription = Subscription("al", "h1")
            subscription.start(settled, (), ())
            subscription.push(post(9), 10)
            self.assertEqual(subscription.take("k1", 4, after)[1], cursor)

    def test_once(self) -> None:
        """A thousand who stand at the same place share the text and the ids of the next one."""
        after: Positions = {}
        event = post(9)
        subscriptions = [Subscription("al", "h1") for _ in range(1000)]
        for subscription in subscriptions:
            subscription.start(3, (5,), ())
            subscription.push(event, 10)
            self.assertEqual(subscription.take("k1", 4, after)[1], "k1.4.5.9~h1")
        self.assertEqual(len({id(place.have) for place in after.values()}), 1)
        self.assertEqual(len({id(subscription._have) for subscription in subscriptions}), 1)
