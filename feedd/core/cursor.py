"""
A cursor says which events of the log a viewer has.

Its text is ``<epoch>.<settled>[-<hole>…][.<id>…][~<handle>]``, for example
``k3.1042-1031-1036_1040.1044.1047~9f2c``. A hole is an id, or the first and the last one of a run.
"""

import re
from itertools import pairwise
from typing import NamedTuple

from feedd.core.event import MAX_ID
from feedd.core.horizon import MAX_HOLES, MAX_IDS
from feedd.core.runs import NO_RUNS, Runs, runs_of_spans

MAX_TEXT = 10_400
"""Characters that are looked at; the longest cursor that is given out is shorter."""

_TEXT = re.compile(
    r"([A-Za-z0-9]{1,16})\.(\d{1,16})((?:-\d{1,16}(?:_\d{1,16})?)*)((?:\.\d{1,16})*)"
    r"(?:~([A-Za-z0-9]{1,32}))?\Z",
    re.ASCII,
)


class BadCursor(ValueError):
    """The text is not a cursor."""


class Cursor(NamedTuple):
    """
    The events that a viewer has.

    :ivar epoch: the database that the ids are of.
    :ivar settled: the viewer has every event with an id up to here but for the holes,
    :ivar ids: and these above it, ascending, `MAX_IDS` at most.
    :ivar handle: the subscription that issued it in the process that answered; "" for none. It only
        makes the next poll there cheaper.
    :ivar holes: ids that may still appear below ``settled``, `MAX_HOLES` runs at most.
    """

    epoch: str
    settled: int
    ids: tuple[int, ...] = ()
    handle: str = ""
    holes: Runs = NO_RUNS

    def text(self) -> str:
        """The cursor as it is sent and received."""
        holes = "".join([_hole(first, last) for first, last in self.holes.spans])
        ids = "".join([f".{id}" for id in self.ids])
        handle = f"~{self.handle}" if self.handle else ""
        return f"{self.epoch}.{self.settled}{holes}{ids}{handle}"


def parse_cursor(text: str) -> Cursor:
    """
    The cursor that `text` spells.

    :raises BadCursor: when it is malformed or too long, when its ids do not ascend from ``settled``
        or exceed `MAX_ID`, or when its holes do not ascend to it.
    """
    match = _TEXT.match(text) if len(text) <= MAX_TEXT else None
    if match is None:
        raise BadCursor("not of the form epoch.settled-hole.id~handle")
    epoch, settled_text, holes_text, ids_text, handle = match.groups("")
    settled = int(settled_text)
    ids = tuple(map(int, ids_text.split(".")[1:]))
    if len(ids) > MAX_IDS or not _ascend((settled, *ids)):
        raise BadCursor("its ids do not ascend")
    if (ids[-1] if ids else settled) > MAX_ID:
        raise BadCursor("its ids are too large")
    return Cursor(epoch, settled, ids, handle, _parse_holes(holes_text, settled))


def _parse_holes(text: str, settled: int) -> Runs:
    spans = []
    for hole in text.split("-")[1:]:
        first, _, last = hole.partition("_")
        spans.append((int(first), int(last) if last else int(first)))
    bounds = [bound for first, last in spans for bound in (first, last + 1)]
    if len(spans) > MAX_HOLES or not _ascend((0, *bounds)) or (spans and bounds[-1] > settled + 1):
        raise BadCursor("its holes do not ascend")
    return runs_of_spans(spans)


def _ascend(numbers: tuple[int, ...]) -> bool:
    return all(low < high for low, high in pairwise(numbers))


def _hole(first: int, last: int) -> str:
    return f"-{first}" if first == last else f"-{first}_{last}"
