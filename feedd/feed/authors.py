"""
The authors whom one viewer hears, looked at without building a set of a long list.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence

LONG = 1_000
"""Friends up to which a set is built: 30 us; a search in the list costs 1 us each."""


def is_among(names: Sequence[str], name: str) -> bool:
    """Whether `name` is among `names`, which ascend."""
    place = bisect_left(names, name)
    return place < len(names) and names[place] == name


def authors_of(viewer: str, friends: Sequence[str]) -> Collection[str]:
    """`viewer` and their `friends`, which ascend."""
    return {viewer, *friends} if len(friends) < LONG else LongList(viewer, friends)


class LongList(Collection[str]):
    """A user and their friends: the set of them without a copy."""

    def __init__(self, viewer: str, friends: Sequence[str]) -> None:
        """:param friends: ascending, without `viewer`."""
        self._viewer = viewer
        self._friends = friends

    def __len__(self) -> int:
        return 1 + len(self._friends)

    def __iter__(self) -> Iterator[str]:
        yield self._viewer
        yield from self._friends

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (name == self._viewer or is_among(self._friends, name))
