"""
Friendships and read markers: which viewer hears which authors, and how far each has read.

These functions run in a thread, in one transaction each. Times are milliseconds since 1970, UTC.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from feedd.core.event import MAX_ID, Event, is_number, is_user
from feedd.feed.ports import Block, FriendChanges, Friendship
from feedd.store.database.adapter import FriendshipRow
from feedd.store.database.dialect import marks
from feedd.store.running.transaction import Again, Transaction
from feedd.store.tables.blocks import Pair, blocked, parted, write_blocks
from feedd.store.tables.events import write_friend_events
from feedd.store.tables.keyset import split

_OWNED = "SELECT viewer AS owner, friend AS item FROM friendships"


def friends_of(txn: Transaction, viewers: Sequence[str], limit: int) -> dict[str, tuple[str, ...]]:
    """
    Read whom each of `viewers` hears, sorted, without themselves: for the first ones, as many as
    `limit` rows hold, at least one.

    :param viewers: ascending, as the index has them; one at least.
    """
    some = f"WHERE viewer IN ({marks(len(viewers))}) ORDER BY viewer, friend LIMIT ?"
    lists = txn.lists(f"{_OWNED} {some}", (*viewers, limit))
    if sum(map(len, lists.values())) < limit:
        return _named(viewers, lists)
    whole = viewers[: bisect_left(viewers, max(lists))]  # of the last one there may be more
    if whole:
        return _named(whole, lists)
    return _named(viewers[:1], txn.lists(f"{_OWNED} WHERE viewer = ?", viewers[:1]))


def _named(
    viewers: Sequence[str], lists: Mapping[str, Sequence[Any]]
) -> dict[str, tuple[str, ...]]:
    """
    The lists of these viewers, without what is nobody's name: a site may have written anything.
    """
    found = {}
    for viewer in viewers:
        friends = {
            friend
            for friend in lists.get(viewer, ())
            if isinstance(friend, str) and is_user(friend)
        }
        found[viewer] = tuple(sorted(friends - {viewer}))
    return found


def mark(txn: Transaction, viewer: str, post: int, at: int) -> int:
    """
    Move the marker of `viewer` up to `post`, never down; returns where it stands. What a site has
    written there and is no id of a post counts as no marker.
    """
    post = min(post, MAX_ID)
    txn.execute(txn.dialect.raise_marker, (viewer, post, at))
    (standing,) = txn.row("SELECT post FROM markers WHERE viewer = ?", (viewer,))
    if is_number(standing):
        return standing
    _put_mark(txn, viewer, post, at)
    return post


def set_mark(txn: Transaction, viewer: str, post: int, at: int) -> None:
    """Move the marker of `viewer` to `post`, up or down."""
    mark(txn, viewer, post, at)  # the row is there now, and locked
    _put_mark(txn, viewer, min(post, MAX_ID), at)


def _put_mark(txn: Transaction, viewer: str, post: int, at: int) -> None:
    txn.execute("UPDATE markers SET post = ?, updated_at = ? WHERE viewer = ?", (post, at, viewer))


def change_friends(
    txn: Transaction, add: Iterable[Friendship], remove: Iterable[Friendship], at: int
) -> FriendChanges:
    """
    Write these rows, then an event for each that really changed, in the order of the pairs.

    A pair that is in both lists is removed, one that is blocked is not added. All pairs are gone
    through in one order, so that two calls seldom wait for each other in a circle; and the events
    come last, so that nobody waits for a lock while holding an id.
    """
    unwanted = _pairs(remove)
    wanted = _pairs(add) - unwanted
    refused = blocked(txn, wanted)
    wanted -= refused
    changes: list[tuple[str, str, bytes]] = []
    for some in split(sorted(wanted | unwanted)):
        present = _present(txn, some)
        gone = {
            pair for pair in some if pair in unwanted and pair in present and _delete(txn, pair)
        }
        new = [pair for pair in some if pair in wanted and pair not in present]
        _insert(txn, new, at)
        changes += [
            _change("friend", pair) if pair in wanted else _change("unfriend", pair)
            for pair in some
            if pair in gone.union(new)
        ]
    return FriendChanges(
        write_friend_events(txn, changes, at), [Friendship(*pair) for pair in sorted(refused)]
    )


def change_blocks(
    txn: Transaction, add: Iterable[Block], remove: Iterable[Block], at: int
) -> list[Event]:
    """
    Write these blocks, end the friendships of whom they part, and write an event for each of those.

    A block that is in both lists is removed, one of oneself is passed over.
    """
    unwanted = {(block.viewer, block.author) for block in remove}
    wanted = {(block.viewer, block.author) for block in add if block.viewer != block.author}
    wanted -= unwanted
    write_blocks(txn, sorted(wanted), sorted(unwanted))
    ended = [_change("unfriend", pair) for pair in parted(wanted) if _delete(txn, pair)]
    return write_friend_events(txn, ended, at)


def _pairs(friendships: Iterable[Friendship]) -> set[Pair]:
    """Without those that hear themselves: everybody does."""
    return {(pair.viewer, pair.friend) for pair in friendships if pair.viewer != pair.friend}


def _change(kind: str, pair: Pair) -> tuple[str, str, bytes]:
    viewer, friend = pair
    return kind, viewer, b'{"friend":"%s"}' % friend.encode()


def _present(txn: Transaction, pairs: Sequence[Pair]) -> set[Pair]:
    rows = ", ".join(["(?, ?)"] * len(pairs))
    statement = (
        f"SELECT viewer, friend FROM friendships WHERE (viewer, friend) IN "
        f"({txn.dialect.rows_of} {rows})"
    )
    return {
        (viewer, friend)
        for viewer, friend in txn.rows(statement, [name for pair in pairs for name in pair])
    }


def _delete(txn: Transaction, pair: Pair) -> bool:
    """
    Whether it was this transaction that deleted the row.

    One by one: a DELETE of many pairs costs MariaDB's optimizer more than this, or locks the whole
    table.
    """
    return txn.change("DELETE FROM friendships WHERE viewer = ? AND friend = ?", pair) == 1


def _insert(txn: Transaction, pairs: Sequence[Pair], at: int) -> None:
    """
    Insert rows that were not there. Raises `Again` when somebody else has inserted one meanwhile;
    the database does not tell which.
    """
    if not pairs:
        return
    rows = ", ".join([f"({marks(3)})"] * len(pairs))
    statement = (
        f"{txn.dialect.insert_ignore} INTO {FriendshipRow.TABLENAME} (viewer, friend, since) "
        f"VALUES {rows}"
    )
    if txn.change(
        statement, [value for viewer, friend in pairs for value in (viewer, friend, at)]
    ) != len(pairs):
        raise Again
