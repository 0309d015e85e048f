"""
One event to many: in slices, and worked out once for all who stand at the same position.
"""

import os
from contextlib import closing

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from feedd.core.delivery import Delivery, group
from feedd.core.event import make_event, without_body
from feedd.core.horizon import Horizon
from feedd.core.position import Position, Positions
from feedd.core.subscription import Subscription
from tests.unit.core import Heard, HubCase, ids, post

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
            self.assertEqual(self.flush(limit=3), more)
            self.assertEqual(self.order, viewers[:upto])
        self.assertEqual((self.woken, self.hub.parked), (1, 0))

    def test_just_enough(self) -> None:
        """A slice that holds all leaves nothing."""
        for number in range(3):
            self.wait(f"v{number}")
        self.hub.dispatch(post(1))
        self.assertFalse(self.flush(limit=3))
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
        self.assertTrue(self.flush(limit=1))
        self.hub.dispatch(post(2))
        self.assertEqual((self.woken, bool(first.pending)), (1, True))
        self.assertFalse(self.flush(limit=1))
        self.assertEqual([listener.ids for listener in heard], [[1], [1, 2]])

    def test_parked_again_in_between(self) -> None:
        """A viewer who polls again between two slices is answered again, after those who wait."""
        first = self.wait("al")
        self.wait("cy")
        self.hub.dispatch(post(1))
        self.assertTrue(self.flush(limit=1))
        self.hub.dispatch(post(2))
        self.hub.park(first, lambda events, cursor: self.order.append("al again"))
        self.assertTrue(self.flush(limit=1))
        self.assertFalse(self.flush(limit=1))
        self.assertEqual(self.order, ["al", "cy", "al again"])

    def test_gone_in_between(self) -> None:
        """
        Who leaves or ends between two slices, or inside one before their turn comes, is passed
        over, and the next fan-out wakes as ever.
        """
        first, ends, leaves = (self.subscribe(viewer, "bob") for viewer in ("al", "cy", "di"))
        self.hub.park(first, lambda events, cursor: self.hub.close(ends))
        ended = Heard()
        self.hub.park(ends, ended)
        last = Heard()
        self.hub.park(leaves, last)
        self.hub.dispatch(post(1))
        self.assertTrue(self.flush(limit=2, at_once=1))
        self.assertEqual(ended.ids, [])
        self.hub.leave(leaves)
        self.assertFalse(self.flush(limit=2))
        self.assertEqual((last.ids, bool(leaves.pending)), ([], True))
        self.hub.park(leaves, last)
        self.assertEqual(self.woken, 2)
        self.flush()
        self.assertEqual(last.ids, [1])

    def test_gone_at_once(self) -> None:
        """Who is ended by one with whom they are answered at once has got the event by then."""
        first, ends = (self.subscribe(viewer, "bob") for viewer in ("al", "cy"))
        self.hub.park(first, lambda events, cursor: self.hub.close(ends))
        ended = Heard()
        self.hub.park(ends, ended)
        self.hub.dispatch(post(1))
        self.flush()
        self.assertEqual([told for told, _ in ended.answers], [[1]])

    def test_failure(self) -> None:
        """When the caller fails, those whose turn has not come are answered by the next flush."""
        for number in range(5):
            self.wait(f"v{number}")
        self.hub.dispatch(post(1))
        with closing(self.hub.flush(Horizon("k1", 0), 4, 2)) as slices:
            self.deliver(next(slices))
        self.assertEqual(self.order, ["v0", "v1"])
        self.assertFalse(self.flush())
        self.assertEqual(self.order, [f"v{number}" for number in range(5)])

    def test_all_gone_in_between(self) -> None:
        """When nobody is left to be answered, the next event asks for a flush."""
        self.wait("al")
        last = self.wait("cy")
        self.hub.dispatch(post(1))
        self.assertTrue(self.flush(limit=1))
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
        self.assertTrue(self.flush(limit=1))
        self.assertFalse(self.flush(limit=1))
        self.assertEqual((self.order, len(self.hub)), (["al", "cy"], 0))

    def test_friends_first(self) -> None:
        """The viewers whose friends changed are told of with the first slice, once."""
        self.wait("al")
        self.wait("cy")
        self.hub.dispatch(make_event(1, "friend", "bob", None, b'{"friend":"al"}', 0))
        self.assertTrue(self.flush(limit=1))
        self.assertFalse(self.flush(limit=1))
        self.assertEqual(self.forgotten, [{"bob"}])


