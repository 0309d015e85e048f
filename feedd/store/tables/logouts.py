"""
Logouts: since when the tokens of a user count for nothing.

These functions run in a thread, in one transaction each. Times are milliseconds since 1970, UTC.
"""

from feedd.core.event import LOGOUT, Event, is_number, is_user
from feedd.store.running.transaction import Transaction
from feedd.store.tables.events import write_event

MOST = 100_001
"""
Logouts that a process begins with: one more than it remembers, so that of more than that the oldest
of these counts for everybody, as `feedd.auth.revocation` has it.
"""


def log_out(txn: Transaction, user: str, at: int) -> Event:
    """Write that `user` is logged out at `at`, or at the last one's time if that is later."""
    last = txn.rows(f"SELECT at FROM logouts WHERE viewer = ?{txn.dialect.for_update}", (user,))
    at = max(at, *(time for (time,) in last if is_number(time)), 0)
    txn.execute("REPLACE INTO logouts (viewer, at) VALUES (?, ?)", (user, at))
    return write_event(txn, LOGOUT, user, None, b"{}", at)


def newest_logouts(txn: Transaction, most: int = MOST) -> list[tuple[str, int]]:
    """The newest `most` and when they were, ascending by that."""
    rows = txn.rows("SELECT viewer, at FROM logouts ORDER BY at DESC LIMIT ?", (most,))
    return [
        (viewer, at)
        for viewer, at in reversed(rows)
        if isinstance(viewer, str) and is_user(viewer) and is_number(at)
    ]
