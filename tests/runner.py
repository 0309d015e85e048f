"""
The one test command: it runs trial on everything, or on the tests named, and ends with the line
``N passed, N failed`` (``, N skipped`` may follow).

``tests/run`` starts it: ``python -m tests.runner [names]``. It starts the shared servers once,
passes them to trial, and stops everything whatever happens.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.layers import PURE_FLOORS
from tests.live import servers

ROOT = Path(__file__).parents[1]
EVERYTHING = ("tests.unit", "tests.live")
LIMIT_SECONDS = float(os.environ.get("FEEDD_TEST_SECONDS", "780"))
CI = bool(os.environ.get("CI"))

_SUMMARY = re.compile(r"^(?:PASSED|FAILED)(?: \((.*)\))?$", re.MULTILINE)
_OUTCOME = re.compile(
    r"(?:^|\.\.\. )\[(OK|FAILURE|ERROR|SUCCESS!\?!|SKIPPED|TODO)\]$", re.MULTILINE
)
_DULL = re.compile(r"\S+ \.\.\. +\[OK\]|\([\d.]+ secs\)")
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


def slowest(output: str, at_least_seconds: float, most: int) -> list[tuple[float, str]]:
    """The tests that took longest, seconds and name, as trial's timing reporter tells."""
    times, name = [], ""
    for match in _NAME_OR_TIME.finditer(output):
        if match[1]:
            name = match[1]
        elif float(match[2]) >= at_least_seconds:
            times.append((float(match[2]), name))
    return sorted(times, reverse=True)[:most]


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
        output, code = _trial(names or EVERYTHING, environment, quiet=not names)
        for seconds, name in slowest(output, 5.0, 10):
            print(f"{seconds:6.1f} s  {name}")
        if not names:
            _coverage(environment)
    except servers.NotStarted as error:
        print(error)
        output, code = "", 1
    except KeyboardInterrupt:
        print("interrupted")
        return 130
    finally:
        servers.supervisor().close()
    counts = count(output)
    wrong = verdict(counts, code, CI)
    if wrong:
        print(f"tests/run: {wrong}")
    print(counts.line(), flush=True)
    return 1 if wrong else 0


def _environment() -> dict[str, str]:
    """
    Temporary files and coverage data go to the run's folder; the daemons that tests start are
    measured too.
    """
    folder = servers.supervisor().folder
    (folder / "tmp").mkdir()
    return os.environ | {
        "TMPDIR": str(folder / "tmp"),
        "COVERAGE_FILE": str(folder / "coverage"),
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


def _trial(names: Sequence[str], environment: dict[str, str], quiet: bool) -> tuple[str, int]:
    """Run trial, show what it says, and return that with its exit code."""
    supervisor = servers.supervisor()
    log = supervisor.folder / "trial.log"
    trial = [
        "twisted.trial",
        "--reporter=timing",
        "--rterrors",
        f"--temp-directory={supervisor.folder}/trial",
        *names,
    ]
    pid = supervisor.start(
        [sys.executable, "-m", "coverage", "run", "-m", *trial], environment, log
    )
    deadline = time.monotonic() + LIMIT_SECONDS
    with log.open(errors="replace") as lines:
        screen = Screen(quiet, sys.stdout.write)
        while (code := supervisor.wait(pid, 0.3)) is None and time.monotonic() < deadline:
            screen.show(lines.read())
            sys.stdout.flush()
        screen.show(lines.read())
    if code is None:
        supervisor.signal(pid, signal.SIGKILL)
        print(f"{screen.unfinished}\ntests/run: not done within {LIMIT_SECONDS:.0f} s", flush=True)
    return log.read_text(errors="replace"), 1 if code is None else code


class Screen:
    """
    Shows trial's output line by line as it comes; a quiet one leaves out the tests that pass.

    :ivar unfinished: the line that has no end yet, which names the test that runs.
    """

    def __init__(self, quiet: bool, write: Callable[[str], object]) -> None:
        self._quiet = quiet
        self._write = write
        self.unfinished = ""

    def show(self, text: str) -> None:
        """Show what has come since the last time."""
        *lines, self.unfinished = (self.unfinished + text).split("\n")
        for line in lines:
            if not (self._quiet and _DULL.fullmatch(line)):
                self._write(line + "\n")


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
