"""
How much the reactor reads in one turn.

Twisted's epoll reactor takes everything that is ready: with ten thousand connections that ask at
once that is a tenth of a second or more, in which nothing else has its turn, nor has the rest of a
fan-out. The kernel reports what is ready first come, first served, so a limit starves nobody. This
module knows an epoll. It does not know what is read.
"""

import select
from typing import Any


class Turns:
    """An epoll, as far as Twisted needs one, that reports `most` events at a time at most."""

    def __init__(self, epoll: select.epoll, most: int) -> None:
        self.register = epoll.register
        self.modify = epoll.modify
        self.unregister = epoll.unregister
        self._poll = epoll.poll
        self._most = most

    def poll(self, timeout: float, maxevents: int) -> list[tuple[int, int]]:
        """What is ready, or becomes so within `timeout` seconds; -1: ever."""
        return self._poll(timeout, min(maxevents, self._most))


def limit_turns(reactor: Any, most: int) -> None:
    """
    Let `reactor` take `most` events in a turn at most, if it is Twisted's epoll reactor; any other
    is left as it is.
    """
    epoll = getattr(reactor, "_poller", None)
    if isinstance(epoll, select.epoll):
        reactor._poller = Turns(epoll, most)
