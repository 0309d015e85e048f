"""The net: when it ticks, and how it stops."""

from feedd.core.horizon import Horizon
from feedd.feed.ports import Unavailable
from feedd.log.tail import BATCH
from tests.unit.tail import TailCase


class TickTests(TailCase):
    """The pace, pokes and stops."""

    def test_the_pace(self) -> None:
        """It ticks once a second, and four times while the broker is away."""
        self.start()
        self.clock.pump([0.5, 0.49])
        self.assertEqual(len(self.store.calls_of("ids")), 1)
        self.owner.away = True
        self.clock.advance(0.01)
        self.assertEqual(len(self.store.calls_of("ids")), 2)
        self.clock.pump([0.25] * 4)
        self.assertEqual(len(self.store.calls_of("ids")), 6)

    def test_ticks_do_not_overlap(self) -> None:
        """
        While one waits for the database no other begins; the next one comes a second after its end.
        """
        held = self.hold()
        self.start()
        self.clock.pump([1.0] * 5)
        self.assertEqual(len(held), 1)
        self.store.held = None
        held.pop(0).callback(None)
        self.clock.advance(0.99)
        self.assertEqual(len(self.store.calls_of("ids")), 1)
        self.clock.advance(0.01)
        self.assertEqual(len(self.store.calls_of("ids")), 2)

    def test_an_event_that_fails(self) -> None:
        """An event with which something fails keeps no other from being let through."""
        self.store.rows, self.owner.fails = {1, 2, 3}, {2}
        self.start()
        self.assertEqual((self.owner.ids, self.owner.failures), ([1, 3], ["tail_event_failed"]))
        self.assertEqual(self.tail.trouble, "")

    def test_a_poke(self) -> None:
        """A poke is a tick at once, and the next one comes a second later."""
        self.start()
        self.clock.advance(0.6)
        self.tail.poke()
        self.assertEqual(len(self.store.calls_of("ids")), 2)
        self.clock.advance(0.6)
        self.assertEqual(len(self.store.calls_of("ids")), 2)
        self.clock.advance(0.4)
        self.assertEqual(len(self.store.calls_of("ids")), 3)

    def test_pokes_while_a_tick_runs(self) -> None:
        """
        Pokes while a tick runs are one more tick after it: their reason may have come too late for
        this one.
        """
        held = self.hold()
        self.start()
        for _ in range(5):
            self.tail.poke()
        self.assertEqual(len(held), 1)
        self.store.held = None
        held.pop(0).callback(None)
        self.assertEqual(len(self.store.calls_of("ids")), 2)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_haste(self) -> None:
        """With haste the next tick comes a twentieth of a second after the last, not at once."""
        self.start()
        self.clock.advance(0.01)
        for _ in range(3):
            self.tail.hasten()
        self.assertEqual(len(self.store.calls_of("ids")), 1)
        self.clock.advance(0.04)
        self.assertEqual(len(self.store.calls_of("ids")), 2)
        self.clock.advance(0.5)
        self.tail.hasten()
        self.clock.advance(0)
        self.assertEqual(len(self.store.calls_of("ids")), 3)

    def test_haste_without_need(self) -> None:
        """A tick that runs, is due sooner or is not to come is left as it is."""
        self.tail.hasten()
        self.start()
        self.clock.advance(0.99)
        self.tail.hasten()
        self.tail.hasten()
        held = self.hold()
        self.clock.advance(0.01)
        self.tail.hasten()
        held.pop(0).callback(None)
        self.assertEqual(len(self.store.calls_of("ids")), 2)

    def test_a_poke_before_or_after(self) -> None:
        """A poke before the start or after the stop does nothing."""
        self.tail.poke()
        self.start()
        self.tail.stopService()
        self.tail.poke()
        self.assertEqual(len(self.store.calls_of("ids")), 1)

    def test_stopping_waits_for_the_tick(self) -> None:
        """A tick that runs ends well, what is settled is saved, and nothing is begun any more."""
        self.store.rows = {1}
        held = self.hold()
        self.start()
        self.tail.poke()
        stopped = self.tail.stopService()
        self.assertNoResult(stopped)
        self.log.horizon = Horizon("k1", 1)
        held.pop(0).callback(None)
        held.pop(0).callback(None)
        self.assertNoResult(stopped)
        self.assertEqual(self.log.notes, [1, ("read", 0.0, 0.0, 1)])
        held.pop(0).callback(None)
        self.successResultOf(stopped)
        self.assertEqual(self.store.calls, [("ids", 0), ("events", [1]), ("save", ("k1", 1))])

    def test_stopping_while_the_database_is_away(self) -> None:
        """
        To stop while the database is away is no failure: the next process reads a little more.
        """
        self.start()
        self.log.horizon = Horizon("k1", 5)
        self.store.error = Unavailable("database", "gone")
        self.successResultOf(self.tail.stopService())

    def test_stopping_on_a_long_way(self) -> None:
        """To stop does not wait for the end of a long log."""
        self.store.rows = set(range(1, 3 * BATCH))
        held = self.hold()
        self.start()
        stopped = self.tail.stopService()
        self.store.held = None
        held.pop(0).callback(None)
        self.successResultOf(stopped)
        self.assertEqual(self.store.calls_of("ids"), [0])

    def test_it_can_be_started_again(self) -> None:
        """It ticks again when it is started after a stop."""
        self.start()
        self.tail.stopService()
        self.tail.startService()
        self.clock.advance(1)
        self.assertEqual(len(self.store.calls_of("ids")), 3)
