"""
Notices that this process can open no more files, and so accept no connection.

The reactor closes a new connection then, and says so to the log each time; who looks at the process
would find it well.
"""

import os
from collections.abc import Callable

from feedd.reactor.complaints import Complain


def _open_one() -> None:
    os.close(os.open(os.devnull, os.O_RDONLY))


class OpenFiles:
    """
    Whether a file can be opened.

    :ivar trouble: why not, in the system's words; "" when one can.
    """

    def __init__(self, complain: Complain, open_one: Callable[[], None] = _open_one) -> None:
        """:param open_one: opens a file and closes it."""
        self.trouble = ""
        self._complain = complain
        self._open_one = open_one

    def look(self) -> None:
        """Try it; counts ``files_exhausted`` each time that it cannot be done."""
        try:
            self._open_one()
        except OSError as error:
            self.trouble = f"{error.strerror}: raise LimitNOFILE"
            self._complain("files_exhausted", self.trouble)
        else:
            self.trouble = ""
