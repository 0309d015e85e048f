"""The net writes down what is settled, and notices when the database has become another one."""

from twisted.internet.defer import Deferred

from feedd.core.horizon import Horizon
from feedd.feed.ports import Unavailable
from tests.unit.tail import TailCase


class SaveTests(TailCase):
    """Every five seconds."""

    def test_what_is_settled_is_saved(self) -> None:
        """The watermark is saved every five seconds, with the epoch that it belongs to."""
        self.log.horizon = Horizon("k1", 3)
        self.start()
        self.clock.pump([1.0] * 4)
        self.assertEqual(self.store.calls_of("save"), [])
        self.clock.advance(1.0)
        self.assertEqual(self.store.calls_of("save"), [("k1", 3)])
        self.log.horizon = Horizon("k1", 8)
        self.clock.pump([1.0] * 5)
        self.assertEqual(self.store.calls_of("save"), [("k1", 3), ("k1", 8)])
        self.assertEqual(self.owner.others, 0)

    def test_a_save_that_fails(self) -> None:
        """
        A save that fails is counted and repeated five seconds later; the net is none the worse for
        it.
        """
        self.start()
        for error in (Unavailable("database", "it takes no writes"), ValueError()):
            self.store.save_error = error
            self.clock.pump([1.0] * 5)
            self.assertEqual(self.tail.trouble, "")
        self.assertEqual(self.counters["settled_not_saved"], 2)
        self.assertEqual(self.counters["tail_failed"], 0)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.store.save_error = None
        self.clock.pump([1.0] * 5)
        self.assertEqual(self.store.calls_of("save"), [("k1", 0)] * 3)
        self.assertEqual(self.counters["settled_not_saved"], 2)

    def test_a_save_that_hangs(self) -> None:
        """The net goes on meanwhile, no second save begins, and a stop waits for it."""
        self.start()
        self.store.saving = Deferred()
        self.clock.pump([1.0] * 12)
        self.assertEqual(len(self.store.calls_of("ids")), 13)
        self.assertEqual(self.store.calls_of("save"), [("k1", 0)])
        stopping = self.tail.stopService()
        self.assertNoResult(stopping)
        saving, self.store.saving = self.store.saving, None
        saving.callback(None)
        self.successResultOf(stopping)

    def test_a_last_save_that_fails(self) -> None:
        """A stop ends all the same."""
        self.start()
        self.store.save_error = Unavailable("database", "gone")
        self.successResultOf(self.tail.stopService())
        self.assertEqual(self.counters["settled_not_saved"], 1)

    def test_another_database(self) -> None:
        """Its owner is told, once, that the database is of another epoch, and may stop it then."""
        self.start()
        self.store.epoch = "k2"
        self.clock.pump([1.0] * 4)
        self.assertEqual(self.owner.others, 0)
        self.clock.advance(1.0)
        self.assertEqual(self.owner.others, 1)
        self.successResultOf(self.tail.stopService())
        self.assertEqual(
            (self.owner.others, self.store.calls_of("save")), (1, [("k1", 0), ("k1", 0)])
        )
