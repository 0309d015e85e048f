"""Looks at the sizes of rows before it reads them: a row may have megabytes."""

from collections.abc import Iterator, Sequence

from feedd.core.sizes import fitting
from feedd.store.database.dialect import marks
from feedd.store.running.transaction import Transaction
from feedd.store.tables.keyset import Source, split

ROW_BYTES = 150
"""Bytes that the other columns of a row add to its JSON, about."""


def first_fitting(
    txn: Transaction, source: Source, ids: Sequence[int], most_bytes: int
) -> Sequence[int]:
    """
    The first of `ids`, in their order, whose rows have `most_bytes` of JSON together; at least one.
    """
    if len(ids) < 2:
        return ids
    return ids[: fitting(_sizes_of(txn, source, ids), most_bytes)]


def _sizes_of(txn: Transaction, source: Source, ids: Sequence[int]) -> Iterator[int]:
    """The size of each row; one that is not there counts as an empty one."""
    for some in split(ids):
        sizes = _sizes(txn, source, some)
        yield from (sizes.get(id, 0) + ROW_BYTES for id in some)


def _sizes(txn: Transaction, source: Source, ids: Sequence[int]) -> dict[int, int]:
    """By id the bytes (characters in SQLite) of the text, before its ``<`` are escaped."""
    # REPLACE would tell what they come to, but takes MariaDB seconds for 64 KiB of them.
    rows = txn.rows(
        f"SELECT id, LENGTH({source.text}) FROM {source.table} WHERE id IN ({marks(len(ids))})",
        ids,
    )
    return {id: size or 0 for id, size in rows}
