"""
The closing line of ``tests/run`` says what trial counted, and success is only said of a success.
"""

from twisted.trial.unittest import SynchronousTestCase

from tests.runner import Counts, count, slowest, store_suites, together, verdict


class CountTests(SynchronousTestCase):
    """Reading trial's summary."""

    def test_passed(self) -> None:
        """A summary without failures."""
        self.assertEqual(count("x ... [OK]\n\nPASSED (successes=12)\n"), Counts(12, 0, 0))

    def test_failed(self) -> None:
        """
        Errors and unexpected successes are failures; expected failures did not pass, so they are
        skipped.
        """
        summary = (
            "FAILED (skips=1, expectedFailures=2, failures=4, errors=8, "
            "unexpectedSuccesses=16, successes=32)\n"
        )
        self.assertEqual(count(summary), Counts(32, 28, 3))

    def test_the_last_summary_counts(self) -> None:
        """What a test printed earlier is not taken for the result."""
        self.assertEqual(count("PASSED (successes=99)\nFAILED (failures=1)\n"), Counts(0, 1, 0))

    def test_nothing_ran(self) -> None:
        """Trial says so without numbers."""
        self.assertEqual(count("Ran 0 tests in 0.000s\n\nPASSED\n"), Counts(0, 0, 0))

    def test_broken_off(self) -> None:
        """Without a summary something is wrong: one failure more than the tests had until then."""
        self.assertEqual(count("Segmentation fault\n"), Counts(0, 1, 0))
        output = (
            "a.b ... [OK]\n(0.1 secs)\na.c ... said\n[OK]\na.d ... [ERROR]\na.e ... "
            "[SKIPPED]\na.f ... "
        )
        self.assertEqual(count(output), Counts(2, 2, 1))

    def test_together(self) -> None:
        """Those of all shards are added; one that broke off is one failure more."""
        outputs = ("PASSED (successes=3)\n", "PASSED (skips=2, successes=4)\n", "a.b ... [OK]\n")
        self.assertEqual(together(map(count, outputs)), Counts(8, 1, 2))

    def test_line(self) -> None:
        """Skipped tests are named only when there are any."""
        self.assertEqual(Counts(3, 0, 0).line(), "3 passed, 0 failed")
        self.assertEqual(Counts(3, 1, 2).line(), "3 passed, 1 failed, 2 skipped")


class TimeTests(SynchronousTestCase):
    """The durations of tests and of groups of them."""

    def test_slowest(self) -> None:
        """The longest first, whatever they printed; short ones are left out."""
        output = (
            "a.b ... [OK]\n(7.000 secs)\na.c ... said\n[ERROR]\n(9.500 secs)\na.d ... "
            "[OK]\n(0.100 secs)\n"
        )
        self.assertEqual(slowest(output, 5.0, 10), [(9.5, "a.c"), (7.0, "a.b")])
        self.assertEqual(slowest(output, 5.0, 1), [(9.5, "a.c")])

    def test_store_suites(self) -> None:
        """The store's tests by database; other tests are not counted."""
        output = "".join(
            f"tests.live.{name} ... [OK]\n({seconds} secs)\n"
            for name, seconds in (
                ("test_store_mariadb.MariaDBStoreTests.test_a", 1.5),
                ("test_store_overlap.MariaDBOverlapTests.test_b", 2.0),
                ("test_store_mysql.MySQLOverlapTests.test_b", 4.0),
                ("test_store_overlap.WaitTests.test_c", 8.0),
                ("test_fast.WatchTests.test_d", 16.0),
            )
        )
        self.assertEqual(store_suites(output), {"MariaDB": 3.5, "MySQL": 4.0})


class VerdictTests(SynchronousTestCase):
    """The verdict of a run."""

    def test_success(self) -> None:
        """
        Tests passed and nothing else happened; a skipped one is fine where a server may be missing.
        """
        self.assertEqual(verdict(Counts(3, 0, 0), 0, ci=True), "")
        self.assertEqual(verdict(Counts(3, 0, 1), 0, ci=False), "")

    def test_no_success(self) -> None:
        """A failure, a skipped test in CI, a crash after the summary, or no test at all."""
        self.assertEqual(verdict(Counts(3, 1, 0), 1, ci=False), "there are failures")
        self.assertEqual(verdict(Counts(3, 0, 1), 0, ci=True), "nothing may be skipped in CI")
        self.assertEqual(verdict(Counts(3, 0, 0), -11, ci=False), "trial ended with -11")
        self.assertEqual(verdict(Counts(0, 0, 0), 0, ci=False), "no test ran")
