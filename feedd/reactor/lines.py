"""Items that wait, one line for each key; the lines take turns."""

from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Lines(Generic[T]):
    """
    A queue in which nobody waits for the many items of another: after an item of one key comes one
    of the next. Items of one key keep their order.
    """

    def __init__(self) -> None:
        self._first: deque[T] = deque()
        self._lines: OrderedDict[Hashable, deque[T]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        """How many items wait."""
        return self._count

    def put(self, item: T, key: Hashable = None) -> None:
        """Add an item to the line of `key`."""
        self._count += 1
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = deque()
        line.append(item)

    def put_first(self, item: T) -> None:
        """Add an item that comes before all lines, and after others like it."""
        self._count += 1
        self._first.append(item)

    def peek(self) -> T:
        """Return the next item, which stays; there is to be one."""
        return self._first[0] if self._first else self._lines[next(iter(self._lines))][0]

    def take(self) -> T:
        """Remove the next item and return it. Raises `LookupError` when none waits."""
        if self._first:
            item = self._first.popleft()
        else:
            key, line = self._lines.popitem(last=False)
            item = line.popleft()
            if line:
                self._lines[key] = line
        self._count -= 1
        return item
