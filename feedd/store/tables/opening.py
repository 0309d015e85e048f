"""
What a process begins with.

These functions run in a thread, in one transaction. Times are milliseconds since 1970, UTC.
"""

from collections.abc import Sequence

from feedd.core.event import MAX_ID
from feedd.core.sizes import ANSWER_BYTES, fitting
from feedd.feed.ports import Opening
from feedd.store.running.transaction import Transaction
from feedd.store.tables.events import Found, by_id, highest_id, meta
from feedd.store.tables.keyset import EVENTS
from feedd.store.tables.logouts import newest_logouts
from feedd.store.tables.sizes import first_fitting

MAX_KEY_BYTES = 64
"""A longer key cannot be used by BLAKE2b."""


def opening(txn: Transaction, last: int, most_bytes: int) -> tuple[Opening, list[int]]:
    """
    Read what a process starts from, and ids of unreadable rows.

    :param last: how many events at most,
    :param most_bytes: and how many bytes of JSON.
    """
    epoch = str(meta(txn, "epoch"))
    settled = min(max(int(meta(txn, "settled")), int(meta(txn, "pruned"))), MAX_ID)
    before = highest_id(txn) + 1
    ids = txn.ids("SELECT id FROM events WHERE id < ? ORDER BY id DESC LIMIT ?", (before, last))
    found = _newest(txn, ids[::-1], most_bytes)
    opening = Opening(epoch, settled, found.events, _seal_key(txn), newest_logouts(txn))
    return opening, found.unreadable


def _newest(txn: Transaction, ids: Sequence[int], most_bytes: int) -> Found:
    """The events of the first of `ids`, which descend, that have `most_bytes`; one at least."""
    found = Found([], [])
    while ids:
        some = first_fitting(txn, EVENTS, ids, ANSWER_BYTES)
        events, unreadable = by_id(txn, some)
        count = fitting((len(event.json) for event in reversed(events)), most_bytes)
        found = Found(events[len(events) - count :] + found.events, unreadable + found.unreadable)
        most_bytes -= sum(len(event.json) for event in events)
        if most_bytes <= 0:
            break
        ids = ids[len(some) :]
    return found


def _seal_key(txn: Transaction) -> bytes:
    """The key of the bell's seal; b"" where somebody has deleted or spoilt it."""
    rows = txn.rows("SELECT value FROM meta WHERE name = 'seal_key'", ())
    try:
        return bytes.fromhex(rows[0][0])[:MAX_KEY_BYTES] if rows else b""
    except ValueError:
        return b""
