"""
Long work of the hub, without a network: ``python -m bench hub --checkout ../feedd-of-before``.

Sixty thousand subscriptions, of one user and of as many users, are opened, ended and expired; ten
thousand of fifty thousand viewers unfriend one author; a viewer of a hundred thousand friends makes
cold polls. ``longest`` is the longest call: for so long everybody else waits. Both times are of the
processor, so that others on the machine matter little, and each is the least of all turns.

Any checkout can be measured: what it has not (slices, a bound for each user) is left out.
"""

import argparse
import gc
import inspect
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from bench import result

ROOT = Path(__file__).parents[1]
MANY = 1_000_000_000
LINGER_SECONDS = 60.0
AUTHOR = "author"


class Owner:
    """The feed that the hub belongs to, as far as it is asked here; and its follower."""

    def __getattr__(self, name: str) -> Callable[..., list[Any]]:
        return lambda *args: []


class Stopwatch:
    """
    Times calls to a hub, each with what it has put off.

    :ivar longest: the seconds of the longest call,
    :ivar total: and of all.
    """

    def __init__(self, hub: Any) -> None:
        self.longest = self.total = 0.0
        self._hub = hub

    def call(self, method: Callable[..., Any], *args: Any) -> Any:
        """Call it, and the hub's `go_on` until nothing is left."""
        returned = self._timed(method, *args)
        while getattr(self._hub, "has_work", False):
            self._timed(self._hub.go_on)
        return returned

    def _timed(self, method: Callable[..., Any], *args: Any) -> Any:
        began = time.process_time()
        returned = method(*args)
        took = time.process_time() - began
        self.longest = max(self.longest, took)
        self.total += took
        return returned


def make_hub() -> Any:
    """An empty hub of the checkout, without bounds but that of a slice."""
    hub, counters = import_module("feedd.core.hub"), import_module("feedd.core.counters")
    limits = [MANY] * len(hub.HubLimits._fields)
    if "at_once" in hub.HubLimits._fields:
        limits[-1] = import_module("feedd.web.fanout").WORK_A_TURN
    args = [Owner(), Owner(), "bench", hub.HubLimits(*limits)]
    if "counters" in inspect.signature(hub.Hub).parameters:
        args.append(counters.Counters())
    return hub.Hub(*args)


def subscriptions(viewers: Sequence[str]) -> dict[str, Stopwatch]:
    """One for each of `viewers`, who may be the same: opened, ended; opened again and expired."""
    hub = make_hub()
    opened, ended, expired = Stopwatch(hub), Stopwatch(hub), Stopwatch(hub)
    for viewer in viewers:
        hub.park(opened.call(hub.open, viewer), object())
    for viewer in dict.fromkeys(viewers):
        ended.call(hub.close_viewer, viewer)
    for viewer in viewers:
        hub.open(viewer)
    expired.call(hub.expire, LINGER_SECONDS + 1, LINGER_SECONDS)
    assert hub.is_empty
    return {"open": opened, "end": ended, "expire": expired}


def unfriending(viewers: int, going: int) -> Stopwatch:
    """So many viewers hear one author; the first of them, every so often, unfriend them."""
    hub, make_event = make_hub(), import_module("feedd.core.event").make_event
    for number in range(viewers):
        hub.open(f"u{number}")
        hub.set_friends(f"u{number}", [AUTHOR], {})
    watch, body = Stopwatch(hub), b'{"friend":"%b"}' % AUTHOR.encode()
    for number in range(0, viewers, viewers // going):
        watch.call(hub.dispatch, make_event(1 + number, "unfriend", f"u{number}", None, body, 0))
    assert not hub.hears("u0", AUTHOR)
    return watch


def cold_polls(friends: int) -> dict[str, Stopwatch]:
    """The first poll of a viewer, one more while the list is the same, and one when it is not."""
    hub, found = make_hub(), {}
    names = sorted(f"a{number}" for number in range(friends))
    for name, heard in (("first", names), ("same", [*names]), ("changed", names[1:])):
        found[name] = watch = Stopwatch(hub)
        watch.call(hub.open, "viewer")
        watch.call(hub.set_friends, "viewer", heard, {})
    assert not hub.hears("viewer", names[0])
    return found


def turn(share: float) -> dict[str, Stopwatch]:
    """Everything once, at a share of the full size."""
    crowd, gone, friends = int(60_000 * share), int(10_000 * share), int(100_000 * share)
    found = {
        f"{name} {crowd:,} subscriptions of {whose}": watch
        for whose, viewers in (
            ("one user", ["alice"] * crowd),
            ("as many users", [f"u{number}" for number in range(crowd)]),
        )
        for name, watch in subscriptions(viewers).items()
    }
    found[f"{gone:,} of {5 * gone:,} unfriend an author"] = unfriending(5 * gone, gone)
    for name, watch in cold_polls(friends).items():
        found[f"a cold poll with {friends:,} friends, {name}"] = watch
    return found


def main(argv: list[str] | None = None) -> None:
    """Measure, print a line for each, and write JSON when asked to."""
    parser = argparse.ArgumentParser(prog="python -m bench hub", description=__doc__)
    parser.add_argument("--checkout", default=str(ROOT), help="the folder of the feedd to measure")
    parser.add_argument("--share", type=float, default=1.0, help="of the sizes above")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--json", help="a file for the figures")
    given = parser.parse_args(argv)
    sys.path.insert(0, str(Path(given.checkout).resolve()))
    gc.disable()  # feedd seldom calls it; here it would count as the call that it interrupts
    turns = [turn(given.share) for _ in range(given.turns)]
    rows = []
    for name in turns[0]:
        longest = 1e3 * min(each[name].longest for each in turns)
        totals = [1e3 * each[name].total for each in turns]
        rows.append({"name": name, "longest_ms": longest, "total_ms": min(totals)})
        spread = f"{min(totals):9.1f} ms ({max(totals):.1f})"
        print(f"{name:48} longest {longest:9.2f} ms, total {spread}", flush=True)
    result.write(given.json, result.document("hub", checkout=given.checkout, rows=rows))


if __name__ == "__main__":
    main()
