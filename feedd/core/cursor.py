"""
A cursor says which events of the log a viewer has.

Its text is ``<epoch>.<settled>[.<id>.<id>…][~<handle>]``, for example ``k3.1042.1044.1047~9f2c``.
"""

import re
from typing import NamedTuple

from feedd.core.event import MAX_ID

MAX_IDS = 200
"""Ids above the watermark in one cursor; of more than these the oldest are left out."""
MAX_TEXT = 6000
"""Characters that are looked at; the longest cursor that is given out is shorter."""

_TEXT = re.compile(
    r"([A-Za-z0-9]{1,16})\.(\d{1,16}(?:\.\d{1,16})*)(?:~([A-Za-z0-9]{1,32}))?\Z", re.ASCII
)


class BadCursor(ValueError):
    """The text is not a cursor."""


class Cursor(NamedTuple):
    """
    The events that a viewer has.

    :ivar epoch: the database that the ids are of.
    :ivar settled: the viewer has every event with an id up to here,
    :ivar ids: and these above it, ascending, `MAX_IDS` at most.
    :ivar handle: the subscription that issued it in the process that answered; "" for none. It only
        makes the next poll there cheaper.
    """

    epoch: str
    settled: int
    ids: tuple[int, ...] = ()
    handle: str = ""

    def text(self) -> str:
        """The cursor as it is sent and received."""
        numbers = ".".join(map(str, (self.settled, *self.ids[-MAX_IDS:])))
        return f"{self.epoch}.{numbers}~{self.handle}" if self.handle else f"{self.epoch}.{numbers}"


def parse_cursor(text: str) -> Cursor:
    """
    The cursor that `text` spells.

    :raises BadCursor: when it is malformed or too long, or when its ids do not ascend from
        ``settled`` or exceed `MAX_ID`.
    """
    match = _TEXT.match(text) if len(text) <= MAX_TEXT else None
    if match is None:
        raise BadCursor("not of the form epoch.settled.id~handle")
    settled, *ids = map(int, match[2].split("."))
    if len(ids) > MAX_IDS or any(
        low >= high for low, high in zip([settled, *ids], ids, strict=False)
    ):
        raise BadCursor("its ids do not ascend")
    if (ids[-1] if ids else settled) > MAX_ID:
        raise BadCursor("its ids are too large")
    return Cursor(match[1], settled, tuple(ids), match[3] or "")
