"""
Finds the next ids of some authors through the index (author, id), however long the list and however
far away the rows.

The ids are looked at in windows that grow, so that a busy feed costs one small window, and a quiet
one a few seeks for each author. One statement for all would read every row that the authors ever
wrote, or every row there is: a database chooses between these two, and neither ends early.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from feedd.store.database.dialect import marks
from feedd.store.running.transaction import Transaction

T = TypeVar("T")

AT_ONCE = 500
"""Values in one list of a statement."""

WINDOW = 5_000
"""Ids in the first window; each one after it has `GROWTH` times as many."""

GROWTH = 10

Span = tuple[int, int]
"""A window: the ids above the first, up to the second."""


class Source(NamedTuple):
    """
    A table in which ids are looked for.

    :ivar key: its index (author, id).
    :ivar condition: what every row must meet besides, as SQL.
    :ivar text: the column whose JSON is told.
    """

    table: str
    key: str
    condition: str
    text: str


POSTS = Source("posts", "posts_author", "AND deleted_at IS NULL", "body")
EVENTS = Source("events", "events_author", "", "payload")


def split(items: Sequence[T], size: int = AT_ONCE) -> Iterator[Sequence[T]]:
    """Cut `items` into pieces of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def rising(after: int, upto: int) -> Iterator[Span]:
    """Return windows of the ids above `after` up to `upto`, upwards."""
    width = WINDOW
    while after < upto:
        yield after, min(after + width, upto)
        after += width
        width *= GROWTH


def falling(before: int) -> Iterator[Span]:
    """Return windows of the ids below `before`, downwards."""
    width, upto = WINDOW, before - 1
    while upto > 0:
        yield max(upto - width, 0), upto
        upto -= width
        width *= GROWTH


def first_ids(
    txn: Transaction, source: Source, authors: Iterable[str], spans: Iterator[Span], limit: int
) -> list[int]:
    """Find the first `limit` ids of `authors` in `spans` that rise; ascending."""
    return _ids(txn, source, authors, spans, limit, newest=False)


def last_ids(
    txn: Transaction, source: Source, authors: Iterable[str], spans: Iterator[Span], limit: int
) -> list[int]:
    """Find the first `limit` ids of `authors` in `spans` that fall; descending."""
    return _ids(txn, source, authors, spans, limit, newest=True)


def _ids(
    txn: Transaction,
    source: Source,
    authors: Iterable[str],
    spans: Iterator[Span],
    limit: int,
    *,
    newest: bool,
) -> list[int]:
    names = sorted(set(authors))
    found: list[int] = []
    for span in spans:
        wanted = limit - len(found)
        if not names or wanted <= 0:
            break
        batch = [
            id for some in split(names) for id in _window(txn, source, some, span, wanted, newest)
        ]
        found += sorted(batch, reverse=newest)[:wanted]
    return found


def _window(
    txn: Transaction, source: Source, authors: Sequence[str], span: Span, limit: int, newest: bool
) -> list[int]:
    statement = (
        f"SELECT id FROM {source.table} {txn.dialect.by_index.format(source.key)}"
        f" WHERE author IN ({marks(len(authors))}) AND id > ? AND id <= ? {source.condition}"
        f" ORDER BY id {'DESC' if newest else 'ASC'} LIMIT ?"
    )
    return [id for (id,) in txn.rows(statement, (*authors, *span, limit))]
