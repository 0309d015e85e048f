"""A subscription: what its viewer has, and what is pending."""

from twisted.trial.unittest import SynchronousTestCase

from feedd.core.cursor import MAX_IDS, parse_cursor
from feedd.core.event import Event, make_event
from feedd.core.horizon import Horizon
from feedd.core.position import Position, Positions
from feedd.core.sizes import PENDING_BYTES
from feedd.core.subscription import Subscription
from tests.unit.core import Heard, ids, post


class SubscriptionTests(SynchronousTestCase):
    """`Subscription`."""

    def setUp(self) -> None:
        self.subscription = Subscription("al", "h1")
        self.positions = Positions()

    def push(self, *numbers: int, limit: int = 10) -> None:
        """Posts with these ids."""
        for number in numbers:
            self.subscription.push(post(number), limit)

    def take(self, settled: int = 0) -> list[int]:
        """The ids of an answer."""
        return ids(self.subscription.take(self.positions, Horizon("k1", settled)))

    def test_held(self) -> None:
        """
        What comes in before the start is held and merged with what was missed; what is in both
        counts once.
        """
        self.push(9, 7)
        self.subscription.start(Position(5), [post(8), post(7), post(6)])
        self.assertEqual(self.take(), [6, 7, 8, 9])

    def test_start_without_what_the_viewer_has(self) -> None:
        """
        What the cursor says that the viewer has is not answered, whether it was held or missed.
        """
        self.push(4, 7, 10)
        self.subscription.start(Position(5, (7, 8)), [post(5), post(8), post(9)])
        self.assertEqual(self.take(), [9, 10])

    def test_start_keeps_messages(self) -> None:
        """A foreign message that was held has no place in the log and stays."""
        self.push(-3)
        self.subscription.start(Position(5), [])
        self.assertEqual(self.take(), [-3])

    def test_start_now(self) -> None:
        """
        A viewer who begins now has what is known, but not what was held since the subscription
        began.
        """
        self.push(8)
        self.subscription.start_now(Horizon("k1", 5), [6, 7, 8])
        self.assertEqual((self.take(5), self.subscription.issued), ([8], "k1.5.6.7.8~h1"))

    def test_start_now_with_nothing_held(self) -> None:
        """A viewer who begins now and held nothing is answered with nothing."""
        self.subscription.start_now(Horizon("k1", 5), [6])
        self.assertEqual((self.take(), self.subscription.issued), ([], "k1.5.6~h1"))

    def test_push_what_the_viewer_has(self) -> None:
        """What the viewer has does not become pending again."""
        self.subscription.start(Position(5, (7,)), [])
        self.push(4, 5, 7)
        self.assertFalse(self.subscription.pending)

    def test_order(self) -> None:
        """An answer is in order of id, foreign messages first and as they came."""
        self.subscription.start(Position(0), [])
        self.push(7, -9, 5, -2, 6)
        self.assertEqual(self.take(), [-9, -2, 5, 6, 7])

    def test_cursor(self) -> None:
        """The cursor names the watermark and what the viewer has above it, no foreign message."""
        self.subscription.start(Position(5, (6, 9)), [])
        self.push(8, -4, 11)
        self.take(7)
        self.assertEqual(self.subscription.issued, "k1.7.8.9.11~h1")

    def test_cursor_settles(self) -> None:
        """What the watermark has passed leaves the cursor, also when nothing came in."""
        self.subscription.start(Position(5, (6, 9)), [])
        self.take(8)
        self.assertEqual(self.subscription.issued, "k1.8.9~h1")

    def test_never_back(self) -> None:
        """A process whose watermark is behind the viewer's cursor leaves it where it is."""
        self.subscription.start(Position(5), [])
        self.take(3)
        self.assertEqual(self.subscription.issued, "k1.5~h1")

    def test_many_ids(self) -> None:
        """A cursor names the newest 200 ids; the subscription itself repeats none of those."""
        self.subscription.start(Position(0), [])
        self.push(*range(1, 302), limit=1000)
        self.take()
        self.assertEqual(
            parse_cursor(self.subscription.issued).ids, tuple(range(302 - MAX_IDS, 302))
        )
        self.push(301)
        self.assertFalse(self.subscription.pending)

    def test_taken_once(self) -> None:
        """What was taken is not pending any more."""
        self.subscription.start(Position(0), [])
        self.push(1)
        self.assertEqual(
            (self.take(), bool(self.subscription.pending), self.take()), ([1], False, [])
        )

    def test_overflow_in_bytes(self) -> None:
        """A few events may be too long together; a single one may be as long as it likes."""
        for number in range(1, 5):
            body = b'"%b"' % (b"x" * (PENDING_BYTES // 3))
            self.subscription.push(make_event(number, "post", "bob", 1, body, 1), 10)
            self.assertEqual(self.subscription.overflowed, number > 2, number)
        other = Subscription("al", "h2")
        other.push(make_event(1, "post", "bob", 1, b'"%b"' % (b"x" * PENDING_BYTES), 1), 10)
        self.assertFalse(other.overflowed)

    def test_the_same_again(self) -> None:
        """An event that is pending already is not counted again."""
        body = b'"%b"' % (b"x" * (PENDING_BYTES // 3))
        for _ in range(9):
            for number in (1, 2):
                self.subscription.push(make_event(number, "post", "bob", 1, body, 1), 10)
        self.assertFalse(self.subscription.overflowed)

    def test_overflow(self) -> None:
        """Past the limit everything is let go, and nothing is taken in any more."""
        self.subscription.start(Position(0), [])
        self.push(1, 2, 3, 4, limit=2)
        self.assertEqual(
            (self.subscription.overflowed, bool(self.subscription.pending)), (True, False)
        )

    def test_limit(self) -> None:
        """At the limit it has not overflowed."""
        self.push(1, 2, limit=2)
        self.assertEqual(
            (self.subscription.overflowed, bool(self.subscription.pending)), (False, True)
        )

    def test_retract(self) -> None:
        """What is pending of one author can be taken back."""
        self.subscription.start(Position(0), [])
        self.subscription.retract({"bob"})
        events: list[Event] = [post(1, "bob"), post(2, "cy")]
        for event in events:
            self.subscription.push(event, 10)
        self.subscription.retract({"bob"})
        self.assertEqual(self.take(), [2])

    def test_park(self) -> None:
        """A parked listener waits until it is unparked, and is called by nobody here."""
        heard = Heard()
        self.subscription.park(heard)
        self.assertIs(self.subscription.listener, heard)
        self.assertIs(self.subscription.unpark(), heard)
        self.assertEqual(
            (self.subscription.listener is not None, self.subscription.unpark(), heard.answers),
            (False, None, []),
        )
