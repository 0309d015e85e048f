"""
Posts: written with their events, and read as pages.

These functions run in a thread, in one transaction each. Times are milliseconds since 1970, UTC.
"""

import hashlib
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from feedd.core.event import (
    MAX_ID,
    Event,
    UnreadableEvent,
    check_json,
    is_number,
    is_user,
    make_event,
    safe_json,
)
from feedd.core.runs import NO_RUNS, Runs
from feedd.core.sizes import ANSWER_BYTES, fitting
from feedd.feed.ports import NotFound, NotYours, Page, Stored
from feedd.store.database.adapter import PostRow
from feedd.store.database.dialect import Row, Rows, marks
from feedd.store.running.transaction import Transaction
from feedd.store.tables.events import (
    EventDraft,
    event_of_post,
    highest_id,
    ids_of_authors,
    json_bytes,
    write_event,
    write_with_events,
)
from feedd.store.tables.keyset import POSTS, falling, last_ids, split
from feedd.store.tables.sizes import first_fitting

PAGE_IDS = 1_000
"""Ids above ``settled`` that a page names."""

MAX_KEY = 200
"""Characters of an Idempotency-Key that is stored as it is."""

_COLUMNS = ("author", "body", "created_at", "idempotency_key")


class PostDraft(NamedTuple):
    """
    A post still to be written.

    :ivar body: its JSON.
    :ivar key: what `stored_key` makes of its Idempotency-Key.
    :ivar at: milliseconds since 1970.
    """

    author: str
    body: bytes
    key: str | None
    at: int


def size_of(draft: PostDraft) -> int:
    """About how many bytes a post still to be written has."""
    return len(draft.body)


def stored_key(key: str) -> str:
    """An Idempotency-Key as it is stored: itself, or a digest of one that is long or not ASCII."""
    if key.isascii() and len(key) <= MAX_KEY:
        return key
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=32)
    return f"blake2b:{digest.hexdigest()}"


def add_posts(txn: Transaction, drafts: Sequence[PostDraft]) -> list[Stored]:
    """
    Write posts, each with its event, and return them in their order. A key that its author has used
    fails on the unique index.
    """
    values = [(draft.author, draft.body.decode(), draft.at, draft.key) for draft in drafts]
    rows = Rows(PostRow.TABLENAME, _COLUMNS, values)
    events = [EventDraft(draft.author, draft.body, draft.at) for draft in drafts]
    written = write_with_events(txn, rows, "post", events)
    return [Stored(id, event, True) for id, event in written]


def first_result(txn: Transaction, author: str, key: str) -> Stored | None:
    """
    Read what `add_posts` returned when it was called with this key first.

    When retention has deleted the event, the id 0 stands for it: the id is for recognising the
    event when it arrives, and this one never will.
    """
    row = txn.row(
        "SELECT id, created_at FROM posts WHERE author = ? AND idempotency_key = ?", (author, key)
    )
    if not row:
        return None
    post, at = row
    return Stored(
        post,
        event_of_post(txn, author, post, at) or make_event(0, "post", author, post, b"{}", at),
        False,
    )


def edit_post(txn: Transaction, author: str, post: int, body: bytes, at: int) -> Event:
    """Write a new body and its event. Raises `NotFound`, `NotYours`."""
    _lock_own(txn, author, post)
    txn.execute("UPDATE posts SET body = ?, edited_at = ? WHERE id = ?", (body.decode(), at, post))
    return write_event(txn, "edit", author, post, body, at)


def delete_post(txn: Transaction, author: str, post: int, at: int) -> Event:
    """Mark a post as deleted, write its event. Raises `NotFound`, `NotYours`."""
    _lock_own(txn, author, post)
    txn.execute("UPDATE posts SET deleted_at = ? WHERE id = ?", (at, post))
    return write_event(txn, "delete", author, post, b"{}", at)


def page(
    txn: Transaction,
    authors: Collection[str],
    before: int | None,
    limit: int,
    settled: int,
    holes: Runs = NO_RUNS,
) -> tuple[Page, list[int]]:
    """
    Read the newest `limit` posts of `authors` below `before` and the ids above `settled` or in
    `holes`; and the ids of unreadable posts.
    """
    if before is None or before > MAX_ID:
        highest = "SELECT MAX(id) FROM posts WHERE id <= ?"
        before = (txn.row(highest, (MAX_ID,))[0] or 0) + 1
    posts: list[bytes] = []
    unreadable: list[int] = []
    more, is_full, room = True, False, ANSWER_BYTES
    while more and len(posts) < limit and not (is_full and posts):
        wanted = limit - len(posts)
        ids = last_ids(txn, POSTS, authors, falling(before), wanted + 1)
        some = first_fitting(txn, POSTS, ids[:wanted], room)
        found, bad = _readable(_rows(txn, some))
        count = fitting(map(len, found), room)
        posts += found[:count]
        unreadable += bad
        room -= sum(map(len, found))
        is_full = len(some) < wanted or count < len(found)
        more = len(ids) > len(some) or count < len(found)
        before = some[-1] if more else 0
    seen = ids_of_authors(txn, authors, settled, highest_id(txn), PAGE_IDS, holes)
    return Page(posts, tuple(seen), more), unreadable


def _lock_own(txn: Transaction, author: str, post: int) -> None:
    """
    Lock the row of a post, so that the order of its events is the order of its changes.

    A lock on a row that is not there would be a lock on the place of the next post, so it is looked
    for without one first.
    """
    if not 0 < post <= MAX_ID:
        raise NotFound(f"no post {post}")
    for lock in ("", txn.dialect.for_update):
        row = txn.row(f"SELECT author, deleted_at FROM posts WHERE id = ?{lock}", (post,))
        if not row or row[1] is not None:
            raise NotFound(f"no post {post}")
        if row[0] != author:
            raise NotYours(f"post {post} is somebody else's")


def _rows(txn: Transaction, ids: Sequence[int]) -> list[Row]:
    rows: list[Row] = []
    for some in split(ids):
        statement = (
            f"SELECT id, author, body, created_at, edited_at FROM posts WHERE id IN "
            f"({marks(len(some))})"
        )
        rows += sorted(txn.rows(statement, some), reverse=True)
    return rows


def _readable(rows: Sequence[Row]) -> tuple[list[bytes], list[int]]:
    """The posts of these rows as JSON, and the ids of those that are none."""
    found: list[bytes] = []
    unreadable: list[int] = []
    for row in rows:
        try:
            found.append(_post_json(*row))
        except Exception:  # whatever is wrong with one row, the others are read
            unreadable.append(row[0])
    return found, unreadable


def _post_json(id: int, author: Any, body: Any, at: Any, edited: Any) -> bytes:
    """
    A post as the page shows it; its row is checked like an event's, since a site may write it.
    """
    text = json_bytes(body)
    check_json(text)
    if not isinstance(author, str) or not is_user(author) or not is_number(at):
        raise UnreadableEvent("no such author or time")
    return b'{"id":%d,"author":"%s","body":%s,"at":%d,"edited":%s}' % (
        id,
        author.encode(),
        safe_json(text),
        at,
        b"%d" % edited if is_number(edited) else b"null",
    )
