"""
A hint: a message without a seal that looks like an event. Whoever wrote the row may ring for it;
only the row is believed.
"""

import msgspec

from feedd.core.event import KINDS, MAX_DEPTH, MAX_ID, UnreadableEvent, check_json


class _Hint(msgspec.Struct):
    id: int
    kind: str
    author: str


def parse_hint(data: bytes, author: str) -> int | None:
    """
    The id of the row that this message speaks of; None when it is a JSON document of another shape.

    :param author: the author whose exchange it came from.
    :raises UnreadableEvent: when it is not JSON, or speaks of what cannot be a row of `author`.
    """
    check_json(data, 1 + MAX_DEPTH)  # a body, which may be as deep as a row's, and around it
    try:
        hint = msgspec.json.decode(data, type=_Hint)
    except msgspec.ValidationError:
        return None
    if hint.kind not in KINDS:
        return None
    if not 1 <= hint.id <= MAX_ID:
        raise UnreadableEvent("an event whose id can be none")
    if hint.author != author:
        raise UnreadableEvent("an event of another author than its exchange")
    return hint.id
