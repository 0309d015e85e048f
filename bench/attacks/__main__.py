"""
What an attack costs the others: ``python -m bench attacks --checkout ../feedd-of-before``.

For each attack feedd is started anew, embedded (SQLite, no other server). Ten pairs of well-behaved
clients post and poll; the time is taken from the moment when a post was due until the poll of its
reader has it: calm, and then while the attack goes on. A post or poll that is refused (503) is
counted and repeated, and its time goes on. ``calm``, ``most`` and ``after`` are the resident memory
of feedd in MiB, the last when the attacker has gone for some seconds.
"""

import argparse
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from bench import result
from bench.attacks.attackers import ATTACKS, Attack
from bench.attacks.house import House, Memory
from bench.attacks.others import Others, Seen
from bench.table import table
from tests.live.daemon import ROOT

RECOVERY_SECONDS = 15.0
LIMIT_SECONDS = 180.0
HEAD = ("attack", "calm p50/p99 ms", "during p50/p99 ms", "p99 x", "refused", "calm/most/after MiB")


class Row(NamedTuple):
    """
    The result of one attack.

    :ivar seconds: how long the attack went on.
    """

    attack: str
    calm: Seen
    during: Seen
    memory: Memory
    seconds: float


def main(argv: list[str] | None = None) -> None:
    """Attack, print a table, and write JSON when asked to."""
    given = _parse(argv)
    rows = []
    for name in given.only.split(",") if given.only else ATTACKS:
        rows.append(attacked(ATTACKS[name], name, given))
        print("  ".join(cells(rows[-1])), flush=True)
    print(table(HEAD, [cells(row) for row in rows]))
    found = [
        {
            "attack": row.attack,
            "calm": row.calm._asdict(),
            "during": row.during._asdict(),
            "memory": row.memory._asdict(),
            "seconds": row.seconds,
        }
        for row in rows
    ]
    document: dict[str, Any] = result.document("attacks", checkout=given.checkout, rows=found)
    result.write(given.json, document)


def attacked(attack: Attack, name: str, given: argparse.Namespace) -> Row:
    """Start feedd, watch, attack it, and watch what is left."""
    with House(Path(given.checkout).resolve(), attack, given.small) as house:
        others = Others(house.port, attack.cookies)
        attack.prepare(house.target)
        calm = others.watch(given.seconds)
        house.note_calm()
        attacker = get_context("fork").Process(target=attack.run, args=(house.target,), daemon=True)
        attacker.start()
        began = time.monotonic()
        during = others.watch(
            LIMIT_SECONDS if attack.ends else given.seconds,
            least=given.seconds,
            done=lambda: attack.ends and not attacker.is_alive(),
        )
        seconds = time.monotonic() - began
        attacker.kill()
        attacker.join()
        others.watch(given.recovery)
        others.close()
        return Row(name, calm, during, house.memory(), seconds)


def cells(row: Row) -> list[str]:
    """The cells of a line of the table."""
    calm, during, memory = row.calm, row.during, row.memory
    return [
        row.attack,
        f"{calm.p50_ms:.1f}/{calm.p99_ms:.1f}",
        f"{during.p50_ms:.1f}/{during.p99_ms:.1f}",
        f"{during.p99_ms / calm.p99_ms:.1f}" if calm.p99_ms else "",
        str(during.refused),
        f"{memory.calm_kib / 1024:.0f}/{memory.most_kib / 1024:.0f}/{memory.after_kib / 1024:.0f}",
    ]


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench attacks", description=__doc__)
    parser.add_argument("--checkout", default=str(ROOT), help="the folder of the feedd to attack")
    parser.add_argument("--only", help=f"some of {','.join(ATTACKS)}")
    parser.add_argument("--seconds", type=float, default=10.0, help="calm, and attack at least")
    parser.add_argument("--recovery", type=float, default=RECOVERY_SECONDS)
    parser.add_argument("--small", action="store_true", help="a tenth of the size, to try it")
    parser.add_argument("--json", help="a file for the figures")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
