"""The net writes down what is settled, and notices when the database has become another one."""

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

    def test_a_save_that_fails_is_repeated(self) -> None:
        """A save that fails is repeated with the next tick."""
        self.start()
        self.clock.pump([1.0] * 4)
        self.store.reading = lambda: setattr(self.store, "error", Unavailable("database", "gone"))
        self.clock.advance(1.0)
        self.store.reading, self.store.error = lambda: None, None
        self.clock.advance(1.0)
        self.assertEqual(self.store.calls_of("save"), [("k1", 0), ("k1", 0)])
        self.assertEqual(self.tail.trouble, "")

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
