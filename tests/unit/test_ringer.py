"""The ringer: who is it, what it rings for, and what it does when it cannot."""

from feedd.core.horizon import Horizon
from feedd.core.runs import runs_of
from feedd.feed.ports import Unavailable
from feedd.feed.rows import AT_ONCE
from feedd.log.ringer import LIMIT, MOST_RUNG, Ringer
from tests.unit.ringer import RING_SECONDS, RingerCase

SECOND = 1.0


class RingTests(RingerCase):
    """The one that rings."""

    def test_new_rows(self) -> None:
        """A row is told here and everywhere with the next look, and not again."""
        self.start()
        self.store.rows = {1, 2}
        self.turn()
        self.assertEqual((self.log.notes, self.rung), ([1, 2], [1, 2]))
        self.turn(SECOND)
        self.assertEqual((self.rung, self.counters["ringer_rung"]), ([1, 2], 2))

    def test_each_look(self) -> None:
        """It looks every `ring_seconds`; one that asks for nothing new costs one question."""
        self.start()
        self.turn(10 * RING_SECONDS)
        self.assertEqual(self.lookout.looks, [(0, [])] * 11)
        self.assertEqual((self.counters["ringer_looks"], self.store.calls), (11, []))

    def test_rows_that_were_rung_for(self) -> None:
        """Their writer tells of them; they are not even read."""
        self.start()
        self.store.rows, self.lookout.rung = {1, 2, 3}, {1, 3}
        self.turn()
        self.assertEqual((self.rung, self.store.calls_of("events")), ([2], [[2]]))

    def test_rows_that_are_known_here(self) -> None:
        """What the net has found first here, others have not: it is rung for."""
        self.start()
        self.store.rows = self.log.seen = {1}
        self.log.horizon = Horizon("k1", 1)
        self.turn()
        self.assertEqual((self.rung, self.log.notes), ([1], []))

    def test_a_late_commit(self) -> None:
        """A row that becomes visible below others is rung for with the next look."""
        self.log.horizon = Horizon("k1", 2, runs_of([1]))
        self.start()
        self.store.rows = {4}
        self.turn()
        self.store.rows = {1, 3, 4}
        self.turn()
        self.assertEqual(self.rung, [4, 1, 3])

    def test_a_row_that_is_gone(self) -> None:
        """A row that holds no event is the net's, which may see it better."""
        self.start()
        self.store.rows, self.store.unreadable = {1, 2}, {1}
        self.turn(SECOND)
        self.assertEqual((self.rung, self.log.notes), ([2], [2]))
        self.assertEqual(self.store.calls_of("events"), [[1, 2]])

    def test_many_rows(self) -> None:
        """They are read, told and published in batches; a look that was cut goes on at once."""
        self.start()
        self.store.rows = set(range(1, LIMIT + 2))
        self.turn()
        self.assertEqual(self.rung, [*range(1, LIMIT + 2)])
        self.assertEqual(max(map(len, self.store.calls_of("events"))), AT_ONCE)

    def test_too_many_missing(self) -> None:
        """Those that are left to the net are counted."""
        self.start()
        self.store.rows = set(range(2, 500, 2))
        self.turn()
        self.assertEqual(self.counters["ringer_left_out"], len(self.store.rows) - 200)

    def test_another_epoch(self) -> None:
        """When the database turns out to be another one nothing more of it is told."""
        self.start()
        self.store.rows = {1}
        held = self.store.held = []
        self.turn()
        self.log.horizon = Horizon("k2")
        held[0].callback(None)
        self.assertEqual((self.rung, self.log.notes), ([], []))


