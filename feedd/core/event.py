"""
An event is one change that a friend should see: its fields, its JSON, and how it is read from the
bell and from a row of the log.
"""

import hashlib
import re
from collections.abc import Iterable
from typing import Any, TypeGuard

import msgspec

KINDS = frozenset({"post", "edit", "delete", "friend", "unfriend", "message", "logout"})
FRIEND_KINDS = frozenset({"friend", "unfriend"})
BODY_KINDS = frozenset({"post", "edit"})
"""The kinds whose body is that of a post; it is left out once the post has been deleted."""
LOGOUT = "logout"
"""The kind that acts, and is told to nobody."""
MAX_ID = 2**53 - 1
"""
The largest id of an event or a post: above it a JavaScript number cannot be told from its
neighbours.
"""

MAX_DEPTH = 100
"""
How deep a body may be nested. Every JSON reader gives up at some depth: msgspec at that of Python's
stack, which differs from one caller to the next, others at 100 or 512. A body is refused where it
comes in, and what is taken can be read wherever it goes, also a few levels deeper inside an answer.
"""

_USER = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")

# The JSON that `make_event` writes. Numbers of 15 digits are below `MAX_ID`; a longer one takes the
# way of `parse_any`. The body is whatever stands between the first fields and the last one. It must
# be parsed before it is believed, because it may hide further fields.
_OWN = re.compile(
    rb'\{"id":([1-9][0-9]{0,14}),"kind":"([a-z]{1,16})","author":"([A-Za-z0-9_-]{1,64})",'
    rb'"post":(null|0|[1-9][0-9]{0,14}),"body":(\S(?:.*\S)?),"at":(?:0|[1-9][0-9]{0,14})\}\Z',
    re.DOTALL,
)
_KIND_OF = {kind.encode(): kind for kind in KINDS}


class UnreadableEvent(ValueError):
    """The bytes are not an event: not JSON, not UTF-8, or a field of the wrong type."""


# gc=False: an event holds no container and so is in no cycle. Otherwise the collector would look
# at every event in memory.
class Event(msgspec.Struct, frozen=True, gc=False):
    """
    One change, with its JSON made once; every format is these bytes between two others.

    :ivar id: the row of ``events``; negative for a foreign ``message``, which is not in the log.
    :ivar kind: one of `KINDS`.
    :ivar author: the user who caused it; it goes to those who hear them.
    :ivar post: the post that it is about, or None.
    :ivar friend: for ``friend`` and ``unfriend`` the other user, else None.
    :ivar json: the whole event as JSON, UTF-8, fit for JSON, JSONP, HTML and one line of an event
        stream.
    """

    id: int
    kind: str
    author: str
    post: int | None
    friend: str | None
    json: bytes


class _Wire(msgspec.Struct):
    id: int
    kind: str
    author: str
    body: msgspec.Raw
    at: int
    post: int | None = None


class _FriendBody(msgspec.Struct):
    friend: str


def is_user(name: str) -> bool:
    """Whether `name` may be a user: 1-64 characters of ``A-Z a-z 0-9 _ -``."""
    return _USER.match(name) is not None


def safe_json(data: bytes) -> bytes:
    """
    The same JSON document without ``<``, U+2028, U+2029 or a line break, so that it can stand in a
    script or an event stream.

    In valid JSON the first three occur only inside strings, where an escape means the same, and a
    raw line break occurs only between tokens, where a space does.
    """
    if b"<" in data:
        data = data.replace(b"<", b"\\u003c")
    # `isascii` takes a tenth of the time of the search, and most texts are.
    if not data.isascii() and b"\xe2\x80" in data:
        data = data.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")
    if b"\n" in data or b"\r" in data:
        data = data.replace(b"\n", b" ").replace(b"\r", b" ")
    return data


def make_event(id: int, kind: str, author: str, post: int | None, body: bytes, at: int) -> Event:
    """
    The event of these fields; `body` is JSON text that the caller has validated, `at` milliseconds
    since 1970.

    :raises UnreadableEvent: when a ``friend`` or ``unfriend`` does not name a friend.
    """
    friend = _friend_in(body) if kind in FRIEND_KINDS else None
    json = b'{"id":%d,"kind":"%s","author":"%s","post":%s,"body":%s,"at":%d}' % (
        id,
        kind.encode(),
        author.encode(),
        b"null" if post is None else b"%d" % post,
        safe_json(body),
        at,
    )
    return Event(id, kind, author, post, friend, json)


