"""
The log: rows of ``events``, as they are written and as they are read.

These functions run in a thread, in one transaction each. Times are milliseconds since 1970, UTC.
"""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from feedd.core.event import (
    MAX_ID,
    Event,
    UnreadableEvent,
    is_number,
    make_event,
    stored_event,
)
from feedd.core.runs import NO_RUNS, Runs, above
from feedd.core.sizes import ANSWER_BYTES
from feedd.feed.ports import Batch, History
from feedd.store.database.adapter import EventRow
from feedd.store.database.dialect import PART, Row, Rows, marks
from feedd.store.running.transaction import Refused, Transaction
from feedd.store.tables.keyset import EVENTS, first_ids, rising, split
from feedd.store.tables.sizes import first_fitting

# The body of a post goes when the post is deleted, also for a reader of an older event of it. The
# post is looked up by its primary key when its event is read: that costs little, and holds for a
# site that deletes by its own UPDATE too. To blank the payloads in the transaction that deletes
# would not, and would need an index of the events by their post.
_EVENTS = """
SELECT events.id, kind, events.author, post, CASE WHEN gone.id IS NULL THEN payload ELSE '{}'
END, events.created_at FROM events
LEFT JOIN posts AS gone ON gone.id = events.post AND gone.deleted_at IS NOT NULL AND events.kind
IN ('post', 'edit')
"""


HOLE_ROWS = 2_000
"""Rows in holes that are read whoever wrote them."""


class Found(NamedTuple):
    """Events that were read, ascending by id, and the ids of rows that hold none."""

    events: list[Event]
    unreadable: list[int]


class EventDraft(NamedTuple):
    """
    An event still to be written, without its kind.

    :ivar body: its JSON.
    :ivar at: milliseconds since 1970.
    """

    author: str
    body: bytes
    at: int


_DRAFT_COLUMNS = ("kind", "author", "payload", "created_at", "rung")

RUNG = 1
"""feedd itself rings for what it writes; for rows that say nothing, 0, the ringer does."""


def write_event(
    txn: Transaction, kind: str, author: str, post: int | None, body: bytes, at: int
) -> Event:
    """
    Append one event. This must be the last statement of a transaction: the id is given out now, and
    others wait for it to become visible.
    """
    txn.numbering()
    columns = (*_DRAFT_COLUMNS, "post")
    id = txn.insert(EventRow.TABLENAME, columns, (kind, author, body.decode(), at, RUNG, post))
    check_ids((id,))
    return make_event(id, kind, author, post, body, at)


def write_with_events(
    txn: Transaction, rows: Rows, kind: str, drafts: Sequence[EventDraft]
) -> list[tuple[int, Event]]:
    """
    Write rows and, as `write_event` does, for each the event that speaks of it.

    Returns the id of each row and its event, in the order of their ids.
    """
    txn.numbering()
    values = [(kind, author, body.decode(), at, RUNG) for author, body, at in drafts]
    ids = txn.insert_pairs(rows, Rows(EventRow.TABLENAME, _DRAFT_COLUMNS, values), "post")
    check_ids(ids[-1] if ids else ())
    return [
        (id, make_event(event, kind, author, id, body, at))
        for (id, event), (author, body, at) in zip(ids, drafts, strict=True)
    ]


def write_friend_events(
    txn: Transaction, changes: Sequence[tuple[str, str, bytes]], at: int
) -> list[Event]:
    """
    Append an event for each (kind, viewer, body), in this order; like `write_event` the end of a
    transaction.
    """
    events: list[Event] = []
    for some in split(changes):
        txn.numbering()
        values = [(kind, viewer, body.decode(), at, RUNG) for kind, viewer, body in some]
        ids = txn.insert_rows(Rows(EventRow.TABLENAME, _DRAFT_COLUMNS, values))
        check_ids(ids[-1:])
        events += [
            make_event(id, kind, viewer, None, body, at)
            for id, (kind, viewer, body) in zip(ids, some, strict=True)
        ]
    return events


def check_ids(ids: Sequence[int]) -> None:
    """
    Check that these ids, which have been given out, are of use.

    :raises Refused: when one is above `MAX_ID`, since no client could tell it from its neighbours:
        somebody has inserted a row with such an id, and the database goes on from there.
    """
    if any(id > MAX_ID for id in ids):
        raise Refused(
            PART,
            "ids of 2^53 and more are given out: delete such rows, and set "
            "AUTO_INCREMENT of posts and events back",
        )


def history(
    txn: Transaction,
    settled: int,
    authors: Collection[str],
    limit: int,
    holes: Runs = NO_RUNS,
    known: Collection[int] = (),
) -> tuple[History, list[int]]:
    """
    Read the first `limit` events of `authors` above `settled` or in `holes`, without `known`; and
    ids of unreadable rows.
    """
    pruned = int(meta(txn, "pruned"))
    highest = max(highest_id(txn), pruned)
    events: list[Event] = []
    unreadable: list[int] = []
    more = True
    after = 0
    while more and not events:  # a caller goes on after the last event, so "more" needs one
        left = holes.both(above(max(after, pruned)))
        enough = limit + 1 + len(known)
        ids = ids_of_authors(txn, authors, max(after, settled, pruned), highest, enough, left)
        ids = [id for id in ids if id not in known][: limit + 1]
        some = first_fitting(txn, EVENTS, ids[:limit], ANSWER_BYTES)
        more = len(ids) > len(some)
        found = by_id(txn, some)
        events += found.events
        unreadable += found.unreadable
        after = some[-1] if more else after
    return History(events, more, pruned, highest), unreadable


