"""
Retention: old events go, posts stay.

These functions run in a thread, in one transaction each.
"""

from collections.abc import Sequence
from typing import Any

from feedd.core.event import MAX_ID
from feedd.store.database.dialect import Row
from feedd.store.running.transaction import Transaction

LEASE_MS = 60_000
"""How long after its last batch a process that prunes keeps the others away; it may have died."""

WRONG_MS = 86_400_000
"""The time of a row is not believed when it is so long after now."""


def prune(txn: Transaction, owner: str, now_ms: int, before_ms: int, limit: int) -> int:
    """
    Delete the first events of the log, while each was made before `before_ms`; returns how many,
    `limit` at most.

    Nothing goes above ``meta.settled``, since a lower id could still appear and be taken for one
    that was deleted. The last row of the log stays: it says how far the log reaches, and while it
    stands the gap behind it, where the others INSERT, is never locked. ``meta.pruned`` goes up with
    the rows. One process at a time does this: another than `owner` is told 0.
    """
    lock = txn.dialect.for_update
    if not _is_ours(_lease(txn), owner, now_ms):
        return 0
    (pruned,) = txn.row(f"SELECT value FROM meta WHERE name = 'pruned'{lock}")
    if not _is_ours(_lease(txn, lock), owner, now_ms):  # another process took it meanwhile
        return 0
    lease = f"{now_ms + LEASE_MS} {owner}"
    txn.execute("REPLACE INTO meta (name, value) VALUES ('pruner', ?)", (lease,))
    (settled,) = txn.row("SELECT value FROM meta WHERE name = 'settled'")
    first = txn.rows(
        "SELECT id, created_at FROM events WHERE id > ? AND id <= ?"
        " AND id < (SELECT MAX(id) FROM events WHERE id <= ?) ORDER BY id LIMIT ?",
        (int(pruned), int(settled), MAX_ID, limit),
    )
    upto = _last_old(first, now_ms, before_ms)
    if upto is None:
        return 0
    txn.execute("UPDATE meta SET value = ? WHERE name = 'pruned'", (str(upto),))
    return txn.change("DELETE FROM events WHERE id > ? AND id <= ?", (int(pruned), upto))


def _lease(txn: Transaction, lock: str = "") -> Row:
    return txn.row(f"SELECT value FROM meta WHERE name = 'pruner'{lock}")


def _is_ours(lease: Row, owner: str, now_ms: int) -> bool:
    """Whether no other process prunes: there is no lease, or it is ours, or over."""
    until, _, holder = (lease or ("0",))[0].partition(" ")
    return holder == owner or not now_ms < int(until) <= now_ms + LEASE_MS + WRONG_MS


def _last_old(rows: Sequence[Row], now_ms: int, before_ms: int) -> int | None:
    """
    The last id up to which everything is old; None when the first row is not.

    Ids and times nearly go together, but a site may have written any time. A row whose time cannot
    be true goes with the rows beside it.
    """
    last = None
    for id, at in rows:
        if _is_possible(at, now_ms):
            if at >= before_ms:
                break
            last = id
    return last


def _is_possible(at: Any, now_ms: int) -> bool:
    return isinstance(at, int) and at <= now_ms + WRONG_MS
