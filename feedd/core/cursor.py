"""
Where a viewer stands in the log.

``<epoch>.<settled>[.<id>.<id>…][~<handle>]``, for example ``k3.1042.1044.1047~9f2c``. This module
knows the text and its limits. It does not know the log.
"""

import re
from typing import NamedTuple

MAX_IDS = 200
MAX_TEXT = 6000

_TEXT = re.compile(
    r"([A-Za-z0-9]{1,16})\.(\d{1,18}(?:\.\d{1,18})*)(?:~([A-Za-z0-9]{1,32}))?\Z", re.ASCII
)


class BadCursor(ValueError):
    """The text is not a cursor."""


class Cursor(NamedTuple):
    """
    What a viewer already has.

    :ivar epoch: which database.
    :ivar settled: every event with an id up to here.
    :ivar ids: and these above it, ascending, `MAX_IDS` at most.
    :ivar handle: the subscription of the process that answered; a short cut only, "" for none.
    """

    epoch: str
    settled: int
    ids: tuple[int, ...] = ()
    handle: str = ""

    def text(self) -> str:
        """The cursor as it travels."""
        numbers = ".".join(map(str, (self.settled, *self.ids[-MAX_IDS:])))
        return f"{self.epoch}.{numbers}~{self.handle}" if self.handle else f"{self.epoch}.{numbers}"


def parse_cursor(text: str) -> Cursor:
    """
    The cursor that `text` spells.

    :raises BadCursor: when it is malformed, too long, or its ids do not ascend from `settled`.
    """
    match = _TEXT.match(text) if len(text) <= MAX_TEXT else None
    if match is None:
        raise BadCursor("not of the form epoch.settled.id~handle")
    settled, *ids = map(int, match[2].split("."))
    if len(ids) > MAX_IDS or any(
        low >= high for low, high in zip([settled, *ids], ids, strict=False)
    ):
        raise BadCursor("its ids do not ascend")
    return Cursor(match[1], settled, tuple(ids), match[3] or "")