class ElectionTests(RingerCase):
    """One of several processes."""

    def test_standing_by(self) -> None:
        """It tries again and again, and looks at nothing."""
        self.lookout.others = True
        self.start()
        self.store.rows = {1}
        self.clock.pump([Ringer.STANDBY_SECONDS] * 5)
        self.assertEqual((self.lookout.looks, self.ringer.state), ([], "stands by"))
        self.assertEqual(self.lookout.calls.count("enter"), 6)

    def test_taking_over(self) -> None:
        """It begins where its own log was settled some seconds ago, and rings for all since."""
        self.lookout.others = True
        self.start()
        for id in range(1, 11):
            self.turn(SECOND)
            self.store.rows.add(id)
            self.log.horizon = Horizon("k1", id)
        self.lookout.others = False
        self.turn(Ringer.STANDBY_SECONDS)
        self.assertEqual((self.lookout.looks[0], self.rung), ((7, []), [8, 9, 10]))
        self.assertEqual(self.ringer.state, "rings")
        self.assertEqual(self.counters["ringer_takeovers"], 1)

    def test_once(self) -> None:
        """It loses its connection and becomes the one again: nothing is rung for twice."""
        self.start()
        self.store.rows = {1, 2}
        self.turn()
        self.lookout.error = Unavailable("database", "cut off")
        self.turn()
        self.lookout.error = None
        self.store.rows = {1, 2, 3}
        self.turn(SECOND)
        self.assertEqual((self.rung, self.counters["ringer_takeovers"]), ([1, 2, 3], 2))

    def test_what_it_remembers(self) -> None:
        """A bounded number of ids, the newest."""
        self.start()
        self.store.rows = set(range(1, MOST_RUNG + 11))
        for _ in range(MOST_RUNG // LIMIT + 1):
            self.turn()
        self.lookout.error = Unavailable("database", "cut off")
        self.turn()
        self.lookout.error = None
        self.turn(SECOND)
        self.assertEqual(self.rung[MOST_RUNG + 10 :], [*range(1, 11)])

    def test_the_broker_is_away(self) -> None:
        """
        It stands aside, so that a process whose broker is there may ring, and rings when it is
        back for what came in meanwhile.
        """
        self.start()
        self.broker.up = False
        self.turn()
        self.assertEqual(
            (self.lookout.calls[-1], self.ringer.state), ("leave", "the broker is away")
        )
        looks = len(self.lookout.looks)
        self.store.rows = {1}
        self.turn(SECOND)
        self.assertEqual((len(self.lookout.looks), self.rung), (looks, []))
        self.broker.up = True
        self.turn(Ringer.STANDBY_SECONDS)
        self.assertEqual(self.rung, [1])

    def test_stop(self) -> None:
        """Whatever is under way, it gives the lock back; and it can be started again."""
        held = self.lookout.held = []
        self.start()
        self.assertEqual(len(held), 1)
        self.ringer.stopService()
        self.assertEqual((self.lookout.calls[-1], self.ringer.state), ("stop", "off"))
        self.lookout.held = None
        self.ringer.startService()
        self.assertEqual(self.ringer.state, "rings")


class FailureTests(RingerCase):
    """The database is away, or feedd makes a mistake."""

    def test_an_outage(self) -> None:
        """
        It is known with its reason, counted each time, tried again ever more seldom but once a
        second, and over with the first look that goes well.
        """
        self.start()
        self.lookout.error = Unavailable("database", "gone away")
        self.turn(4 * SECOND)
        self.assertEqual(self.ringer.state, "gone away")
        self.assertEqual(self.counters["ringer_failed"], 6)
        self.assertEqual(self.lookout.calls[-1], "leave")
        self.lookout.error = None
        self.turn(SECOND)
        self.assertEqual(self.ringer.state, "rings")
        self.lookout.error = Unavailable("database", "gone away")
        self.turn()
        self.lookout.error = None
        self.turn(Ringer.STANDBY_SECONDS)
        self.assertEqual(self.ringer.state, "rings")

    def test_rows_that_cannot_be_read(self) -> None:
        """Another process may be able to; this one rings for them when it can."""
        self.start()
        self.store.rows = {1}
        self.store.error = Unavailable("database", "slow")
        self.turn()
        self.assertEqual((self.ringer.state, self.lookout.calls[-1]), ("slow", "leave"))
        self.store.error = None
        self.turn(SECOND)
        self.assertEqual(self.rung, [1])

    def test_a_server_that_gets_nothing(self) -> None:
        """
        A lookout that does not see what others have seen for seconds, since it looks at another
        server than they, is connected anew.
        """
        self.start()
        self.log.horizon = Horizon("k1", 5)
        self.turn(2 * SECOND)
        self.assertEqual((self.ringer.state, self.lookout.calls.count("enter")), ("rings", 1))
        self.turn(3 * SECOND)
        self.assertEqual((self.ringer.state, self.lookout.calls.count("enter")), ("rings", 2))
        self.assertEqual(self.counters["ringer_failed"], 1)
        self.store.rows = {6}
        self.turn()
        self.assertEqual(self.rung, [6])

    def test_a_mistake_of_ours(self) -> None:
        """It is logged once, with its traceback, and tried again."""
        self.start()
        self.lookout.error = ZeroDivisionError()
        self.turn(SECOND)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIn("see the log", self.ringer.state)
        self.lookout.error = None
        self.turn(SECOND)
        self.assertEqual(self.ringer.state, "rings")
