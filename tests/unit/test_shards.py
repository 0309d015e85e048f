"""Every test belongs to one shard, and the lines of a shard are shown as they come."""

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.shards import IN_TIME, LIVE, Screen, shards

WHOLE = re.compile(r"tests\.live\.(daemon|harmed) import")


class ShardTests(SynchronousTestCase):
    """Which tests run beside which."""

    def test_all(self) -> None:
        """Each module of the live tests is in one shard, and the unit tests are in one."""
        names = [name for shard in shards(()) for name in shard.tests]
        live = [f"tests.live.{path.stem}" for path in Path(LIVE).glob("test_*.py")]
        self.assertEqual(sorted(names), sorted([*live, "tests.unit"]))

    def test_named(self) -> None:
        """Tests that are named run by themselves."""
        (shard,) = shards(["tests.unit.test_cursor", "tests.unit.test_event"])
        self.assertEqual(shard.tests, ("tests.unit.test_cursor", "tests.unit.test_event"))
        self.assertEqual(shard.name, "")

    def test_whole_processes(self) -> None:
        """
        What starts feedd is in one shard: on the broker that all share, an author of one site would
        be heard at another.
        """
        starting = {
            f"tests.live.{path.stem}"
            for path in Path(LIVE).glob("test_*.py")
            if WHOLE.search(path.read_text())
        }
        (shard,) = (shard for shard in shards(()) if starting & set(shard.tests))
        self.assertLessEqual(starting | set(IN_TIME), set(shard.tests))
        self.assertNotIn("tests.unit", shard.tests)


class ScreenTests(SynchronousTestCase):
    """The lines that are shown while the tests run."""

    def test_dull(self) -> None:
        """Dull lines are left out, everything else is shown, whole lines only."""
        shown: list[str] = []
        screen = Screen(lambda line: line.endswith("[OK]"), shown.append, "store| ")
        screen.show("a.b ... [OK]\na.c ... [ERR")
        self.assertEqual(shown, [])
        screen.show("OR]\nTraceback\na.d ... ")
        self.assertEqual(shown, ["store| a.c ... [ERROR]\n", "store| Traceback\n"])
        screen.show("\n")
        self.assertEqual(shown[2:], ["store| a.d ... \n"])
