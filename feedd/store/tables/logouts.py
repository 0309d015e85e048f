"""
Logouts: since when the tokens of a user count for nothing.

These functions run in a thread, in one transaction each. Times are milliseconds since 1970, UTC.
"""

from feedd.core.event import LOGOUT, Event, is_number, is_user
from feedd.store.running.transaction import Transaction
from feedd.store.tables.events import write_event

MOST = 100_000
"""Logouts that a process begins with."""


def log_out(txn: Transaction, user: str, at: int) -> Event:
    """Write that `user` is logged out at `at`, or at the last one's time if that is later."""
    last = txn.rows(f"SELECT at FROM logouts WHERE viewer = ?{txn.dialect.for_update}", (user,))
    at = max(at, *(time for (time,) in last if is_number(time)), 0)
    txn.execute("REPLACE INTO logouts (viewer, at) VALUES (?, ?)", (user, at))
    return write_event(txn, LOGOUT, user, None, b"{}", at)


def newest_logouts(txn: Transaction) -> list[tuple[str, int]]:
    """The newest `MOST` and when they were, ascending by that."""
    rows = txn.rows("SELECT viewer, at FROM logouts ORDER BY at DESC LIMIT ?", (MOST,))
    return [
        (viewer, at)
        for viewer, at in reversed(rows)
        if isinstance(viewer, str) and is_user(viewer) and is_number(at)
    ]
