"""One wheel for all deadlines."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from feedd.reactor.deadlines import Deadlines, Expiring


class Egg(Expiring):
    """Something that expires."""

    def __init__(self) -> None:
        super().__init__()
        self.times = 0

    def expire(self) -> None:
        """Count."""
        self.times += 1


class Neighbour(Egg):
    """It takes others along."""

    def __init__(self, wheel: Deadlines, others: list[Egg]) -> None:
        super().__init__()
        self.wheel = wheel
        self.others = others

    def expire(self) -> None:
        """
        Forget the first of the others, take the deadline of the second back, put off the third, and
        stay a second.
        """
        super().expire()
        self.wheel.forget(self.others[0])
        self.others[1].due = 0
        self.wheel.set(self.others[2], 1)
        self.wheel.set(self, 1)


class Rotten(Egg):
    """It fails."""

    def expire(self) -> None:
        """Fail."""
        raise ZeroDivisionError


class DeadlinesTests(SynchronousTestCase):
    """Setting, clearing, expiring."""

    def setUp(self) -> None:
        self.wheel = Deadlines(1000.2)

    def egg(self, seconds: float) -> Egg:
        """One with a deadline."""
        egg = Egg()
        self.wheel.set(egg, seconds)
        return egg

    def test_once(self) -> None:
        """An item expires once, after its time and at most a step and a half later."""
        egg = self.egg(3)
        self.wheel.tick(1003.0)
        self.assertEqual(egg.times, 0)
        self.wheel.tick(1003.7)
        self.wheel.tick(1100)
        self.assertEqual((egg.times, len(self.wheel)), (1, 0))

    def test_forgotten(self) -> None:
        """What was forgotten does not expire, and is not held; to forget it again is fine."""
        egg, other = self.egg(3), self.egg(3)
        for _ in range(2):
            self.wheel.forget(egg)
        self.assertEqual((len(self.wheel), self.wheel.held), (1, 1))
        self.wheel.tick(1010)
        self.wheel.forget(egg)
        self.wheel.forget(other)
        self.assertEqual((egg.times, other.times), (0, 1))

    def test_cleared(self) -> None:
        """What was cleared does not expire; it is held until the wheel comes by, and no longer."""
        egg = self.egg(3)
        egg.due = 0
        self.assertEqual((len(self.wheel), self.wheel.held), (0, 1))
        self.wheel.tick(1010)
        self.assertEqual((egg.times, self.wheel.held), (0, 0))

    def test_put_off(self) -> None:
        """Set again for later it expires then, and only then; meanwhile nothing was moved."""
        egg = self.egg(3)
        self.wheel.tick(1002)
        slot = egg.slot
        self.wheel.set(egg, 3)
        self.assertEqual(egg.slot, slot)
        self.wheel.tick(1004.9)
        self.assertEqual((egg.times, len(self.wheel)), (0, 1))
        self.wheel.tick(1006)
        self.assertEqual((egg.times, self.wheel.held), (1, 0))

    def test_brought_forward(self) -> None:
        """Set again for earlier it expires then, and not a second time."""
        egg = self.egg(30)
        self.wheel.set(egg, 3)
        self.assertEqual(self.wheel.held, 1)
        self.wheel.tick(1004)
        self.wheel.tick(1040)
        self.assertEqual(egg.times, 1)

    def test_late(self) -> None:
        """
        A tick that comes late makes up for those before it, and the next ones are on time again.
        """
        eggs = [self.egg(number) for number in range(10)]
        self.wheel.tick(1005.2)
        self.assertEqual([egg.times for egg in eggs], [1] * 5 + [0] * 5)
        self.wheel.tick(5000)
        self.wheel.set(eggs[0], 1)
        self.wheel.tick(5001.5)
        self.assertEqual([egg.times for egg in eggs], [2] + [1] * 9)

    def test_while_expiring(self) -> None:
        """What expires may change others of its moment and set itself again."""
        others = [Egg(), Egg(), Egg()]
        neighbour = Neighbour(self.wheel, others)
        for item in (neighbour, *others):
            self.wheel.set(item, 1)
        self.wheel.tick(1002)
        self.assertEqual(
            (neighbour.times, [other.times for other in others], len(self.wheel)), (1, [0, 0, 0], 2)
        )
        others[:] = [Egg(), Egg(), others[2]]
        self.wheel.tick(1003.5)
        self.assertEqual((neighbour.times, others[2].times), (2, 0))

    def test_failure(self) -> None:
        """What fails is logged, and hurts nobody else."""
        self.wheel.set(Rotten(), 1)
        egg = self.egg(1)
        self.wheel.tick(1002)
        self.assertEqual(egg.times, 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    @settings(deadline=None, derandomize=True, database=None)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["set", "take back", "forget", "tick"]),
                st.integers(0, 2),
                st.integers(0, 9),
            )
        )
    )
    def test_same(self, steps: list[tuple[str, int, int]]) -> None:
        """
        Whatever is set, put off and taken back, each expires when it was last told to, as from a
        plain list of times.
        """
        wheel, now = Deadlines(0.0), 0.0
        eggs, due, times = [Egg(), Egg(), Egg()], [0.0] * 3, [0] * 3
        for step, index, seconds in steps:
            if step == "set":
                wheel.set(eggs[index], seconds)
                due[index] = now + seconds + 0.5
            elif step == "tick":
                now += seconds / 2
                wheel.tick(now)
                for number in range(3):
                    if 0 < due[number] <= now:
                        due[number], times[number] = 0.0, times[number] + 1
            else:
                eggs[index].due, due[index] = 0, 0.0
                if step == "forget":
                    wheel.forget(eggs[index])
            self.assertEqual([egg.times for egg in eggs], times)
            self.assertEqual(len(wheel), sum(moment > 0 for moment in due))
