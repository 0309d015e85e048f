"""The cost of an attack to the others, as a line of the table."""

from twisted.trial.unittest import SynchronousTestCase

from bench.attacks.__main__ import HEAD, Row, cells
from bench.attacks.attackers import ATTACKS, Target
from bench.attacks.house import Memory
from bench.attacks.others import Seen


class TableTests(SynchronousTestCase):
    """A line of the table."""

    def row(self, calm_ms: float) -> list[str]:
        """The line of an attack under which the others waited for 30 ms."""
        calm, during = Seen(10, 1.0, calm_ms, 20.0, 0), Seen(10, 2.0, 30.0, 40.0, 7)
        return cells(Row("status", calm, during, Memory(61_440, 102_400, 65_536), 10.0))

    def test_cells(self) -> None:
        """It has a cell for each column: times, how many times calm, refusals and MiB."""
        found = self.row(10.0)
        self.assertEqual(found, ["status", "1.0/10.0", "2.0/30.0", "3.0", "7", "60/100/64"])
        self.assertEqual(len(found), len(HEAD))

    def test_nothing_calm(self) -> None:
        """Without a calm there is nothing to compare with."""
        self.assertEqual(self.row(0.0)[3], "")


class AttackTests(SynchronousTestCase):
    """The attacks."""

    def test_small(self) -> None:
        """A small attack has friends and requests in a twelfth of the number, one at least."""
        for small, number in ((False, 60_000), (True, 5_000)):
            self.assertEqual(Target(1, small).of(60_000), number)
        self.assertEqual(Target(1, True).of(1), 1)

    def test_friends(self) -> None:
        """Those about friends bring them."""
        target = Target(1, True)
        found = {name: len(list(attack.friendships(target))) for name, attack in ATTACKS.items()}
        self.assertEqual(
            {name: number for name, number in found.items() if number},
            {"unfriend": 4166, "cold": 8333},
        )
