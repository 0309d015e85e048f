"""
A new friend list takes effect: a viewer comes to hear those on it, and nobody else.

Only the difference costs anything, and a long list is taken in chunks, between which the process
does other things.
"""

from bisect import bisect_right
from collections.abc import Sequence, Set

from feedd.core.audience import Audiences, author_of
from feedd.core.viewer import Viewer

LONG = 1_000
"""
Friends from which on the list itself is kept, to be known again when it comes again. For each of
them it may be 60 bytes, where what hearing one costs is several hundred.
"""


class NewList:
    """
    The way of one viewer to a new friend list.

    :param chunk: names on either side that a step takes.
    :ivar friends: the list, ascending.
    :ivar done: the whole of it has been taken.
    :ivar changed: friends whose change has come in meanwhile; the list may be older than that.
    """

    __slots__ = ("_at", "_chunk", "_upto", "changed", "done", "friends")

    def __init__(self, friends: Sequence[str], chunk: int) -> None:
        self.friends = friends
        self.done = False
        self.changed: set[str] = set()
        self._at = 0
        self._chunk = chunk
        self._upto = ""

    @property
    def is_worth_keeping(self) -> bool:
        """Whether the viewer hears just those on it, and they are many."""
        return self.done and not self.changed and len(self.friends) >= LONG

    def step(self, viewer: Viewer, audiences: Audiences) -> tuple[int, Set[str]]:
        """
        Take the next chunk: all names, on the list and heard, up to some name. Returns how much
        work that was, and the authors whom `viewer` hears no more.
        """
        mine, at = viewer.audiences, self._at
        start = bisect_right(mine, self._upto, key=author_of)
        at_end, end = self._ends(viewer, start)
        wanted = list(self.friends[at:at_end])
        heard = [audience.author for audience in mine[start:end]]
        self._at = at_end
        if wanted == heard:
            return 1 + len(wanted) // 10, frozenset()
        known = set(heard)
        left = set(wanted) - self.changed - {viewer.name}
        new, dropped = sorted(left - known), known - left - self.changed
        self._replace(viewer, audiences, (start, end), new, dropped)
        return (len(wanted) + len(heard)) // 4 + len(new) + len(dropped), dropped

    def _ends(self, viewer: Viewer, start: int) -> tuple[int, int]:
        """Where the chunk that begins now ends, on the list and among those heard."""
        friends, mine, at, chunk = self.friends, viewer.audiences, self._at, self._chunk
        names = []
        if len(friends) > at + chunk:
            names.append(friends[at + chunk - 1])
        if len(mine) > start + chunk:
            names.append(mine[start + chunk - 1].author)
        if not names:
            self.done = True
            return len(friends), len(mine)
        self._upto = min(names)
        return (
            bisect_right(friends, self._upto, at),
            bisect_right(mine, self._upto, start, key=author_of),
        )

    def _replace(
        self,
        viewer: Viewer,
        audiences: Audiences,
        span: tuple[int, int],
        new: Sequence[str],
        dropped: Set[str],
    ) -> None:
        start, end = span
        mine, stay = viewer.audiences, []
        for audience in mine[start:end]:
            if audience.author in dropped:
                audiences.leave(viewer, audience)
            else:
                stay.append(audience)
        stay += audiences.join(viewer, new)
        stay.sort(key=author_of)
        if end - start == len(mine):
            viewer.audiences = list(stay)  # a list that has grown has room to spare, a copy has not
        else:
            mine[start:end] = stay
