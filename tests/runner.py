"""
The one test command: it runs trial on everything, or on the tests named, and ends with the line
``N passed, N failed`` (``, N skipped`` may follow).

``tests/run`` starts it: ``python -m tests.runner [names]``. It starts the shared servers once,
passes them to the shards (`tests.shards`), and stops everything whatever happens.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.layers import PURE_FLOORS
from tests.live import servers
from tests.shards import run, shards

ROOT = Path(__file__).parents[1]
LIMIT_SECONDS = float(os.environ.get("FEEDD_TEST_SECONDS", "1080"))
CI = bool(os.environ.get("CI"))

_SUMMARY = re.compile(r"^(?:PASSED|FAILED)(?: \((.*)\))?$", re.MULTILINE)
_OUTCOME = re.compile(
    r"(?:^|\.\.\. )\[(OK|FAILURE|ERROR|SUCCESS!\?!|SKIPPED|TODO)\]$", re.MULTILINE
)
_DULL = re.compile(r"\S+ \.\.\. +\[OK\]|\([\d.]+ secs\)")
_STORE_SUITE = re.compile(r"tests\.live\.test_store_\w+\.(SQLite|MariaDB|MySQL)\w+\.\w+")
_NAME_OR_TIME = re.compile(r"^(?:(\S+) \.\.\. .*|\(([\d.]+) secs\))$", re.MULTILINE)


class Counts(NamedTuple):
    """
    The counts of trial; errors and unexpected successes are failures, expected failures are
    skipped.
    """

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def line(self) -> str:
        """The closing line."""
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def count(output: str) -> Counts:
    """
    The counts in trial's summary, the last one in `output`.

    Without a summary trial broke off: then the outcomes of the single tests count, and one failure
    more.
    """
    summaries = list(_SUMMARY.finditer(output))
    if not summaries:
        outcomes = Counter(_OUTCOME.findall(output))
        return Counts(
            outcomes["OK"],
            1 + outcomes["FAILURE"] + outcomes["ERROR"] + outcomes["SUCCESS!?!"],
            outcomes["SKIPPED"] + outcomes["TODO"],
        )
    pairs = (pair.split("=") for pair in (summaries[-1][1] or "").split(", ") if pair)
    numbers = {name: int(number) for name, number in pairs}
    return Counts(
        numbers.get("successes", 0),
        sum(numbers.get(name, 0) for name in ("failures", "errors", "unexpectedSuccesses")),
        sum(numbers.get(name, 0) for name in ("skips", "expectedFailures")),
    )


def together(counts: Iterable[Counts]) -> Counts:
    """The sum."""
    return Counts(*map(sum, zip(*counts, strict=True)))


def times(output: str) -> Iterator[tuple[float, str]]:
    """The seconds and the name of each test, as trial's timing reporter tells."""
    name = ""
    for match in _NAME_OR_TIME.finditer(output):
        if match[1]:
            name = match[1]
        else:
            yield float(match[2]), name


def slowest(output: str, at_least_seconds: float, most: int) -> list[tuple[float, str]]:
    """The tests that took longest, seconds and name."""
    slow = [(seconds, name) for seconds, name in times(output) if seconds >= at_least_seconds]
    return sorted(slow, reverse=True)[:most]


def store_suites(output: str) -> dict[str, float]:
    """How many seconds the store's tests took on each kind of database."""
    suites: dict[str, float] = {}
    for seconds, name in times(output):
        if match := _STORE_SUITE.fullmatch(name):
            suites[match[1]] = suites.get(match[1], 0.0) + seconds
    return suites


def verdict(counts: Counts, trial_code: int, ci: bool) -> str:
    """Why the run is no success, "" when it is one."""
    if counts.failed:
        return "there are failures"
    if trial_code:
        return f"trial ended with {trial_code}"
    if ci and counts.skipped:
        return "nothing may be skipped in CI"
    return "" if counts.passed else "no test ran"


def main(names: Sequence[str]) -> int:
    """Run, report, and return the exit code."""
    os.chdir(ROOT)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))
    environment = _environment()
    try:
        if not names:
            environment |= _started()
        is_dull = _is_never if names else _DULL.fullmatch
        over = time.monotonic() + LIMIT_SECONDS
        ran = run(shards(names), environment, is_dull, _write, lambda: time.monotonic() >= over)
        _say_times("".join(one.output for one in ran))
        if not names:
            _coverage(environment)
        counts = together(count(one.output) for one in ran)
        code = next((one.code for one in ran if one.code), 0)
    except servers.NotStarted as error:
        print(error)
        counts, code = Counts(failed=1), 1
    except KeyboardInterrupt:
        print("interrupted")
        return 130
    finally:
        servers.supervisor().close()
    wrong = verdict(counts, code, CI)
    if wrong:
        print(f"tests/run: {wrong}")
    print(counts.line(), flush=True)
    return 1 if wrong else 0


def _environment() -> dict[str, str]:
    """
    Coverage data goes to the run's folder, a file for each process; the daemons that tests start
    are measured too.
    """
    return os.environ | {
        "COVERAGE_FILE": str(servers.supervisor().folder / "coverage"),
        "PYTHONUNBUFFERED": "1",
    }


def _started() -> dict[str, str]:
    """Start the shared servers side by side; returns the variables that hand them to trial."""
    began = time.monotonic()
    running = [kind() for kind in servers.SHARED.values()]
    with ThreadPoolExecutor() as pool:
        started = [pool.submit(_start, server) for server in running]
    up = [server for server, start in zip(running, started, strict=True) if start.result()]
    print(
        f"{', '.join(server.NAME for server in up)} started in {time.monotonic() - began:.1f} s",
        flush=True,
    )
    return {servers.variable(server.NAME): server.describe() for server in up}


def _start(server: servers.Server) -> bool:
    """
    Whether the server runs now; outside of CI one that is not installed is left out, and its tests
    are skipped.
    """
    try:
        server.start()
    except servers.NotInstalled as error:
        print(error)
        return False
    return True


def _write(text: str) -> None:
    print(text, end="", flush=True)


def _is_never(line: str) -> bool:
    """Tests that are named are all shown."""
    return False


def _say_times(output: str) -> None:
    for seconds, name in slowest(output, 5.0, 10):
        print(f"{seconds:6.1f} s  {name}")
    for database, seconds in store_suites(output).items():
        print(f"{seconds:6.1f} s  all tests of the store on {database}")


def _coverage(environment: dict[str, str]) -> None:
    """Say how much of feedd the run covered: each file of the pure floors, and all."""
    pure = ",".join(f"feedd/{part}/*" for floor in PURE_FLOORS for part in sorted(floor))
    for title, arguments in {
        "": ["combine", "-q"],
        "lines and branches of core and feed": [
            "report",
            "--skip-empty",
            "-m",
            f"--include={pure}",
        ],
        "all of feedd, percent:": ["report", "--format=total"],
    }.items():
        print(title, flush=True)
        subprocess.run(
            [sys.executable, "-m", "coverage", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            check=False,
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
