"""
What every implementation of `feedd.feed.ports.Friends` promises, run over lists in this process and
in memcached.

A test is a coroutine; `drive` of the implementation's test case runs it, with a clock of the test
or on the reactor.
"""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred

from feedd.core.counters import Counters
from feedd.feed.ports import Friends, Unavailable


class Loader:
    """
    The database of a test.

    :ivar lists: what it holds, by viewer.
    :ivar calls: the viewers that were asked for, in order.
    :ivar questions: how often it was asked, for however many.
    :ivar error: when set, what a load raises.
    """

    def __init__(self) -> None:
        self.lists: dict[str, tuple[str, ...]] = {}
        self.calls: list[str] = []
        self.questions = 0
        self.error: Exception | None = None
        self._gates: list[tuple[Deferred[None], Deferred[None]]] = []

    def hold(self) -> tuple[Deferred[None], Deferred[None]]:
        """
        Hold the next load after it has read: fires the first Deferred when it has; goes on when the
        second is fired.
        """
        gate: tuple[Deferred[None], Deferred[None]] = Deferred(), Deferred()
        self._gates.append(gate)
        return gate

    async def __call__(self, viewers: Sequence[str]) -> dict[str, tuple[str, ...]]:
        self.calls += viewers
        self.questions += 1
        if self.error is not None:
            raise self.error
        read = {viewer: self.lists.get(viewer, ()) for viewer in viewers}
        if self._gates:
            started, go_on = self._gates.pop(0)
            started.callback(None)
            await go_on
        return read


class Case(Protocol):
    """What the contract asks of a test case."""

    counters: Counters

    def assertEqual(self, first: object, second: object) -> None: ...
    def assertIs(self, first: object, second: object) -> None: ...

    def drive(self, test: Coroutine[Deferred[Any], Any, None]) -> Any:
        """Run a test to its end; what trial is to wait for."""

    def friends(self, load: Loader) -> Awaitable[Friends]:
        """An implementation that is ready, with an empty cache."""


def start(friends: Friends, viewer: str) -> Deferred[tuple[str, ...]]:
    """Begin to ask."""
    return Deferred.fromCoroutine(friends.of(viewer))


def contract(
    test: Callable[[Any, Loader, Friends], Coroutine[Deferred[Any], Any, None]],
) -> Callable[[Case], Any]:
    """A test method that gives `test` a loader and an implementation over it."""

    def method(self: Case) -> Any:
        async def run() -> None:
            load = Loader()
            await test(self, load, await self.friends(load))

        return self.drive(run())

    method.__doc__ = test.__doc__
    method.__name__ = test.__name__
    return method


