"""Polls of viewers with very many friends."""

from tests.unit.core import CoreCase, change, ids, post


class LongListTests(CoreCase):
    """A viewer with very many friends."""

    def setUp(self) -> None:
        super().setUp()
        self.names = tuple(f"f{number:05}" for number in range(20_000))
        self.friends.lists["al"] = self.names
        self.start()
        self.commit("bob", 2)
        self.tick()

    def test_turns(self) -> None:
        """Their first cold poll takes some turns; what comes meanwhile is told, and only once."""
        cold = self.spawn(self.reading.cold("al", f"{self.log.horizon.epoch}.0"))
        self.turns.take()
        self.assertNoResult(cold)
        for author in (self.names[0], self.names[-1], "eve"):
            for event in self.commit(author):
                self.log.offer(event)
        self.turns.take_all()
        self.assertEqual(ids(self.successResultOf(cold).events), [3, 4])

    def test_friend_meanwhile(self) -> None:
        """A friendship that ends or begins meanwhile counts."""
        cold = self.spawn(self.reading.cold("al", f"{self.log.horizon.epoch}.0"))
        self.turns.take()
        for event in self.commit(self.names[-1]):
            self.log.offer(event)
        self.log.offer(change(4, "unfriend", "al", self.names[-1]))
        self.log.offer(change(5, "friend", "al", "bob"))
        self.log.offer(post(6, "bob"))
        self.turns.take_all()
        self.assertEqual(ids(self.successResultOf(cold).events), [1, 2, 4, 5, 6])
        self.assertEqual(self.hub.hears("al", "bob"), True)

    def test_same_list(self) -> None:
        """Their next cold poll, with the same list, takes no turn."""
        cold = self.spawn(self.reading.cold("al", None))
        self.turns.take_all()
        self.successResultOf(cold)
        self.now(self.reading.cold("al", None))
