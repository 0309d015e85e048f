"""The recent log: let through once, kept for a while, settled when nothing can appear below."""

from twisted.trial.unittest import SynchronousTestCase

from feedd.core.counters import Counters
from feedd.core.event import Event, make_event
from feedd.core.horizon import MAX_ABOVE
from feedd.core.position import Position
from feedd.core.recent import MAX_CHANGES, MAX_MESSAGES, RecentLog
from tests.unit.core import change, ids, post


class RecentCase(SynchronousTestCase):
    """A log of 8 events with S = 5 seconds."""

    def setUp(self) -> None:
        self.through: list[Event] = []
        self.counters = Counters()
        self.log = RecentLog(self.through.append, 8, 5.0, self.counters)

    def offer(self, *numbers: int, author: str = "bob") -> None:
        """Posts with these ids."""
        for number in numbers:
            self.log.offer(post(number, author))


class BytesTests(SynchronousTestCase):
    """The bound in bytes: a thousand and no more than eight events."""

    def setUp(self) -> None:
        self.log = RecentLog(lambda event: None, 8, 0.0, Counters(), 1_000)

    def offer(self, id: int, size: int, kind: str = "post") -> Event:
        """An event of so many bytes."""
        event = make_event(id, kind, "bob", 1, b'""', 1)
        long = make_event(id, kind, "bob", 1, b'"%b"' % (b"x" * (size - len(event.json))), 1)
        self.log.offer(long)
        return long

    def kept(self) -> list[int]:
        """The ids that are in memory."""
        for settled in range(20):
            found = self.log.after(Position(settled), {"bob"})
            if found is not None:
                return ids(found)
        raise AssertionError

    def test_the_oldest_go(self) -> None:
        """Until an eighth is free."""
        for id in range(1, 5):
            self.offer(id, 250)
        self.assertEqual(self.kept(), [1, 2, 3, 4])
        self.offer(5, 100)
        self.assertEqual(self.kept(), [2, 3, 4, 5])
        self.offer(6, 300)
        self.assertEqual(self.kept(), [4, 5, 6])

    def test_a_single_one(self) -> None:
        """The newest stays, whatever its size."""
        self.offer(1, 250)
        self.offer(2, 5_000)
        self.assertEqual(self.kept(), [2])
        self.offer(3, 250)
        self.assertEqual(self.kept(), [3])

    def test_a_body_that_goes(self) -> None:
        """A deletion makes a body shorter, and so makes room."""
        edit = self.offer(1, 700)
        self.offer(2, 90, "delete")
        self.log.shown(edit)
        self.offer(3, 700)
        self.assertEqual(self.kept(), [1, 2, 3])

    def test_at_the_start(self) -> None:
        """The same holds for what a process begins with."""
        events = [self.offer(id, 300) for id in range(1, 9)]
        self.log.fill("k1", 8, events)
        self.assertEqual(self.kept(), [7, 8])
        self.log.fill("k2", 8, events[-1:])
        self.offer(9, 600)
        self.assertEqual(self.kept(), [8, 9])

    def test_friend_changes(self) -> None:
        """They are remembered for longer, and so without what may make them long."""
        body = b'{"friend":"al","more":"%b"}' % (b"x" * 999)
        self.log.offer(make_event(1, "friend", "bob", None, body, 1))
        (change,) = self.log.friend_changes("bob").values()
        self.assertEqual((change.id, change.kind, change.json), (1, "friend", b""))


