"""
The tables, as twistar knows them.

The names of the tables come from here. Objects of these classes are good for looking around and for
a site's own scripts; the queries of feedd do not make any, because ``save()`` writes every column,
and a find cannot lock, merge or page. Never use twistar's ``@transaction``, ``findOrCreate`` or
relations: they share one transaction between all requests.
"""

from twistar.dbobject import DBObject
from twistar.registry import Registry
from twisted.enterprise.adbapi import ConnectionPool

from feedd.store.database.dialect import Dialect


class PostRow(DBObject):  # type: ignore[misc]
    """A post: id, author, body, created_at, edited_at, deleted_at, idempotency_key."""

    TABLENAME = "posts"


class EventRow(DBObject):  # type: ignore[misc]
    """A row of the log: id, kind, author, post, payload, created_at."""

    TABLENAME = "events"


class FriendshipRow(DBObject):  # type: ignore[misc]
    """Viewer hears friend: viewer, friend, since."""

    TABLENAME = "friendships"


class MarkerRow(DBObject):  # type: ignore[misc]
    """How far a viewer has read: viewer, post, updated_at."""

    TABLENAME = "markers"


class MetaRow(DBObject):  # type: ignore[misc]
    """What is known of the database as a whole: name, value."""

    TABLENAME = "meta"


def register(pool: ConnectionPool, dialect: Dialect) -> None:
    """
    Let the classes above use this pool. Twistar has one for the whole process; nothing else in
    feedd depends on which.
    """
    Registry.DBPOOL = pool
    Registry.IMPL = dialect