class FriendsContract:
    """Mix into a test case that is a `Case`."""

    @contract
    async def test_says_what_the_load_says(self: Case, load: Loader, friends: Friends) -> None:
        """A list nobody has asked for comes from the load."""
        load.lists["ann"] = ("bob", "cid")
        self.assertEqual(await friends.of("ann"), ("bob", "cid"))

    @contract
    async def test_keeps_it(self: Case, load: Loader, friends: Friends) -> None:
        """The second asker costs no load; an empty list is a list too."""
        load.lists["ann"] = ("bob",)
        for _ in range(2):
            self.assertEqual(await friends.of("ann"), ("bob",))
            self.assertEqual(await friends.of("eve"), ())
        self.assertEqual(load.calls, ["ann", "eve"])

    @contract
    async def test_viewers_are_apart(self: Case, load: Loader, friends: Friends) -> None:
        """One viewer's list is not another's, and forgetting one keeps the other."""
        load.lists = {"ann": ("bob",), "Ann": ("cid",)}
        for _ in range(2):
            self.assertEqual(
                [await friends.of("ann"), await friends.of("Ann")], [("bob",), ("cid",)]
            )
        await friends.forget(["Ann"])
        self.assertEqual([await friends.of("ann"), await friends.of("Ann")], [("bob",), ("cid",)])
        self.assertEqual(load.calls, ["ann", "Ann", "Ann"])

    @contract
    async def test_one_load_for_many(self: Case, load: Loader, friends: Friends) -> None:
        """A thousand askers of one list cost one load."""
        load.lists["ann"] = ("bob",)
        started, go_on = load.hold()
        askers = [start(friends, "ann") for _ in range(1000)]
        await started
        go_on.callback(None)
        self.assertEqual({await asker for asker in askers}, {("bob",)})
        self.assertEqual(load.calls, ["ann"])

    @contract
    async def test_many_viewers_at_once(self: Case, load: Loader, friends: Friends) -> None:
        """
        Two hundred viewers cost a few questions, each is given their own list, and all lists are
        kept.
        """
        viewers = [f"viewer-{number}" for number in range(200)]
        load.lists = {viewer: ("bob", f"friend-of-{viewer}") for viewer in viewers}
        for _ in range(2):
            askers = [start(friends, viewer) for viewer in viewers]
            self.assertEqual(
                {viewer: await asker for viewer, asker in zip(viewers, askers, strict=True)},
                load.lists,
            )
        self.assertEqual((sorted(load.calls), load.questions < 5), (sorted(viewers), True))

    @contract
    async def test_forget_one_of_many(self: Case, load: Loader, friends: Friends) -> None:
        """A change during a load of many lists costs the one list that it changed, and no other."""
        started, go_on = load.hold()
        askers = [start(friends, viewer) for viewer in ("ann", "eve", "joe")]
        await started
        load.lists["eve"] = ("bob",)
        await friends.forget(["eve"])
        go_on.callback(None)
        self.assertEqual([await asker for asker in askers], [(), (), ()])
        self.assertEqual(
            [await friends.of(viewer) for viewer in ("ann", "eve", "joe")], [(), ("bob",), ()]
        )
        self.assertEqual(load.calls, ["ann", "eve", "joe", "eve"])

    @contract
    async def test_errors_of_many(self: Case, load: Loader, friends: Friends) -> None:
        """
        A load of many lists that fails, fails all of them, also when one asker has gone; later ones
        are answered.
        """
        load.error = Unavailable("database", "away")
        gone, *askers = [start(friends, viewer) for viewer in ("ann", "eve", "joe")]
        gone.addErrback(lambda failure: failure.trap(CancelledError) and ())
        gone.cancel()
        heard: list[Exception] = []
        for asker in askers:
            try:
                await asker
            except Unavailable as error:
                heard.append(error)
        self.assertEqual(heard, [load.error, load.error])
        load.error = None
        self.assertEqual([await friends.of(viewer) for viewer in ("ann", "eve")], [(), ()])

    @contract
    async def test_one_asker_goes(self: Case, load: Loader, friends: Friends) -> None:
        """An asker who goes away, even the first one, takes nobody along."""
        load.lists["ann"] = ("bob",)
        started, go_on = load.hold()
        first, second, third = (start(friends, "ann") for _ in range(3))
        await started
        first.cancel()
        third.cancel()
        go_on.callback(None)
        self.assertEqual(await second, ("bob",))
        for gone in first, third:
            try:
                await gone
            except CancelledError:
                continue
            raise AssertionError("it was cancelled")
        self.assertEqual(load.calls, ["ann"])

    @contract
    async def test_all_askers_go(self: Case, load: Loader, friends: Friends) -> None:
        """When all askers went away, the next one is answered all the same."""
        load.lists["ann"] = ("bob",)
        started, go_on = load.hold()
        only = start(friends, "ann").addErrback(lambda failure: failure.trap(CancelledError) and ())
        await started
        only.cancel()
        go_on.callback(None)
        self.assertEqual(await friends.of("ann"), ("bob",))

    @contract
    async def test_errors(self: Case, load: Loader, friends: Friends) -> None:
        """A load that fails fails all who ask meanwhile, and nobody later."""
        load.lists["ann"] = ("bob",)
        load.error = Unavailable("database", "away")
        heard: list[Exception] = []
        for asker in [start(friends, "ann"), start(friends, "ann")]:
            try:
                await asker
            except Unavailable as error:
                heard.append(error)
        self.assertEqual(heard, [load.error, load.error])
        load.error = None
        self.assertEqual(await friends.of("ann"), ("bob",))

    @contract
    async def test_forget(self: Case, load: Loader, friends: Friends) -> None:
        """After a change the new list is said."""
        self.assertEqual(await friends.of("ann"), ())
        load.lists["ann"] = ("bob",)
        await friends.forget(["ann", "ann", "bob"])
        self.assertEqual(await friends.of("ann"), ("bob",))

    @contract
    async def test_forget_nobody(self: Case, load: Loader, friends: Friends) -> None:
        """To forget nobody, or whom nobody asked for, is no error."""
        await friends.forget([])
        await friends.forget({"ann"})
        self.assertEqual(load.calls, [])

    @contract
    async def test_forget_during_a_load(self: Case, load: Loader, friends: Friends) -> None:
        """
        A caller after a change does not get the list that a load read before it, now or later.
        """
        started, go_on = load.hold()
        early = start(friends, "ann")
        await started
        load.lists["ann"] = ("bob",)
        await friends.forget(["ann"])
        late = await friends.of("ann")
        go_on.callback(None)
        self.assertEqual(await early, ())
        self.assertEqual(late, ("bob",))
        self.assertEqual(await friends.of("ann"), ("bob",))

    @contract
    async def test_loads_apart(self: Case, load: Loader, friends: Friends) -> None:
        """
        A load from before a change ends without ending the one from after it, which goes on taking
        askers.
        """
        started, go_on = load.hold()
        early = start(friends, "ann")
        await started
        load.lists["ann"] = ("bob",)
        await friends.forget(["ann"])
        started_too, go_on_too = load.hold()
        late = start(friends, "ann")
        await started_too
        go_on.callback(None)
        self.assertEqual(await early, ())
        last = start(friends, "ann")
        go_on_too.callback(None)
        self.assertEqual([await late, await last], [("bob",), ("bob",)])
        self.assertEqual(load.calls, ["ann", "ann"])

    @contract
    async def test_forget_at_once(self: Case, load: Loader, friends: Friends) -> None:
        """A caller while `forget` is still under way gets the new list already."""
        await friends.of("ann")
        load.lists["ann"] = ("bob",)
        forgotten = Deferred.fromCoroutine(friends.forget(["ann"]))
        self.assertEqual(await friends.of("ann"), ("bob",))
        await forgotten

    @contract
    async def test_forget_many(self: Case, load: Loader, friends: Friends) -> None:
        """20,000 viewers are forgotten in one call."""
        viewers = [f"viewer-{number}" for number in range(20_000)]
        asked = viewers[::1000]
        for viewer in asked:
            await friends.of(viewer)
            load.lists[viewer] = ("new",)
        await friends.forget(viewers)
        self.assertEqual({await friends.of(viewer) for viewer in asked}, {("new",)})