class OfferTests(RecentCase):
    """`offer`, `unknown`, `missing`."""

    def test_new(self) -> None:
        """A new event is let through."""
        self.assertTrue(self.log.offer(post(1)))
        self.assertEqual(ids(self.through), [1])

    def test_twice(self) -> None:
        """An event that comes by several doors is let through once."""
        self.offer(1)
        self.assertFalse(self.log.offer(post(1)))
        self.assertEqual(ids(self.through), [1])

    def test_late(self) -> None:
        """A lower id that becomes visible later is let through."""
        self.offer(2, 1)
        self.assertEqual(ids(self.through), [2, 1])

    def test_settled(self) -> None:
        """An event that is settled has been let through before."""
        self.log.fill("k1", 5, [])
        self.assertFalse(self.log.offer(post(5)))

    def test_message(self) -> None:
        """A foreign message is let through once, and is no part of the log."""
        self.assertTrue(self.log.offer(post(-7)))
        self.assertFalse(self.log.offer(post(-7)))
        self.assertEqual(
            (ids(self.through), self.log.highest, self.log.after(Position(0), {"bob"})),
            ([-7], 0, []),
        )

    def test_many_messages(self) -> None:
        """Of many foreign messages the oldest ids are forgotten."""
        self.offer(*range(-MAX_MESSAGES - 1, 0))
        self.assertFalse(self.log.offer(post(-1)))
        self.assertTrue(self.log.offer(post(-MAX_MESSAGES - 1)))

    def test_unknown(self) -> None:
        """Of the ids that the tail has read, those that were let through are not asked for."""
        self.log.fill("k1", 5, [])
        self.offer(7)
        self.assertEqual(self.log.unknown([4, 5, 6, 7, 8]), [6, 8])

    def test_missing(self) -> None:
        """A row that is gone or unreadable is not asked for again, and holds nothing."""
        self.log.missing([3])
        self.assertEqual(
            (self.log.unknown([3]), self.log.after(Position(0), {"bob"}), self.through),
            ([], [], []),
        )

    def test_missing_settled(self) -> None:
        """A missing row below the watermark changes nothing."""
        self.log.fill("k1", 5, [])
        self.log.missing([3])
        self.assertEqual(self.log.horizon.settled, 5)

    def test_net_away(self) -> None:
        """When nothing settles for very long the oldest ids are forgotten, and that is counted."""
        self.log.missing(range(2, MAX_ABOVE + 3))
        self.assertEqual((self.log.unknown([2, 3]), self.counters["recent_forgotten"]), ([2], 1))