class GroupTests(SynchronousTestCase):
    """Those who get the same share a delivery."""

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
        Everybody gets what they would get alone, wherever each stood and whatever comes to whom.
        """
        alone, together = (
            [Subscription("al", f"h{number}") for number in range(len(stands))] for _ in range(2)
        )
        shared = Positions()
        for number, (have, settled) in enumerate(stands):
            for subscription in (alone[number], together[number]):
                subscription.start(Position(settled, tuple(sorted(have))), ())
        for events, settled in flushes:
            for event, hearers in [(post(id or 77), hearers) for id, hearers in events]:
                for number in hearers.intersection(range(len(stands))):
                    pushed = [each[number].push(event, 10) for each in (alone, together)]
                    self.assertEqual(*pushed)
            waiting = [subscription for subscription in together if subscription.pending]
            expected = {}
            for number, subscription in enumerate(alone):
                if subscription.pending:
                    told = subscription.take(Positions(), Horizon("k1", settled))
                    expected[f"h{number}"] = told, subscription.issued
            found = {
                handle: (told, f"{text}~{handle}")
                for told, text, listeners in group(
                    waiting, shared, Horizon("k1", settled), self.failures.append
                )
                for _, handle in listeners
            }
            self.assertEqual(found, expected)
            for one, other in zip(alone, together, strict=True):
                self.assertEqual((one.issued, other.pending), (other.issued, None))

    def waiting(self, settled: int = 3, ids: tuple[int, ...] = (5,)) -> Subscription:
        """A subscription that stands there, and on which its handle waits."""
        self.number += 1
        subscription = Subscription("al", f"h{self.number}")
        subscription.start(Position(settled, ids), ())
        subscription.take(self.positions, Horizon("k1", settled))
        subscription.listener = self.number
        return subscription

    def setUp(self) -> None:
        self.number = 0
        self.positions = Positions()
        self.failures: list[Subscription] = []

    def group(self, *subscriptions: Subscription, settled: int = 4) -> list[Delivery]:
        """The deliveries."""
        return group(subscriptions, self.positions, Horizon("k1", settled), self.failures.append)

    def test_once(self) -> None:
        """A thousand who stand at the same position share a delivery and the next position."""
        event = post(9)
        subscriptions = [self.waiting() for _ in range(1000)]
        for subscription in subscriptions:
            subscription.push(event, 10)
        ((events, text, listeners),) = self.group(*subscriptions)
        self.assertEqual((events, text), ([event], "k1.4.5.9"))
        self.assertEqual(listeners, [(number, f"h{number}") for number in range(1, 1001)])
        self.assertEqual(len({subscription.position for subscription in subscriptions}), 1)
        self.assertEqual([s.listener for s in subscriptions], [None] * 1000)

    def test_mixed(self) -> None:
        """Those of two positions who come by turns share two deliveries, each in its order."""
        subscriptions = [self.waiting(ids=(5, 6)[: number % 2 + 1]) for number in range(6)]
        for subscription in subscriptions:
            subscription.push(post(9), 10)
        event = post(9)
        for subscription in subscriptions:
            subscription.pending = event
        found = self.group(*subscriptions)
        self.assertEqual([text for _, text, _ in found], ["k1.4.5.9", "k1.4.5.6.9"])
        numbers = [[number for number, _ in listeners] for _, _, listeners in found]
        self.assertEqual(numbers, [[1, 3, 5], [2, 4, 6]])

    def test_several_events(self) -> None:
        """Who gets several events has a delivery of their own."""
        subscriptions = [self.waiting() for _ in range(2)]
        for subscription in subscriptions:
            for number in (9, 8):
                subscription.push(post(number), 10)
        found = self.group(*subscriptions)
        self.assertEqual([ids(events) for events, _, _ in found], [[8, 9], [8, 9]])
        self.assertEqual([len(listeners) for _, _, listeners in found], [1, 1])

    def test_without_its_body(self) -> None:
        """An event that has lost its body for one viewer is told with it to the other."""
        event = post(9)
        first, second, third = (self.waiting() for _ in range(3))
        for subscription, told in ((first, event), (second, without_body(event)), (third, event)):
            subscription.push(told, 10)
        bodies = [events[0].json for events, _, _ in self.group(first, second, third)]
        self.assertEqual(bodies[:2], [event.json, without_body(event).json])
        self.assertEqual({first.position, second.position, third.position}, {first.position})

    def test_ahead_of_the_log(self) -> None:
        """Who has more settled than the log says keeps it, and nobody else gets it from them."""
        event = post(9)
        subscriptions = [self.waiting(settled, ()) for settled in (7, 3, 7)]
        for subscription in subscriptions:
            subscription.push(event, 10)
        self.group(*subscriptions)
        issued = [subscription.issued for subscription in subscriptions]
        self.assertEqual(issued, ["k1.7.9~h1", "k1.4.9~h2", "k1.7.9~h3"])


class PositionsTests(SynchronousTestCase):
    """Equal positions are one object."""

    def test_meet(self) -> None:
        """Those who come to the same from different positions stand together from then on."""
        positions = Positions()
        found = [
            positions.after(Position(settled, ids), Horizon("k1", 6), (9,))
            for settled, ids in ((3, (5,)), (4, ()), (6, ()))
        ]
        self.assertEqual(found, [found[0]] * 3)
        self.assertIsNot(found[0], positions.after(Position(7), Horizon("k1", 6), (9,)))
        self.assertIsNot(found[0], positions.after(Position(6), Horizon("k2", 6), (9,)))

    def test_forgotten(self) -> None:
        """A position that nobody has is not kept."""
        positions = Positions()
        last = Position(0)
        for number in range(100):
            last = positions.after(last, Horizon("k1", number), ())
        self.assertEqual((last.text, len(positions)), ("k1.99", 1))