def check_json(text: bytes, depth: int = MAX_DEPTH) -> None:
    """
    Check that `text` is one JSON document in UTF-8, nested at most `depth` deep.

    :raises UnreadableEvent: when it is not.
    """
    try:
        value = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableEvent(str(error)) from None
    # Nearly every text is too short to be too deep, or has too few brackets.
    if (
        len(text) > 2 * depth
        and text.count(b"{") + text.count(b"[") > depth
        and is_deeper(value, depth)
    ):
        raise UnreadableEvent(f"nested more than {depth} deep")


def is_deeper(value: Any, depth: int) -> bool:
    """Whether objects and arrays are nested more than `depth` deep in `value`."""
    level = _containers([value])  # level by level: recursion would need a stack as deep
    for _ in range(depth):
        if not level:
            return False
        insides = (outer.values() if isinstance(outer, dict) else outer for outer in level)
        level = _containers(inner for inside in insides for inner in inside)
    return bool(level)


def _containers(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if isinstance(value, dict | list)]


def at_of(event: Event) -> int:
    """When it was, in milliseconds since 1970."""
    return msgspec.json.decode(event.json, type=_Wire).at


def is_number(value: object) -> TypeGuard[int]:
    """Whether it is an id or a time that JavaScript can tell from its neighbours: 0 to `MAX_ID`."""
    return isinstance(value, int) and 0 <= value <= MAX_ID


def stored_event(
    id: int, kind: str, author: str, post: int | None, payload: bytes, at: int
) -> Event:
    """
    The event of one row of the log. All of it is checked, because a site's own writer may have put
    anything there.

    :raises UnreadableEvent: when kind or author are none, or the payload is not JSON.
    """
    if kind not in KINDS or not is_user(author):
        raise UnreadableEvent("no such kind or author")
    check_json(payload)
    return make_event(id, kind, author, post, payload, at)


def parse_event(data: bytes, author: str | None) -> Event | None:
    """
    The event whose JSON this is, as feedd itself publishes it, or None when it is a JSON document
    of another shape.

    :param author: the author whose exchange it came from; an event that names another one is
        refused. None allows any author.
    :raises UnreadableEvent: when it is not JSON, or an event that contradicts its exchange.
    """
    event = parse_own(data)
    if event is None or (author is not None and event.author != author):
        return parse_any(data, author)
    return event


def parse_any(data: bytes, author: str | None) -> Event | None:
    """
    `parse_event` for the JSON of any writer; of feedd's own JSON it makes the same event at twice
    the cost.
    """
    check_json(data, 1 + MAX_DEPTH)
    try:
        wire = msgspec.json.decode(data, type=_Wire)
    except msgspec.ValidationError:
        return None
    if wire.kind not in KINDS or not 1 <= wire.id <= MAX_ID or not is_user(wire.author):
        return None
    if author is not None and wire.author != author:
        raise UnreadableEvent("an event of another author than its exchange")
    return make_event(wire.id, wire.kind, wire.author, wire.post, bytes(wire.body), wire.at)


def parse_own(data: bytes) -> Event | None:
    """
    The event in what `make_event` has written, read in one pass; None when the bytes may be
    anything else, or are wrong.
    """
    match = _OWN.match(data)
    if match is None:
        return None
    id, name, author, post, body = match.groups()
    kind = _KIND_OF.get(name)
    if kind is None:
        return None
    try:
        check_json(body)
        friend = _friend_in(body) if kind in FRIEND_KINDS else None
    except UnreadableEvent:
        return None
    # The other fields hold nothing unsafe, so these are the bytes that `make_event` would write.
    return Event(
        int(id),
        kind,
        author.decode(),
        None if post == b"null" else int(post),
        friend,
        safe_json(data),
    )


def without_body(event: Event) -> Event:
    """The same event of a post that has been deleted since: all but its body, which is ``{}``."""
    wire = msgspec.json.decode(event.json, type=_Wire)
    return make_event(event.id, event.kind, event.author, event.post, b"{}", wire.at)


def foreign_message(data: bytes, author: str, seed: bytes, at: int) -> Event:
    """
    The live event of kind ``message`` for a JSON document of any other shape that `author`'s
    exchange carried.

    Its id is negative, so that it can never be a row of the log, and fits a JavaScript number (53
    bits).

    :param seed: the id is made from it. With the message-id of its producer every process gives
        the same message the same id; where there is none each message has a seed of its own.
    :raises UnreadableEvent: when it is not JSON.
    """
    check_json(data)
    digest = hashlib.blake2b(seed, digest_size=8, key=author.encode()).digest()
    return make_event(-1 - (int.from_bytes(digest, "big") >> 12), "message", author, None, data, at)


def _friend_in(body: bytes) -> str:
    try:
        friend = msgspec.json.decode(body, type=_FriendBody).friend
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableEvent(str(error)) from None
    if not is_user(friend):
        raise UnreadableEvent("not a user: the friend")
    return friend
