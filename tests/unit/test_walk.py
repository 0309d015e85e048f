"""
The walks in ``docs/architecture.rst``: the functions that park a poll, and hand an event on from a
frame of AMQP to the socket of a browser, are those that run.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from bench.calls import INLINE, name_of
from feedd.amqp.broker import AMQPBroker
from feedd.amqp.inbox import Receiver
from feedd.core.counters import Counters
from feedd.core.event import make_event
from feedd.feed.settings import Broker
from feedd.reactor.link import Host
from tests.browser import Browser, House
from tests.sealed import SEALED_WITH, sealed
from tests.sockets import Socket
from tests.unit.amqp_peer import FakeRabbit

DOCUMENT = Path(__file__).parents[2] / "docs" / "architecture.rst"
WALK = re.compile(r"\.\. begin walk\n(.*?)\.\. end walk\n", re.DOTALL)
STEP = re.compile(r"^\d+\. ``([\w.]+)``", re.MULTILINE)
POST = make_event(1, "post", "alice", 1, b'{"text":"hi"}', 1000)


def written() -> list[list[str]]:
    """The walk as the document has it: for each of its lists the functions."""
    (walk,) = WALK.findall(DOCUMENT.read_text())
    lists = re.split(r"^1\. ", walk, flags=re.MULTILINE)[1:]
    return [STEP.findall("1. " + each) for each in lists]


class Stacks:
    """
    A profile function that notes by whom functions of feedd were called, one calling the next.

    :ivar calls: for each function that was called, all of feedd's that were under way, itself last.
    """

    def __init__(self) -> None:
        self.calls: dict[str, list[str]] = {}

    def __call__(self, frame: FrameType, what: str, argument: Any) -> None:
        name = name_of(frame)
        if what == "call" and name.startswith("feedd.") and not name.endswith(INLINE):
            self.calls[name.removeprefix("feedd.")] = list(stack_of(frame))[::-1]

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note what is called now."""
        sys.setprofile(self)
        try:
            yield
        finally:
            sys.setprofile(None)


def stack_of(frame: FrameType | None) -> Iterator[str]:
    """The functions of feedd that are under way, the innermost first."""
    while frame is not None:
        name = name_of(frame)
        if name.startswith("feedd."):
            yield name.removeprefix("feedd.")
        frame = frame.f_back


class WalkTests(SynchronousTestCase):
    """Alice polls on a fast channel; the broker brings her post."""

    def setUp(self) -> None:
        self.house = House()
        self.house.open()
        self.rabbit = FakeRabbit(self.house.clock)
        self.broker = self._start_broker(Receiver(self.house.log.offer, self.house.feed.hints.add))
        self.wire = Socket()
        self.browser = Browser(self.house.fast_site(), self.wire)
        self.browser.ask("GET", "/feed/poll?as=alice&wait=0")
        (reply,) = self.browser.replies()
        self.poll = f"/feed/poll?as=alice&cursor={reply.json['cursor']}"

    def test_walk(self) -> None:
        """
        When a list's last function is called, the functions of that list are under way, and no
        other of feedd.
        """
        stacks = Stacks()
        with stacks.noted():
            self.browser.ask("GET", self.poll)
            self.rabbit.deliver(POST.json, properties=sealed(POST))
            self.house.clock.advance(0)
        self.assertIn(POST.json, self.wire.value())
        for functions in written():
            self.assertEqual(stacks.calls.get(functions[-1]), functions)

    def test_whole(self) -> None:
        """
        The lists lead from a poll that is read to a parked one, and from a frame to the socket;
        what one leaves behind, another goes on with.
        """
        ends = [(functions[0], functions[-1]) for functions in written()]
        self.assertEqual(
            ends,
            [
                ("web.fast.channel.FastChannel.dataReceived", "core.hub.Hub.find"),
                (
                    "web.fast.channel.FastChannel.dataReceived",
                    "core.subscription.Subscription.park",
                ),
                ("amqp.protocol.client.Client.dataReceived", "core.subscription.Subscription.push"),
                ("feed.feed.Feed.flush", "core.delivery.group"),
                ("feed.feed.Feed.flush", "web.rendering.Rendering.response"),
                ("feed.feed.Feed.flush", "web.server.channel.FeedChannel.send_now"),
            ],
        )

    def _start_broker(self, receiver: Receiver) -> AMQPBroker:
        broker = AMQPBroker(
            self.house.clock,
            Broker(url="amqp://u:p@h", heartbeat_seconds=0),
            "",
            receiver,
            Counters(),
            lambda: 5000,
            lambda: 1.0,
            lambda: None,
            [Host("rabbit", self.rabbit)],
        )
        broker.seal_with(*SEALED_WITH)
        broker.follow("alice")
        broker.startService()
        self.rabbit.run()
        return broker