class MemoryTests(RecentCase):
    """`fill`, `after`, `highest`."""

    def test_after(self) -> None:
        """After a cursor come the events of these authors, without those that it names, by id."""
        self.offer(4, 2, 1, 5)
        self.offer(3, author="eve")
        self.assertEqual(ids(self.log.after(Position(1, (4,)), {"bob"}) or ()), [2, 5])

    def test_highest(self) -> None:
        """The highest id is what came in, or what is settled."""
        self.assertEqual(self.log.highest, 0)
        self.log.fill("k1", 5, [])
        self.assertEqual(self.log.highest, 5)
        self.offer(9, 7)
        self.assertEqual(self.log.highest, 9)

    def test_evicted(self) -> None:
        """
        Memory says None for a cursor that it does not reach back to, and answers one that it does.
        """
        self.offer(*range(1, 11))
        self.assertIsNone(self.log.after(Position(1), {"bob"}))
        self.assertEqual(ids(self.log.after(Position(2), {"bob"}) or ()), [3, 4, 5, 6, 7, 8, 9, 10])

    def test_late_below_memory(self) -> None:
        """A late event below what memory holds is let through, and memory says nothing about it."""
        self.offer(*range(2, 12), 1)
        self.assertEqual(self.through[-1].id, 1)
        self.assertIsNone(self.log.after(Position(0), {"bob"}))
        self.assertEqual(len(self.log.after(Position(3), {"bob"}) or ()), 8)

    def test_fill(self) -> None:
        """The last events before now are in memory, and nobody is told of them."""
        self.log.fill("k1", 5, [post(4), post(5), post(7)])
        self.assertEqual((self.through, self.log.horizon.settled, self.log.highest), ([], 5, 7))
        self.assertEqual(ids(self.log.after(Position(3), {"bob"}) or ()), [4, 5, 7])
        self.assertFalse(self.log.offer(post(7)))

    def test_epoch(self) -> None:
        """The log is of the database that it was filled from, until that is another one."""
        self.assertEqual(self.log.horizon.epoch, "")
        self.log.fill("k1", 5, [])
        self.assertEqual(self.log.horizon.epoch, "k1")
        self.log.close()
        self.assertEqual(self.log.horizon.epoch, "")
        self.log.fill("k2", 0, [])
        self.assertEqual(self.log.horizon.epoch, "k2")

    def test_fill_reaches_down_to_its_first(self) -> None:
        """Memory reaches down to the first of them, and no further."""
        self.log.fill("k1", 5, [post(4)])
        self.assertIsNone(self.log.after(Position(2), {"bob"}))
        self.assertEqual(ids(self.log.after(Position(3), {"bob"}) or ()), [4])

    def test_fill_far_above_settled(self) -> None:
        """
        When the watermark is far behind the last events, memory does not claim to know what lies
        between.
        """
        self.log.fill("k1", 5, [post(100)])
        self.assertIsNone(self.log.after(Position(5), {"bob"}))
        self.assertEqual(ids(self.log.after(Position(99), {"bob"}) or ()), [100])

    def test_fill_with_nothing(self) -> None:
        """With no event at all memory reaches down to the watermark."""
        self.log.fill("k1", 5, [])
        self.assertIsNone(self.log.after(Position(4), {"bob"}))
        self.assertEqual(self.log.after(Position(5), {"bob"}), [])

    def test_fill_again(self) -> None:
        """Another database's opening replaces all that was known."""
        self.log.fill("k1", 0, [post(1), change(2, "friend", "al", "bob")])
        self.log.settling.note_read(0, 0, 2)
        self.log.fill("k1", 0, [])
        self.assertEqual((self.log.highest, self.log.friend_changes("al")), (0, {}))
        self.assertTrue(self.log.offer(post(2)))
        self.log.settling.note_read(9, 9, 0)
        self.assertEqual(self.log.horizon.settled, 0)

    def test_bounded(self) -> None:
        """However many come, few more than the newest are kept."""
        self.offer(*range(1, 1000))
        kept = [
            number
            for number in range(1000)
            if self.log.after(Position(number), {"bob"}) is not None
        ]
        self.assertLessEqual(len(kept), 10)


class FailureTests(RecentCase):
    """Events with which something fails."""

    def test_alone(self) -> None:
        """It counts as let through, so that the log is settled, and the others are told."""

        def dispatch(event: Event) -> None:
            if event.id == 2:
                raise ZeroDivisionError
            self.through.append(event)

        failures: list[str] = []
        log = RecentLog(
            dispatch,
            8,
            5.0,
            self.counters,
            failed=lambda name, what: failures.append(name),
        )
        for id in (1, 2, 2, 3):
            log.offer(post(id))
        self.assertEqual((ids(self.through), failures), ([1, 3], ["recent_failed"]))
        self.assertEqual(log.horizon.settled, 3)


class ChangeTests(RecentCase):
    """`friend_changes`."""

    def test_newest(self) -> None:
        """Of each pair the newest change is known, in whatever order they came."""
        for event in (
            change(3, "friend", "al", "cy"),
            change(2, "unfriend", "al", "bob"),
            change(1, "friend", "al", "bob"),
        ):
            self.log.offer(event)
        self.assertEqual(
            {friend: event.id for friend, event in self.log.friend_changes("al").items()},
            {"bob": 2, "cy": 3},
        )

    def test_nobody(self) -> None:
        """A viewer who changed nothing has no changes."""
        self.assertEqual(self.log.friend_changes("al"), {})

    def test_many(self) -> None:
        """Of very many changes the newest are remembered, in whatever order they came."""
        for number in range(MAX_CHANGES, 0, -1):
            self.log.offer(change(number + 1, "friend", "al", f"friend{number}"))
        self.log.offer(change(MAX_CHANGES + 2, "friend", "bob", "al"))
        self.log.offer(change(1, "friend", "cy", "al"))
        remembered = self.log.friend_changes("al").values()
        self.assertEqual(
            (len(remembered), min(event.id for event in remembered)), (MAX_CHANGES - 1, 3)
        )
        self.assertEqual(
            (len(self.log.friend_changes("bob")), self.log.friend_changes("cy")), (1, {})
        )

    def test_replaced(self) -> None:
        """A change that a newer one of its pair has replaced is forgotten without a trace."""
        for number in range(1, MAX_CHANGES + 2):
            self.log.offer(change(number, "friend", "al", "bob"))
        self.assertEqual(self.log.friend_changes("al")["bob"].id, MAX_CHANGES + 1)

    def test_outlives_its_event(self) -> None:
        """Other events do not push a change out."""
        self.log.offer(change(1, "friend", "al", "bob"))
        self.offer(*range(2, 100))
        self.assertEqual(list(self.log.friend_changes("al")), ["bob"])

    def test_late_below_memory(self) -> None:
        """
        A late change below what memory holds is remembered: the list in the cache may be older.
        """
        self.offer(*range(2, 12))
        self.log.offer(change(1, "friend", "al", "bob"))
        self.assertEqual(list(self.log.friend_changes("al")), ["bob"])


