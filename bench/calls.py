"""
Which functions are called: for `sys.setprofile`.
"""

from collections import Counter
from types import FrameType
from typing import Any

INLINE = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
"""No functions of their own; a newer Python calls them nothing."""


def name_of(frame: FrameType) -> str:
    """The function that runs in `frame`, as ``feedd.module.Class.function``."""
    return f"{frame.f_globals.get('__name__', '')}.{frame.f_code.co_qualname}"


class Calls:
    """
    A profile function (`sys.setprofile`) that notes the calls of a package's functions.

    :ivar calls: how often each was called, by name, in the order of the first calls.
    :ivar deepest: how many of them were on the stack at once.
    """

    def __init__(self, package: str = "feedd") -> None:
        self.calls: Counter[str] = Counter()
        self.deepest = 0
        self.stack: list[str] = []
        self._prefix = package + "."

    def clear(self) -> None:
        """Begin here, with what is on the stack now."""
        self.calls = Counter(self.stack)
        self.deepest = len(self.stack)

    def __call__(self, frame: FrameType, what: str, argument: Any) -> None:
        name = name_of(frame)
        if not name.startswith(self._prefix) or name.endswith(INLINE):
            return
        if what == "call":
            self.stack.append(name)
            self.calls[name] += 1
            self.deepest = max(self.deepest, len(self.stack))
        elif what == "return" and self.stack:
            self.stack.pop()


class Window(Calls):
    """
    What is called from the moment something is read from one connection.

    It ends with the last of `sends` things sent to the connections in `to`, or, when `to` is empty,
    when the read has been dealt with.
    """

    def __init__(self, reads_from: int, to: set[int], sends: int = 1) -> None:
        super().__init__()
        self.is_open = self.is_over = False
        self._from, self._to = reads_from, to
        self._listeners = self._sends = sends

    def __call__(self, frame: FrameType, what: str, argument: Any) -> None:
        if self.is_over:
            return
        if what == "c_call":
            self._system_call(argument)
            return
        super().__call__(frame, what, argument)
        self.is_over = self.is_open and what == "return" and not (self.stack or self._to)

    def _system_call(self, function: Any) -> None:
        if function.__name__ not in ("recv", "send"):
            return
        try:
            port = function.__self__.getpeername()[1]
        except (AttributeError, OSError):
            return
        if function.__name__ == "recv" and port == self._from and not self.is_open:
            self.is_open = True
            self.clear()
        elif function.__name__ == "send" and port in self._to and self.is_open:
            self._sends -= 1
            self.is_over = not self._sends

    def found(self) -> dict[str, Any]:
        """The figures."""
        return {
            "listeners": self._listeners,
            "functions": len(self.calls),
            "calls": self.calls.total(),
            "deepest": self.deepest,
            "names": list(self.calls),
        }
