"""A feed: it answers in turns, and begins anew with another database."""

from collections.abc import Sequence
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from feedd.core.counters import Counters
from feedd.core.delivery import Delivery
from feedd.core.position import Position
from feedd.feed.feed import Feed, Ports
from feedd.feed.ports import Opening
from feedd.feed.settings import Poll
from tests.auth import NameAuth
from tests.memory import MemoryBroker, MemoryFriends, MemoryStore
from tests.turns import MemoryTurns
from tests.unit.core import Heard, change, post


class Turns(MemoryTurns):
    """
    Turns of three answers each, two at once.

    :ivar fails: the next delivery fails.
    """

    answers_a_turn = 3
    answers_at_once = 2
    work_a_turn = 20

    def __init__(self) -> None:
        super().__init__()
        self.fails = False

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        if self.fails:
            self.fails = False
            raise ZeroDivisionError
        super().deliver(deliveries)


class FeedCase(SynchronousTestCase):
    """An open feed whose turns a test takes."""

    def setUp(self) -> None:
        self.store, self.turns = MemoryStore(), Turns()
        self.friends = MemoryFriends(self.store)
        ports = Ports(self.store, MemoryBroker(), self.friends, NameAuth())
        self.feed = Feed(ports, Poll(linger_seconds=9.0), self.turns, Counters(), "h")
        self.feed.open(Opening("k1", 0, []))
        self.answered: list[int] = []

    def park(self, *viewers: int) -> None:
        """These viewers of bob, parked."""
        for number in viewers:
            subscription = self.feed.hub.open(f"v{number}")
            self.feed.hub.set_friends(f"v{number}", ["bob"], {})
            subscription.start(Position(0), ())
            self.feed.hub.park(
                subscription, lambda events, cursor, number=number: self.answered.append(number)
            )


class FlushTests(FeedCase):
    """`flush`."""

    def turn(self) -> list[int]:
        """Take one turn; returns who was answered in it."""
        self.turns.take()
        answered, self.answered = self.answered, []
        return answered

    def test_turns(self) -> None:
        """Those who are more than a turn allows are answered in the next ones, in their order."""
        self.park(*range(7))
        self.feed.log.offer(post(1))
        self.assertEqual([self.turn() for _ in range(3)], [[0, 1, 2], [3, 4, 5], [6]])
        self.assertEqual(self.turns.asked, 0)

    def test_just_enough(self) -> None:
        """A turn that answers all asks for no other."""
        self.park(1, 2, 3)
        self.feed.log.offer(post(1))
        self.assertEqual((self.turn(), self.turns.asked), ([1, 2, 3], 0))

    def test_in_between(self) -> None:
        """What comes between two turns asks for no further one."""
        self.park(*range(4))
        self.feed.log.offer(post(1))
        self.turn()
        self.feed.log.offer(post(2))
        self.assertEqual(self.turns.asked, 1)
        self.assertEqual((self.turn(), self.turns.asked), ([3], 0))

    def test_long_work(self) -> None:
        """Long work is done in turns until it is over, and a fan-out goes on meanwhile."""
        self.park(*[7] * 30, *[8] * 30, 1)
        self.feed.hub.close_viewer("v7")
        self.feed.hub.close_viewer("v8")
        self.feed.log.offer(post(1))
        first, answered, turns = self.turn(), list[int](), 0
        while self.turns.asked:
            answered += self.turn()
            turns += 1
        self.assertIn(1, first)
        self.assertGreater(turns, 10)
        self.assertEqual(sorted(first + answered), [1, *[7] * 30, *[8] * 30])
        self.assertEqual(self.feed.hub.has_work, False)

    def test_failure(self) -> None:
        """A delivery that fails takes no other with it: they come in the next turn."""
        self.park(1, 2, 3, 4)
        self.turns.fails = True
        self.feed.log.offer(post(1))
        self.assertRaises(ZeroDivisionError, self.turn)
        self.assertEqual((self.turn(), self.turns.asked), ([3, 4], 0))

    def test_a_listener_that_fails(self) -> None:
        """It is reported; the others are answered."""

        def fails(events: Any, cursor: str) -> None:
            raise ZeroDivisionError

        subscription = self.feed.hub.open("bob")
        subscription.start(Position(0), ())
        self.feed.hub.park(subscription, fails)
        self.park(1)
        self.feed.log.offer(post(1))
        self.assertEqual((self.turn(), len(self.turns.errors)), ([1], 1))


class OpenTests(FeedCase):
    """`open`, `close` and `expire`."""

    def test_lists_are_forgotten(self) -> None:
        """Friend lists that changed above the watermark may be old: their process may have died."""
        self.friends.lists = {"al": (), "bob": (), "cy": ()}
        changes = [change(1, "friend", "al", "bob"), change(3, "unfriend", "bob", "al")]
        self.feed.open(Opening("k1", 1, [changes[0], post(2, "cy"), changes[1]]))
        self.assertEqual(set(self.friends.lists), {"al", "cy"})

    def test_other_database(self) -> None:
        """`close` answers everybody with nothing, and ends what stood on the old ids."""
        heard = Heard()
        subscription = self.feed.hub.open("bob")
        self.feed.reading.take(subscription)
        self.feed.hub.park(subscription, heard)
        self.feed.close()
        self.assertEqual(
            (heard.answers, len(self.feed.hub), self.feed.log.horizon.epoch),
            ([([], "k1.0~h1")], 0, ""),
        )
        self.feed.open(Opening("k2", 0, []))
        self.assertEqual(self.feed.log.horizon.epoch, "k2")

    def test_expire(self) -> None:
        """A subscription that nobody polls ends after the linger time of the settings."""
        self.feed.hub.open("bob")
        for now, left in ((8.9, 1), (9.0, 0)):
            self.turns.now = now
            self.feed.expire()
            self.assertEqual(len(self.feed.hub), left)
