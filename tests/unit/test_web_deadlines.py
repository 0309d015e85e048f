"""One wheel for all deadlines."""

from twisted.trial.unittest import SynchronousTestCase

from feedd.web.deadlines import Deadlines


class Egg:
    """Something that expires."""

    def __init__(self) -> None:
        self.times = 0

    def expire(self) -> None:
        """Count."""
        self.times += 1


class Neighbour(Egg):
    """It takes another one along."""

    def __init__(self, wheel: Deadlines, others: dict[Egg, int]) -> None:
        super().__init__()
        self.wheel = wheel
        self.others = others

    def expire(self) -> None:
        """Remove the others, and stay for another second."""
        super().expire()
        for other, slot in self.others.items():
            self.wheel.remove(other, slot)
        self.wheel.add(self, 1)


class Rotten(Egg):
    """It fails."""

    def expire(self) -> None:
        """Fail."""
        raise ZeroDivisionError


class DeadlinesTests(SynchronousTestCase):
    """Adding, removing, expiring."""

    def setUp(self) -> None:
        self.wheel = Deadlines(1000.2)

    def test_once(self) -> None:
        """An item expires once, after its time and at most a step and a half later."""
        egg = Egg()
        self.wheel.add(egg, 3)
        self.wheel.tick(1003.0)
        self.assertEqual(egg.times, 0)
        self.wheel.tick(1003.7)
        self.wheel.tick(1100)
        self.assertEqual((egg.times, len(self.wheel)), (1, 0))

    def test_removed(self) -> None:
        """What was removed does not expire; removing it again is fine."""
        egg, other = Egg(), Egg()
        slot, _ = self.wheel.add(egg, 3), self.wheel.add(other, 3)
        for _ in range(2):
            self.wheel.remove(egg, slot)
        self.assertEqual(len(self.wheel), 1)
        self.wheel.tick(1010)
        self.wheel.remove(egg, slot)
        self.assertEqual((egg.times, other.times), (0, 1))

    def test_late(self) -> None:
        """A tick that comes late makes up for those before it, and the next ones are on time again."""
        eggs = [Egg() for _ in range(10)]
        for number, egg in enumerate(eggs):
            self.wheel.add(egg, number)
        self.wheel.tick(1005.2)
        self.assertEqual([egg.times for egg in eggs], [1] * 5 + [0] * 5)
        self.wheel.tick(5000)
        self.wheel.add(eggs[0], 1)
        self.wheel.tick(5001.5)
        self.assertEqual([egg.times for egg in eggs], [2] + [1] * 9)

    def test_while_expiring(self) -> None:
        """What expires may remove others of its moment and add itself again."""
        others: dict[Egg, int] = {}
        neighbour = Neighbour(self.wheel, others)
        self.wheel.add(neighbour, 1)
        other = Egg()
        others[other] = self.wheel.add(other, 5)
        self.wheel.tick(1002)
        self.assertEqual((neighbour.times, other.times, len(self.wheel)), (1, 0, 1))

    def test_failure(self) -> None:
        """What fails is logged, and hurts nobody else."""
        egg = Egg()
        self.wheel.add(Rotten(), 1)
        self.wheel.add(egg, 1)
        self.wheel.tick(1002)
        self.assertEqual(egg.times, 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
