"""
The command line of the chaos bench.

It ends with 0 when nothing was lost, doubled, disordered, foreign, altered or given a gap; with 1
when something was; with 2 when the run itself failed.
"""

import argparse
import json
import shutil
import sys
import traceback
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred

from bench.chaos import report
from bench.chaos.run import Options, Run
from tests.live import servers

SPARE_SECONDS = 400.0

reactor: Any = installed_reactor


def main(arguments: list[str]) -> int:
    """Run, print, and return the exit code."""
    given = _parse(arguments)
    seconds = given.minutes * 60
    options = Options(
        given.seed, seconds, given.faults, given.rate, given.written, given.open, given.viewers
    )
    run = Run(reactor, options)
    outcome: list[dict[str, Any]] = []
    running = Deferred.fromCoroutine(_bounded(run, outcome))
    running.addErrback(lambda failure: print(failure.getTraceback(), file=sys.stderr))
    running.addBoth(lambda result: reactor.stop())
    try:
        reactor.run()
        _keep_logs(given.logs)
    finally:
        servers.supervisor().close()
    if not outcome:
        return 2
    if given.report:
        Path(given.report).write_text(json.dumps(outcome[0], indent=1))
    print(report.text(outcome[0]), flush=True)
    return 1 if any(outcome[0]["verdict"].values()) else 0


async def _bounded(run: Run, outcome: list[dict[str, Any]]) -> None:
    running = Deferred.fromCoroutine(run.document())
    running.addTimeout(run.options.seconds + SPARE_SECONDS, reactor)
    try:
        outcome.append(await running)
    finally:
        try:
            await run.world.stop()
        except Exception:
            traceback.print_exc()


def _keep_logs(folder: str | None) -> None:
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for log in servers.supervisor().folder.glob("*/log"):
            shutil.copy(log, Path(folder) / f"{log.parent.name}.log")


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.chaos",
        description="Harm feedd and its servers, and count the losses.",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument(
        "--faults",
        type=lambda text: text.split(","),
        default=[],
        help="names in turn; a+b: together; default: all",
    )
    parser.add_argument(
        "--rate", type=float, default=8.0, help="acts per second through the HTTP API"
    )
    parser.add_argument(
        "--written",
        type=float,
        default=2.0,
        help="transactions per second of the writer that only INSERTs",
    )
    parser.add_argument(
        "--open", type=float, default=3.0, help="the writer's transactions are open so long at most"
    )
    parser.add_argument("--viewers", type=int, default=50, help="each hears six others")
    parser.add_argument("--report", help="a file for the figures, as JSON")
    parser.add_argument("--logs", help="a folder for the logs of all servers")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
