"""Friend lists in this process."""

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from feedd.cache.local import LocalFriends
from feedd.core.counters import Counters
from feedd.feed.ports import Friends
from feedd.feed.settings import Cache
from tests.contracts.friends import FriendsContract, Loader


class LocalContract(FriendsContract, SynchronousTestCase):
    """The contract, over `LocalFriends`."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.counters = Counters()

    def drive(self, test: Coroutine[Deferred[Any], Any, None]) -> None:
        done = Deferred.fromCoroutine(test)
        self.clock.advance(0)
        self.successResultOf(done)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def friends(self, load: Loader) -> Friends:
        return LocalFriends(load, Cache(), self.clock, self.counters)


class Local(SynchronousTestCase):
    """What is its own: age and number."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.counters = Counters()
        self.load = Loader()
        self.friends = LocalFriends(
            self.load, Cache(friends_seconds=300, max_entries=2), self.clock, self.counters
        )

    def ask(self, *viewers: str) -> None:
        for viewer in viewers:
            asked = Deferred.fromCoroutine(self.friends.of(viewer))
            self.clock.advance(0)
            self.successResultOf(asked)

    def test_expires(self) -> None:
        """A list is kept for `friends_seconds`."""
        self.ask("ann")
        self.clock.advance(299)
        self.ask("ann")
        self.assertEqual(self.load.calls, ["ann"])
        self.clock.advance(1)
        self.ask("ann")
        self.assertEqual(self.load.calls, ["ann", "ann"])

    def test_bounded(self) -> None:
        """Over `max_entries` the list that was asked for longest ago goes, counted."""
        self.ask("ann", "bob", "ann", "cid", "ann")
        self.assertEqual(self.load.calls, ["ann", "bob", "cid"])
        self.ask("bob")
        self.assertEqual(self.load.calls, ["ann", "bob", "cid", "bob"])
        self.assertEqual(self.counters["cache_evictions"], 2)

    def test_counts(self) -> None:
        """Hits and misses are counted."""
        self.ask("ann", "ann", "ann")
        self.assertEqual((self.counters["cache_hits"], self.counters["cache_misses"]), (2, 1))

    def test_never_away(self) -> None:
        """There is nothing that could be away."""
        self.assertEqual((self.friends.up, self.friends.trouble), (True, ""))
