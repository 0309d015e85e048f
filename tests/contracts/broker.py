"""
What every implementation of `feedd.feed.ports.Broker` promises, run within one process and over
RabbitMQ.

A test is a coroutine; `drive` of the implementation's test case runs it.
"""

import secrets
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from feedd.core.event import Event, make_event
from feedd.feed.ports import Broker

BODIES = (
    b'{"text":"plain"}',
    '{"text":"héllo 😀 日本"}'.encode(),
    '{"text":"\u2028 \u2029"}'.encode(),
    b'{"text":"</script> \\" \\u0000 \\n"}',
    b'{"text":"' + b"x" * 65_536 + b'"}',
    b'{"text":"' + "😀".encode() * 50_000 + b'"}',
)


class Case(Protocol):
    """
    What the contract asks of a test case.

    :ivar heard: the events delivered so far, in order.
    """

    heard: list[Event]

    def assertEqual(self, first: object, second: object) -> None: ...

    def drive(self, test: Coroutine[Deferred[Any], Any, None]) -> Any:
        """Run a test to its end; what trial is to wait for."""

    def broker(self) -> Awaitable[Broker]:
        """An implementation that is up and delivers to `heard`; it lingers for a moment only."""

    def settle(self, broker: Any) -> Awaitable[None]:
        """Return when every follow and unfollow so far has taken effect, lingering over."""

    def wait_for(self, events: int) -> Awaitable[None]:
        """Return when so many events were heard, or fail."""

    def send_away(self, broker: Any) -> Awaitable[None]:
        """Take the network away from under the implementation."""


def contract(
    test: Callable[[Any, Broker], Coroutine[Deferred[Any], Any, None]],
) -> Callable[[Case], Any]:
    """A test method that gives `test` an implementation."""

    def method(self: Case) -> Any:
        async def run() -> None:
            await test(self, await self.broker())

        return self.drive(run())

    method.__doc__ = test.__doc__
    method.__name__ = test.__name__
    return method


def someone() -> str:
    """An author nobody has heard of; brokers outlive a test."""
    return f"u-{secrets.token_hex(8)}"


def posts(author: str, count: int = 1, first: int = 1) -> Sequence[Event]:
    """Events of `author` with ids from `first` on."""
    return [
        make_event(number, "post", author, number, b'{"text":"hi"}', 1000)
        for number in range(first, first + count)
    ]


class BrokerContract:
    """Mix into a test case that is a `Case`."""

    @contract
    async def test_up(self: Case, broker: Broker) -> None:
        """When it is up it has no trouble."""
        self.assertEqual((broker.up, broker.trouble), (True, ""))

    @contract
    async def test_followed(self: Case, broker: Broker) -> None:
        """
        What is published for an author who is followed arrives byte for byte, whatever is in it.
        """
        author = someone()
        broker.follow(author)
        await self.settle(broker)
        events = [
            make_event(number, "post", author, 7, body, 1000)
            for number, body in enumerate(BODIES, 1)
        ]
        broker.publish(events)
        await self.wait_for(len(events))
        self.assertEqual(self.heard, events)
        self.assertEqual([event.json for event in self.heard], [event.json for event in events])

    @contract
    async def test_every_kind(self: Case, broker: Broker) -> None:
        """All kinds of events travel."""
        author = someone()
        broker.follow(author)
        await self.settle(broker)
        kinds = {
            "post": b"{}",
            "edit": b'{"a":1}',
            "delete": b"{}",
            "friend": b'{"friend":"b"}',
            "unfriend": b'{"friend":"b"}',
        }
        events = [
            make_event(id, kind, author, None, body, 5)
            for id, (kind, body) in enumerate(kinds.items(), 1)
        ]
        broker.publish(events)
        await self.wait_for(len(events))
        self.assertEqual(self.heard, events)

    @contract
    async def test_not_followed(self: Case, broker: Broker) -> None:
        """What others publish does not arrive."""
        author, stranger = someone(), someone()
        broker.follow(author)
        await self.settle(broker)
        broker.publish([*posts(stranger), *posts(author)])
        await self.wait_for(1)
        await self.settle(broker)
        self.assertEqual(self.heard, posts(author))

    @contract
    async def test_unfollowed(self: Case, broker: Broker) -> None:
        """
        What an author publishes who is not followed any more does not arrive, once that has taken
        effect.
        """
        author, other = someone(), someone()
        broker.follow(author)
        broker.follow(other)
        broker.unfollow(author)
        await self.settle(broker)
        broker.publish([*posts(author), *posts(other)])
        await self.wait_for(1)
        self.assertEqual(self.heard, posts(other))

    @contract
    async def test_follow_twice(self: Case, broker: Broker) -> None:
        """Following again is as good as once: an event arrives once, and one unfollow ends it."""
        author, other = someone(), someone()
        for name in (author, author, other):
            broker.follow(name)
        await self.settle(broker)
        broker.publish(posts(author))
        await self.wait_for(1)
        broker.unfollow(author)
        broker.unfollow(author)
        await self.settle(broker)
        broker.publish([*posts(author, first=2), *posts(other, first=3)])
        await self.wait_for(2)
        self.assertEqual([event.id for event in self.heard], [1, 3])

    @contract
    async def test_followed_again(self: Case, broker: Broker) -> None:
        """An author who was unfollowed can be followed again."""
        author = someone()
        for change in (broker.follow, broker.unfollow, broker.follow):
            change(author)
            await self.settle(broker)
        broker.publish(posts(author))
        await self.wait_for(1)
        self.assertEqual(self.heard, posts(author))

    @contract
    async def test_unfollowing_a_stranger(self: Case, broker: Broker) -> None:
        """Is nothing."""
        broker.unfollow(someone())
        await self.settle(broker)
        self.assertEqual(broker.up, True)

    @contract
    async def test_order(self: Case, broker: Broker) -> None:
        """The events of one author arrive in the order in which they were published."""
        author = someone()
        broker.follow(author)
        await self.settle(broker)
        events = posts(author, 500)
        broker.publish(events[:300])
        for event in events[300:]:
            broker.publish([event])
        await self.wait_for(500)
        self.assertEqual([event.id for event in self.heard], [event.id for event in events])

    @contract
    async def test_nobody_listens(self: Case, broker: Broker) -> None:
        """Publishing for an author whom nobody follows is no trouble, nor is publishing nothing."""
        broker.publish(posts(someone(), 3))
        broker.publish([])
        await self.settle(broker)
        self.assertEqual((broker.up, broker.trouble, self.heard), (True, "", []))

    @contract
    async def test_away(self: Case, broker: Broker) -> None:
        """Without the network every method still returns at once."""
        author = someone()
        await self.send_away(broker)
        broker.follow(author)
        broker.publish(posts(author, 3))
        broker.unfollow(author)
        broker.unfollow(author)
        self.assertEqual(isinstance(broker.up, bool) and isinstance(broker.trouble, str), True)
