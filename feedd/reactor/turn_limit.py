"""
A limit of how much the reactor reads in one turn.

Twisted's epoll reactor takes everything that is ready: with ten thousand connections that ask at
once that is a tenth of a second or more, in which nothing else has its turn, nor has the rest of a
fan-out. The kernel reports what is ready first come, first served, so a limit starves nobody.
"""

import select
from typing import Any

from feedd.reactor.insides import wrap_epoll


class LimitedEpoll:
    """An epoll, as far as Twisted's reactor needs one, that reports `most` events at a time."""

    def __init__(self, epoll: select.epoll, most: int) -> None:
        self.register = epoll.register
        self.modify = epoll.modify
        self.unregister = epoll.unregister
        self._poll = epoll.poll
        self._most = most

    def poll(self, timeout_seconds: float, maxevents: int) -> list[tuple[int, int]]:
        """The events that come within `timeout_seconds`; -1 waits without an end."""
        return self._poll(timeout_seconds, min(maxevents, self._most))


def limit_turns(reactor: Any, most: int) -> None:
    """
    Let `reactor` take `most` events in a turn at most, if it is Twisted's epoll reactor; any other
    is left as it is.
    """
    wrap_epoll(reactor, lambda epoll: LimitedEpoll(epoll, most))
