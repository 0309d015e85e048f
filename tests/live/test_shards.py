"""Shards run side by side, and one that hangs does not hold the others up."""

import os
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.runner import Counts, count
from tests.shards import Shard, run

PATIENCE_SECONDS = 60.0
ROOT = Path(__file__).parents[2]
HANGS = """
import time
import unittest
from pathlib import Path


class HangTests(unittest.TestCase):
    def test_quick(self):
        self.assertEqual(1, 2)

    def test_slow(self):
        Path(__file__).with_name("begun").touch()
        time.sleep(100)
"""


class RunTests(SynchronousTestCase):
    """`run`."""

    def test_one_that_hangs(self) -> None:
        """Its test is named and counts as failed; the other one is counted as it ended."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        (folder / "test_that_hangs.py").write_text(HANGS)
        environment = os.environ | {
            "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}",
            "COVERAGE_FILE": str(folder / "coverage"),
            "PYTHONUNBUFFERED": "1",
        }
        lines: list[str] = []
        parts = [
            Shard("hung", ("test_that_hangs",)),
            Shard("good", ("tests.unit.test_counters",)),
        ]
        deadline = time.monotonic() + PATIENCE_SECONDS

        def is_over() -> bool:
            both = (folder / "begun").exists() and "good| PASSED" in "".join(lines)
            return both or time.monotonic() > deadline

        hung, good = run(parts, environment, lambda line: False, lines.append, is_over)
        self.assertEqual(hung.code, 1)
        self.assertEqual(count(hung.output), Counts(0, 2, 0))
        self.assertEqual(count(good.output).failed, 0)
        self.assertGreater(count(good.output).passed, 0)
        said = "".join(lines)
        self.assertIn("hung| test_that_hangs.HangTests.test_slow ... \n", said)
        self.assertIn("hung| tests/run: not done in time\n", said)
