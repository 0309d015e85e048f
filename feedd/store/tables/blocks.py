"""
Blocks: who wants to have nothing to do with whom.

These functions run in a thread, each within a transaction. Whoever begins a friendship reads the
blocks of the two first, and locks their places; whoever blocks writes the block first, and ends the
friendships then. So of two that meet one waits for the other.
"""

from collections.abc import Collection, Sequence
from itertools import chain

from feedd.store.database.dialect import marks
from feedd.store.running.transaction import Transaction
from feedd.store.tables.keyset import split

Pair = tuple[str, str]

AT_ONCE = 250
"""Pairs in one statement; SQLite takes 500 SELECTs in one."""


def parted(pairs: Collection[Pair]) -> list[Pair]:
    """These pairs, and in the other direction, ascending."""
    return sorted({*pairs, *((other, one) for one, other in pairs)})


def blocked(txn: Transaction, pairs: Collection[Pair]) -> set[Pair]:
    """Those of whom one blocks the other; none of the rest is blocked before the end."""
    found: list[Pair] = []
    for some in split(parted(pairs), AT_ONCE):
        # Each pair is looked up by the key. With OR or IN a database reads a small table from end
        # to end, and locks all of it: then everybody waits for a block that is not committed.
        asked = " UNION ALL ".join(
            ["SELECT ? AS one, ? AS other", *["SELECT ?, ?"] * len(some[1:])]
        )
        statement = (
            f"SELECT viewer, author FROM ({asked}) AS asked {txn.dialect.look_up.format('blocks')} "
            f"ON viewer = one AND author = other{txn.dialect.for_share}"
        )
        found += txn.rows(statement, list(chain.from_iterable(some)))
    return set(pairs).intersection(parted(found))


def write_blocks(txn: Transaction, add: Sequence[Pair], remove: Sequence[Pair]) -> None:
    """Write and delete blocks; the pairs ascend."""
    for pair in remove:
        txn.execute("DELETE FROM blocks WHERE viewer = ? AND author = ?", pair)
    for some in split(add):
        rows = ", ".join([f"({marks(2)})"] * len(some))
        statement = f"{txn.dialect.insert_ignore} INTO blocks (viewer, author) VALUES {rows}"
        txn.execute(statement, list(chain.from_iterable(some)))
