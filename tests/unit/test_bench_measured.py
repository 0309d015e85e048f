"""Medians, ratios, the order of turns, and what fanbench's line means."""

import json

from twisted.trial.unittest import SynchronousTestCase

from bench import native
from bench.measured import Measured, against, order, percentile, ratios, row, spread, unevenness


def turn(last: float, cpu: float = 10.0, missing: int = 0) -> Measured:
    """A turn of one round."""
    return Measured(
        last_ms=[last], p50_ms=last / 2, cpu_us=cpu, kib=5.0, open_s=1.0, missing=missing
    )


class SpreadTests(SynchronousTestCase):
    """The middle of several turns."""

    def test_spread(self) -> None:
        """The median does not follow a turn in which the machine was busy."""
        self.assertEqual(spread([90.0, 10.0, 12.0]), (12.0, 10.0, 90.0))

    def test_ratios_are_of_the_same_turn(self) -> None:
        """A machine that is three times as slow in the second turn changes no ratio."""
        self.assertEqual(ratios([10.0, 30.0], [20.0, 60.0]), (0.5, 0.5, 0.5))

    def test_ratio_to_nothing(self) -> None:
        """A turn in which the other took no time at all has no ratio."""
        self.assertEqual(ratios([10.0, 30.0], [0.0, 60.0]), (0.5, 0.5, 0.5))

    def test_percentile(self) -> None:
        """Of ascending values; 0 when there are none."""
        values = [float(value) for value in range(101)]
        self.assertEqual(
            (percentile(values, 0.5), percentile(values, 0.99), percentile(values, 1)),
            (50.0, 99.0, 100.0),
        )
        self.assertEqual(percentile([], 0.5), 0.0)


class RowTests(SynchronousTestCase):
    """The row of a peer."""

    def test_medians(self) -> None:
        """Times are medians with their spread; what is missing is counted together."""
        found = row([turn(10.0), turn(30.0, missing=2), turn(20.0, missing=1)])
        self.assertEqual(
            (found["last_ms"], found["last_ms_low"], found["last_ms_high"]), (20.0, 10.0, 30.0)
        )
        self.assertEqual((found["p50_ms"], found["missing"]), (10.0, 3))

    def test_against(self) -> None:
        """Every peer has its ratios to the reference, the reference itself 1."""
        found = against(
            {"feedd": [turn(10.0, 30.0), turn(20.0, 30.0)], "nchan": [turn(20.0), turn(20.0)]},
            "nchan",
        )
        self.assertEqual(found["feedd"]["last"], (0.75, 0.5, 1.0))
        self.assertEqual(found["feedd"]["cpu"].median, 3.0)
        self.assertEqual(found["nchan"]["last"].median, 1.0)

    def test_without_the_reference(self) -> None:
        """There are no ratios, nor for a peer that has fewer turns."""
        self.assertEqual(against({"feedd": [turn(10.0)]}, "nchan"), {})
        found = against({"feedd": [turn(10.0)], "nchan": [turn(10.0), turn(20.0)]}, "nchan")
        self.assertEqual(list(found), ["nchan"])

    def test_order(self) -> None:
        """Each turn has everybody, and another one goes first and last."""
        turns = [order("abc", number) for number in range(4)]
        self.assertEqual(
            turns, [["a", "b", "c"], ["a", "c", "b"], ["c", "a", "b"], ["c", "b", "a"]]
        )
        self.assertEqual(order([], 3), [])


class UnevennessTests(SynchronousTestCase):
    """The distance of a series from a straight line."""

    def test_straight(self) -> None:
        """A line with an offset is straight."""
        self.assertAlmostEqual(unevenness([1000, 5000, 15000], [15.0, 55.0, 155.0]), 0.0)

    def test_bent(self) -> None:
        """Where the time grows with the square of the size, it is seen."""
        self.assertGreater(unevenness([1000, 5000, 15000], [1.0, 25.0, 225.0]), 0.5)


class FanbenchTests(SynchronousTestCase):
    """One line of JSON from the load generator in C."""

    LINE = (
        '{"conns": 100, "sent": 3, "delivered": 299, "errors": 1, "reconnects": 1, '
        '"open_s": 0.024, "p50_ms": 0.683, '
        '"p99_ms": 0.971, "worst_ms": 1.313, "cpu_s": 0.00598, "deliver_us": 7.5, '
        '"poll_us": 4.5, "rss_kib": [1400, 1900], '
        '"last_ms": [1.5, 3.5, 2.5]}'
    )

    def test_rounds(self) -> None:
        """CPU for each delivery, memory for each poll, and what did not come."""
        found = native.measured(json.loads(self.LINE), 3)
        self.assertEqual((found.last, found.kib, found.missing, found.errors), (2.5, 5.0, 1, 2))
        self.assertAlmostEqual(found.cpu_us, 20.0)
        self.assertEqual((found.deliver_us, found.poll_us), (7.5, 4.5))

    def test_rate(self) -> None:
        """The same line after publishing at a rate."""
        found = native.timed(json.loads(self.LINE))
        self.assertEqual(
            (found.sent, found.p50_ms, found.p99_ms, found.missing), (3, 0.683, 0.971, 1)
        )