class SettleTests(RecentCase):
    """`note_read`: what may be called settled."""

    def test_too_early(self) -> None:
        """A read that starts less than S after an id was seen settles nothing."""
        self.log.settling.note_read(0, 1, 7)
        self.log.settling.note_read(5.9, 6, 7)
        self.assertEqual(self.log.horizon.settled, 0)

    def test_later(self) -> None:
        """A read that starts S after the answer in which an id was seen settles it."""
        self.log.settling.note_read(0, 1, 7)
        self.log.settling.note_read(6, 6.5, 9)
        self.assertEqual(self.log.horizon.settled, 7)

    def test_start_does_not_count(self) -> None:
        """
        S runs from the end of the read that saw the id, for it may have been given out just before.
        """
        self.log.settling.note_read(0, 4, 7)
        self.log.settling.note_read(5, 5, 7)
        self.assertEqual(self.log.horizon.settled, 0)

    def test_each_in_its_time(self) -> None:
        """Ids that were seen at several moments settle one after the other."""
        for second in range(5):
            self.log.settling.note_read(second, second, second + 10)
        settled = []
        for second in range(5, 10):
            self.log.settling.note_read(second, second, 20)
            settled.append(self.log.horizon.settled)
        self.assertEqual(settled, [10, 11, 12, 13, 14])

    def test_limit(self) -> None:
        """Where a limit cut the later read, nothing above is settled."""
        self.log.settling.note_read(0, 0, 9)
        self.log.settling.note_read(5, 5, 4)
        self.assertEqual(self.log.horizon.settled, 4)

    def test_nothing_there(self) -> None:
        """A read without any row settles nothing and is no error."""
        self.log.settling.note_read(0, 0, 0)
        self.log.settling.note_read(5, 5, 0)
        self.assertEqual(self.log.horizon.settled, 0)

    def test_never_down(self) -> None:
        """The watermark does not go back when a later read finds less."""
        self.log.fill("k1", 3, [])
        self.log.settling.note_read(0, 0, 9)
        self.log.settling.note_read(5, 5, 0)
        self.assertEqual(self.log.horizon.settled, 3)

    def test_seen_from_the_first_time(self) -> None:
        """An id that stays the highest settles S after it was seen first."""
        for second in range(6):
            self.log.settling.note_read(second, second, 9)
        self.assertEqual(self.log.horizon.settled, 9)

    def test_known_above(self) -> None:
        """What was let through above the watermark is still known when it has moved."""
        self.offer(7, 9)
        self.log.settling.note_read(0, 0, 7)
        self.log.settling.note_read(5, 5, 9)
        self.assertEqual((self.log.horizon.settled, self.log.unknown([6, 7, 8, 9])), (7, [8]))

    def test_ids_that_commit_in_order(self) -> None:
        """With S = 0 a read settles what it has seen."""
        log = RecentLog(self.through.append, 8, 0, self.counters)
        log.settling.note_read(3, 4, 7)
        self.assertEqual(log.horizon.settled, 7)
