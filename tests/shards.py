"""
What ``tests/run`` runs side by side: each shard is a trial process with a part of the tests.

The live tests wait most of the time, so that two shards take half as long as one. More would let
them wait for each other, on a machine of two cores. The shards share the servers, so what keeps
others from using one (a lock of everything, a count of its queries) has a server of its own; and
what starts whole processes is in one shard, as they all have an author ``alice`` on one broker.
"""

import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.live import servers

LIVE = Path(__file__).parent / "live"
STORE = (
    "tests.unit",
    "tests.live.test_store_faults",
    "tests.live.test_store_group",
    "tests.live.test_store_late_commit",
    "tests.live.test_store_mariadb",
    "tests.live.test_store_mysql",
    "tests.live.test_store_overlap",
    "tests.live.test_store_refusals",
    "tests.live.test_store_sqlite",
)
"""
The unit tests come first: they need a core all the time. The store's tests wait. They stand
together, because some make the shared MySQL refuse every write.
"""

IN_TIME = (
    "tests.live.test_faults",
    "tests.live.test_faults_broker",
    "tests.live.test_faults_database",
    "tests.live.test_faults_overflow",
    "tests.live.test_faults_restored",
    "tests.live.test_open_transactions",
    "tests.live.test_watchdog",
)
"""
Whole processes, and how late they may be. They come last: the unit tests have ended by then, and
beside them the store's tests wait.
"""

PORTS = range(15_000, 31_000)
"""
Below the range that outgoing connections take. Each shard has a part of them, so that none takes
the port of another one's server that is just down.
"""


class Shard(NamedTuple):
    """A part of the tests."""

    name: str
    tests: tuple[str, ...]


class Ran(NamedTuple):
    """The output of a shard's trial, and its exit code."""

    output: str
    code: int


def shards(names: Sequence[str]) -> list[Shard]:
    """The tests that are named, in one shard without a name; all tests, where none is."""
    if names:
        return [Shard("", tuple(names))]
    live = sorted(f"tests.live.{path.stem}" for path in LIVE.glob("test_*.py"))
    others = [name for name in live if name not in STORE + IN_TIME]
    return [Shard("store", STORE), Shard("live", (*others, *IN_TIME))]


class Screen:
    """
    Shows trial's output line by line as it comes.

    The line that has no end yet names the test that runs; it is shown when its end has come.
    """

    def __init__(
        self, is_dull: Callable[[str], object], write: Callable[[str], object], before: str = ""
    ) -> None:
        """
        :param is_dull: whether a line is left out.
        :param before: the beginning of each line that is shown.
        """
        self._is_dull = is_dull
        self._write = write
        self._before = before
        self._unfinished = ""

    def show(self, text: str) -> None:
        """Show what has come since the last time."""
        *lines, self._unfinished = (self._unfinished + text).split("\n")
        for line in lines:
            if not self._is_dull(line):
                self._write(f"{self._before}{line}\n")


class _Running:
    """A trial process: its temporary files, its ports and its log are its own."""

    def __init__(
        self, shard: Shard, environment: Mapping[str, str], screen: Screen, ports: range
    ) -> None:
        self.shard = shard
        self.code: int | None = None
        self.screen = screen
        folder = servers.supervisor().folder / (shard.name or "only")
        (folder / "tmp").mkdir(parents=True)
        log = folder / "log"
        command = [
            *(sys.executable, "-m", "coverage", "run"),
            *("-m", "twisted.trial", "--reporter=timing", "--rterrors"),
            f"--temp-directory={folder}/trial",
            *shard.tests,
        ]
        own = {
            "TMPDIR": str(folder / "tmp"),
            servers.PORTS_VARIABLE: f"{ports[0]}-{ports[-1]}",
        }
        self._pid = servers.supervisor().start(command, {**environment, **own}, log)
        self._log = log.open(errors="replace")

    def look(self) -> None:
        """Show what has come, and see whether it has ended."""
        if self.code is None:
            self.code = servers.supervisor().code(self._pid)
            self.screen.show(self._log.read())

    def end(self) -> Ran:
        """Kill it if it still runs."""
        if self.code is None:
            servers.supervisor().signal(self._pid, signal.SIGKILL)
        self._log.seek(0)
        with self._log:
            return Ran(self._log.read(), 1 if self.code is None else self.code)


def run(
    parts: Sequence[Shard],
    environment: Mapping[str, str],
    is_dull: Callable[[str], object],
    write: Callable[[str], object],
    is_over: Callable[[], object],
) -> list[Ran]:
    """
    Run them side by side and write what they say.

    What has not ended when `is_over` says so is killed, and the test that ran then is named.
    """
    each = len(PORTS) // len(parts)
    running = []
    for number, shard in enumerate(parts):
        before = f"{shard.name}| " if shard.name else ""
        screen = Screen(is_dull, write, before)
        ports = PORTS[number * each : (number + 1) * each]
        running.append(_Running(shard, environment, screen, ports))
    while any(one.code is None for one in running) and not is_over():
        time.sleep(0.2)
        for one in running:
            one.look()
    for one in running:
        if one.code is None:
            one.screen.show("\ntests/run: not done in time\n")
    return [one.end() for one in running]
