"""A turn of the reactor is limited, and nobody is left out."""

import os
import select
from collections import Counter
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from feedd.reactor.turn_limit import LimitedEpoll, limit_turns


class Reactor:
    """One that may have an epoll."""

    def __init__(self, poller: Any) -> None:
        self._poller = poller

    @property
    def poller(self) -> Any:
        """Its epoll, or what stands in its place."""
        return self._poller


class LimitTests(SynchronousTestCase):
    """`limit_turns`, on pipes."""

    def setUp(self) -> None:
        epoll = select.epoll()
        self.addCleanup(epoll.close)
        reactor = Reactor(epoll)
        limit_turns(reactor, 3)
        self.epoll = reactor.poller

    def ready(self, number: int) -> list[int]:
        """So many descriptors that have something to read."""
        found = []
        for _ in range(number):
            readable, writable = os.pipe()
            for descriptor in (readable, writable):
                self.addCleanup(os.close, descriptor)
            os.write(writable, b"x")
            self.epoll.register(readable, select.EPOLLIN)
            found.append(readable)
        return found

    def test_limited(self) -> None:
        """
        A turn has so many events and no more; each of all that are ready has its turn as often as
        the others.
        """
        descriptors = self.ready(8)
        seen: Counter[int] = Counter()
        for _ in range(8):
            events = self.epoll.poll(0, 100)
            self.assertEqual(len(events), 3)
            seen.update(descriptor for descriptor, _ in events)
        self.assertEqual(seen, Counter(dict.fromkeys(descriptors, 3)))

    def test_fewer(self) -> None:
        """A smaller limit of the reactor's own holds."""
        self.ready(4)
        self.assertEqual(len(self.epoll.poll(0, 2)), 2)

    def test_changed(self) -> None:
        """Descriptors can be changed and taken out as ever."""
        first, second = self.ready(2)
        self.epoll.modify(first, select.EPOLLPRI)
        self.assertEqual(self.epoll.poll(0, 9), [(second, select.EPOLLIN)])
        self.epoll.unregister(second)
        self.assertEqual(self.epoll.poll(0, 9), [])

    def test_another_reactor(self) -> None:
        """One without an epoll is left alone."""
        for poller in (None, "select"):
            other = Reactor(poller)
            limit_turns(other, 3)
            self.assertIs(other.poller, poller)
        self.assertIsInstance(self.epoll, LimitedEpoll)
