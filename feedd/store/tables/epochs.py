"""
The epoch of the log: the database gets another name when its ids go backwards.

A truncated table, a restored backup, and a replica that had not got the last rows give out ids that
viewers already know as something else.

These functions run in a thread, in one transaction each.
"""

from feedd.store.database.migrate import new_epoch
from feedd.store.running.transaction import Transaction
from feedd.store.tables.events import highest_id, meta

RECENT_MS = 60_000
"""
How far a new epoch reaches back: a transaction that has been open for longer when it begins is told
to nobody.
"""


def is_behind(txn: Transaction, settled: int) -> bool:
    """
    Whether the log ends below the watermark of a process. Retention never deletes the last row.
    """
    return highest_id(txn) < settled


def renew_epoch(txn: Transaction, epoch: str, now_ms: int) -> bool:
    """
    Begin a new epoch, whose watermark is below all that is recent; False when it is not `epoch` any
    more, because another process has been faster.

    :param now_ms: milliseconds since 1970, UTC.
    """
    changed = txn.change(
        "UPDATE meta SET value = ? WHERE name = 'epoch' AND value = ?", (new_epoch(), epoch)
    )
    if not changed:
        return False
    highest = highest_id(txn)
    recent = txn.row("SELECT MIN(id) FROM events WHERE created_at >= ?", (now_ms - RECENT_MS,))[0]
    _lower(txn, "settled", min(highest, (recent or highest + 1) - 1))
    _lower(txn, "pruned", highest)
    return True


def _lower(txn: Transaction, name: str, most: int) -> None:
    """Move a mark of ``meta`` down to `most`, never up."""
    value = min(int(meta(txn, name)), most)
    txn.execute("UPDATE meta SET value = ? WHERE name = ?", (str(value), name))
