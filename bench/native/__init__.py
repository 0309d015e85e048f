"""
The programs in C: fanbench, the load generator that costs less than what it measures, and limit,
the floor.

They are compiled into a temporary folder when they are needed first.
"""

import functools
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.conversation import Served
from bench.measured import Measured, Timed
from tests.live import servers

SOURCES = Path(__file__).parent
PORTS_OF_AN_ADDRESS = 20_000


def compiler() -> str | None:
    """The C compiler, None when there is none."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def missing() -> str:
    """The thing to install before `program` works, "" for none."""
    return "" if compiler() else "a C compiler (Debian: apt-get install gcc libc6-dev)"


@functools.cache
def program(name: str) -> Path:
    """The compiled program of this name."""
    built = servers.supervisor().folder / name
    subprocess.run(
        [compiler() or "cc", "-O2", "-o", str(built), str(SOURCES / f"{name}.c")], check=True
    )
    return built


def fanout(served: Served, number: int, rounds: int, held: int, ramp: int) -> Measured:
    """As `bench.load.fanout`, with fanbench."""
    options = ["--rounds", str(rounds), "--held", str(held), "--ramp", str(ramp)]
    return measured(_run(served, number, options), rounds)


def rate(served: Served, number: int, per_second: float, seconds: int) -> Timed:
    """As `bench.load.rate`, with fanbench."""
    return timed(_run(served, number, ["--rate", str(per_second), "--seconds", str(seconds)]))


def arguments(served: Served, number: int, variables: Path) -> list[str]:
    """
    The arguments with which fanbench holds the conversation of `served`; its variables are read
    from a file.
    """
    talk = served.conversation
    listed = [
        "--port",
        _listed(served.ports),
        "--pid",
        _listed(served.pids),
        "--conns",
        str(number),
    ]
    listed += ["--path", talk.poll, "--pub-path", talk.publish, "--pub-body", talk.body]
    listed += ["--sources", str(1 + number // PORTS_OF_AN_ADDRESS)]
    listed += ["--send-body", talk.send] if talk.send else []
    listed += ["--cursor-key", talk.cursor_key] if talk.cursor_key else []
    listed += ["--tags"] if talk.tags else []
    return listed + (["--var-file", str(variables)] if talk.variables else [])


def measured(found: dict[str, Any], rounds: int) -> Measured:
    """fanbench's line about rounds."""
    before, parked = found["rss_kib"]
    return Measured(
        last_ms=found["last_ms"],
        p50_ms=found["p50_ms"],
        p99_ms=found["p99_ms"],
        cpu_us=found["cpu_s"] / max(1, found["delivered"]) * 1e6,
        kib=(parked - before) / found["conns"],
        open_s=found["open_s"],
        missing=found["conns"] * rounds - found["delivered"],
        errors=found["errors"] + found["reconnects"],
        deliver_us=found["deliver_us"],
        poll_us=found["poll_us"],
    )


def timed(found: dict[str, Any]) -> Timed:
    """fanbench's line about a rate."""
    missing = found["conns"] * found["sent"] - found["delivered"]
    cpu_us = found["cpu_s"] / max(1, found["delivered"]) * 1e6
    errors = found["errors"] + found["reconnects"]
    return Timed(
        found["sent"], found["p50_ms"], found["p99_ms"], found["worst_ms"], cpu_us, missing, errors
    )


def _run(served: Served, number: int, options: list[str]) -> dict[str, Any]:
    variables = servers.supervisor().folder / "variables"
    variables.write_text("".join(f"{line}\n" for line in served.conversation.variables))
    command = [str(program("fanbench")), *arguments(served, number, variables), *options]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _listed(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers))
