"""
Retention: old events go, posts stay.

These functions run in a thread, in one transaction each. They know the tables ``events`` and
``meta``, and not when or how often they are called.
"""

from collections.abc import Sequence
from typing import Any

from feedd.store.database.dialect import Row
from feedd.store.running.transaction import Transaction

LEASE_MS = 60_000
"""So long after its last batch a process that prunes keeps the others away, should it have died."""
WRONG_MS = 86_400_000
"""A row that claims to be made so long after now does not know when it was made."""


def prune(txn: Transaction, owner: str, now: int, before: int, limit: int) -> int:
    """
    Delete the first events of the log, while each was made before the time `before`; returns how
    many, `limit` at most.

    Nothing goes above ``meta.settled``, since a lower id could still appear and be taken for one
    that was deleted. The last row of the log stays: it says how far the log reaches, and while it
    stands the gap behind it, where the others INSERT, is never locked. ``meta.pruned`` goes up with
    the rows. One process at a time does this: another than `owner` is told 0.
    """
    if not _is_ours(txn.row("SELECT value FROM meta WHERE name = 'pruner'"), owner, now):
        return 0
    pruned = int(
        txn.row(f"SELECT value FROM meta WHERE name = 'pruned'{txn.dialect.for_update}")[0]
    )
    if not _is_ours(
        txn.row(f"SELECT value FROM meta WHERE name = 'pruner'{txn.dialect.for_update}"), owner, now
    ):
        return 0
    txn.execute(
        "REPLACE INTO meta (name, value) VALUES ('pruner', ?)", (f"{now + LEASE_MS} {owner}",)
    )
    (settled,) = txn.row("SELECT value FROM meta WHERE name = 'settled'")
    first = txn.rows(
        "SELECT id, created_at FROM events WHERE id > ? AND id <= ? AND id < (SELECT "
        "MAX(id) FROM events) ORDER BY id LIMIT ?",
        (pruned, int(settled), limit),
    )
    upto = _last_old(first, now, before)
    if upto is None:
        return 0
    txn.execute("UPDATE meta SET value = ? WHERE name = 'pruned'", (str(upto),))
    return txn.change("DELETE FROM events WHERE id > ? AND id <= ?", (pruned, upto))


def _is_ours(lease: Row, owner: str, now: int) -> bool:
    """Whether nobody else prunes: there is no lease, or it is ours, or over."""
    until, _, holder = (lease or ("0",))[0].partition(" ")
    return holder == owner or not now < int(until) <= now + LEASE_MS + WRONG_MS


def _last_old(rows: Sequence[Row], now: int, before: int) -> int | None:
    """
    The last id up to which everything is old; None when the first row is not.

    Ids and times nearly go together, but a site may have written any time. A row of a time that
    cannot be goes with its neighbours.
    """
    last = None
    for id, at in rows:
        if _is_possible(at, now):
            if at >= before:
                break
            last = id
    return last


def _is_possible(at: Any, now: int) -> bool:
    return isinstance(at, int) and at <= now + WRONG_MS