def ids_of_authors(
    txn: Transaction,
    authors: Collection[str],
    after: int,
    highest: int,
    limit: int,
    holes: Runs,
) -> list[int]:
    """The first `limit` ids of `authors` in `holes` and above `after` up to `highest`."""
    ids = _ids_in_holes(txn, authors, limit, holes)[:limit] if holes and authors else []
    if len(ids) < limit:
        ids += first_ids(txn, EVENTS, authors, rising(after, highest), limit - len(ids))
    return ids


def _ids_in_holes(txn: Transaction, authors: Collection[str], limit: int, holes: Runs) -> list[int]:
    """
    The first `limit` ids of `authors` in `holes`, or a few more.

    Holes are few and mostly empty, so that their rows are read, whoever wrote them. But they may
    hold the whole log, since a cursor says what its client likes: all behind the first `HOLE_ROWS`
    is looked for by author.
    """
    names = frozenset(authors)
    where, values = _within(holes)
    rows = txn.rows(
        f"SELECT id, author FROM events WHERE {where} ORDER BY id LIMIT ?", (*values, HOLE_ROWS)
    )
    ids = [id for id, author in rows if author in names]
    if len(rows) == HOLE_ROWS and len(ids) < limit:
        left = holes.both(above(rows[-1][0]))
        spans = (span for first, last in left.spans for span in rising(first - 1, last))
        ids += first_ids(txn, EVENTS, authors, spans, limit - len(ids))
    return ids


def ids_above(txn: Transaction, settled: int, limit: int, holes: Runs = NO_RUNS) -> list[int]:
    """
    The first `limit` ids above `settled` or in `holes`, ascending; those above `MAX_ID` too, which
    are to be counted and then left out.
    """
    where, values = _within(holes)
    where = f"({where} OR id > ?)" if holes else "id > ?"
    return txn.ids(
        f"SELECT id FROM events WHERE {where} ORDER BY id LIMIT ?", (*values, settled, limit)
    )


def ids_standing(
    txn: Transaction, settled: int, limit: int, holes: Runs = NO_RUNS
) -> list[int] | None:
    """As `ids_above`, of rows committed or not; None where these cannot be seen, or need not be."""
    if not txn.dialect.sees_uncommitted(txn):
        return None
    return ids_above(txn, settled, limit, holes)


def _within(holes: Runs) -> tuple[str, list[int]]:
    """The SQL for an id within `holes`, and its values."""
    spans = holes.spans
    values = [bound for span in spans for bound in span]
    return " OR ".join(["id BETWEEN ? AND ?"] * len(spans)), values


def batch(txn: Transaction, ids: Sequence[int]) -> tuple[Batch, list[int]]:
    """
    The events with the first of these ids, as many as have `ANSWER_BYTES`; ids of unreadable rows.
    """
    ids = sorted(set(ids))
    some = first_fitting(txn, EVENTS, ids, ANSWER_BYTES)
    found = by_id(txn, some)
    return Batch(found.events, ids[len(some) :]), found.unreadable


def by_id(txn: Transaction, ids: Sequence[int]) -> Found:
    """The events with these ids; those that are gone are in neither list."""
    rows: list[Row] = []
    for some in split(sorted(set(ids))):
        rows += txn.rows(
            f"{_EVENTS} WHERE events.id IN ({marks(len(some))}) ORDER BY events.id", some
        )
    return readable(rows)


def event_of_post(txn: Transaction, author: str, post: int, at: int) -> Event | None:
    """
    The ``post`` event of a post that was created at `at`, or None when retention has deleted it.
    """
    where = "events.created_at = ? AND events.author = ? AND post = ? AND kind = 'post'"
    events = readable(txn.rows(f"{_EVENTS} WHERE {where} LIMIT 1", (at, author, post))).events
    return events[0] if events else None


def readable(rows: Sequence[Row]) -> Found:
    """The events of these rows, each checked: a site's own writer may have put anything there."""
    found = Found([], [])
    for row in rows:
        try:
            found.events.append(_event(*row))
        except Exception:  # whatever is wrong with one row, the others are read
            found.unreadable.append(row[0])
    return found


def highest_id(txn: Transaction) -> int:
    """The highest id up to `MAX_ID` that is visible, 0 for none."""
    return txn.row("SELECT MAX(id) FROM events WHERE id <= ?", (MAX_ID,))[0] or 0


def save_settled(txn: Transaction, epoch: str, settled: int) -> bool:
    """
    Move ``meta.settled`` up, never down; False, and nothing is written, in a database of another
    `epoch`.

    Its ids are other ones: a watermark above them would hide them from every process that starts
    there.
    """
    if str(meta(txn, "epoch")) != epoch:
        return False
    txn.execute(
        "UPDATE meta SET value = ? WHERE name = 'settled' AND CAST(value AS SIGNED) < ?",
        (str(settled), settled),
    )
    return True


def json_bytes(value: Any) -> bytes:
    """
    The JSON text of a column, as it is stored; in SQLite that may be a BLOB, or bytes that are not
    UTF-8.

    :raises UnreadableEvent: when it is no text.
    """
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, bytes):
        return value
    raise UnreadableEvent("not a text")


def _event(id: int, kind: Any, author: Any, post: Any, payload: Any, at: Any) -> Event:
    if not isinstance(kind, str) or not isinstance(author, str):
        raise UnreadableEvent("a column of another type")
    if not is_number(at) or not (post is None or is_number(post)):
        raise UnreadableEvent("a post or a time that is no number, or too large a one")
    return stored_event(id, kind, author, post, json_bytes(payload), at)


def meta(txn: Transaction, name: str) -> Any:
    """The value of a row of ``meta``."""
    return txn.row("SELECT value FROM meta WHERE name = ?", (name,))[0]
