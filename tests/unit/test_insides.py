"""What is used of Twisted's insides, on Twisted's own classes."""

import itertools
import os
import select
from collections.abc import Coroutine
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import HTTPChannel
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from feedd.reactor import insides

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"


class Slow(Resource):
    """
    Answers when it is told to.

    :ivar requests: those that wait.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []

    def render(self, request: Request) -> int:
        """Let the request wait."""
        self.requests.append(request)
        return NOT_DONE_YET

    def answer(self) -> None:
        """Answer the one that waits."""
        request = self.requests.pop()
        request.setHeader(b"Content-Length", b"0")
        request.finish()


class ChannelTestCase(SynchronousTestCase):
    """An `HTTPChannel` as twisted.web builds it."""

    def setUp(self) -> None:
        self.clock, self.resource = Clock(), Slow()
        site = Site(self.resource, reactor=self.clock)
        site.protocol = HTTPChannel
        self.channel = site.buildProtocol(None)
        self.wire = StringTransport()
        self.channel.makeConnection(self.wire)

    def tearDown(self) -> None:
        self.channel.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class BetweenRequestsTests(ChannelTestCase):
    """`is_between_requests`."""

    def assert_between(self, expected: bool) -> None:
        """Assert whether the channel is between two requests."""
        self.assertIs(insides.is_between_requests(self.channel), expected)

    def test_whole_request(self) -> None:
        """At first and after the answer, and not while a request is answered."""
        self.assert_between(True)
        self.channel.dataReceived(GET)
        self.assert_between(False)
        self.resource.answer()
        self.assert_between(True)

    def test_parts(self) -> None:
        """Not within a line, a head or a body."""
        for part in (POST[:3], POST[3:20], POST[20:], b"ab"):
            self.channel.dataReceived(part)
            self.assert_between(False)
        self.channel.dataReceived(b"c")
        self.resource.answer()
        self.assert_between(True)

    def test_empty_line(self) -> None:
        """Not after an empty line, though twisted.web has forgotten it."""
        self.channel.dataReceived(b"\r\n")
        self.assert_between(False)
        self.channel.dataReceived(GET)
        self.resource.answer()
        self.assert_between(True)

    def test_last_request(self) -> None:
        """Not when the client has said that it asks for no more."""
        self.channel.dataReceived(GET.replace(b"a\r\n", b"a\r\nConnection: close\r\n"))
        self.assert_between(False)
        self.resource.answer()
        self.assert_between(False)

    def test_closing(self) -> None:
        """Not when the connection is being closed."""
        self.channel.loseConnection()
        self.assert_between(False)


class HeadTests(ChannelTestCase):
    """`head_of`."""

    def test_head(self) -> None:
        """Once the head has come it is there, until the body has."""
        self.channel.dataReceived(POST)
        self.assertEqual(insides.head_of(self.channel), (b"POST", b"/", b"HTTP/1.1"))
        self.channel.dataReceived(b"abc")
        self.resource.answer()


class AnsweringTests(ChannelTestCase):
    """`is_answering`."""

    def test_whole_request(self) -> None:
        """From the last byte of the request to the answer."""
        for part in (POST, b"ab"):
            self.channel.dataReceived(part)
            self.assertFalse(insides.is_answering(self.channel))
        self.channel.dataReceived(b"c")
        self.assertTrue(insides.is_answering(self.channel))
        self.resource.answer()
        self.assertFalse(insides.is_answering(self.channel))


class WithinRequestTests(ChannelTestCase):
    """`is_within_request`."""

    def test_parts(self) -> None:
        """From the first byte to the last one, in each part of the request."""
        self.assertFalse(insides.is_within_request(self.channel))
        for part in (POST[:3], POST[3:20], POST[20:], b"ab"):
            self.channel.dataReceived(part)
            self.assertTrue(insides.is_within_request(self.channel))
        self.channel.dataReceived(b"c")
        self.assertFalse(insides.is_within_request(self.channel))
        self.resource.answer()
        self.assertFalse(insides.is_within_request(self.channel))

    def test_behind_a_request(self) -> None:
        """Only when the one before has been answered."""
        self.channel.dataReceived(GET)
        self.channel.dataReceived(GET[:9])
        self.assertFalse(insides.is_within_request(self.channel))
        self.resource.answer()
        self.assertTrue(insides.is_within_request(self.channel))


class Lines(LineReceiver):
    """Looks at itself when a line comes."""

    def __init__(self) -> None:
        self.seen: list[bool] = []

    def lineReceived(self, line: bytes) -> None:
        """See whether it reads."""
        self.seen.append(insides.is_reading(self))


class ReadingTests(SynchronousTestCase):
    """`is_reading`."""

    def test_line(self) -> None:
        """While lines are taken, and not before or after."""
        lines = Lines()
        lines.makeConnection(StringTransport())
        self.assertFalse(insides.is_reading(lines))
        lines.dataReceived(b"a\r\nb\r\n")
        self.assertEqual(lines.seen, [True, True])
        self.assertFalse(insides.is_reading(lines))


class PausedTests(ChannelTestCase):
    """`is_paused_by_transport`."""

    def test_paused(self) -> None:
        """From the transport's call to its next one."""
        self.assertFalse(insides.is_paused_by_transport(self.channel))
        self.wire.producer.pauseProducing()
        self.assertTrue(insides.is_paused_by_transport(self.channel))
        self.wire.producer.resumeProducing()
        self.assertFalse(insides.is_paused_by_transport(self.channel))

    def test_waiting_for_an_answer(self) -> None:
        """What comes behind a request pauses the transport, and is not its wish."""
        self.channel.dataReceived(GET)
        self.channel.dataReceived(b"x" * 20_000)
        self.assertEqual(self.wire.producerState, "paused")
        self.assertFalse(insides.is_paused_by_transport(self.channel))


class AbortTests(ChannelTestCase):
    """`abort_after`."""

    def test_aborted(self) -> None:
        """The connection is aborted when the time is over; a second call changes nothing."""
        insides.abort_after(self.channel, 5)
        insides.abort_after(self.channel, 50)
        self.clock.advance(4.9)
        self.assertFalse(self.wire.disconnected)
        self.clock.advance(0.2)
        self.assertTrue(self.wire.disconnected)

    def test_closed_in_time(self) -> None:
        """A connection that closes before takes it back, as `tearDown` sees."""
        insides.abort_after(self.channel, 5)


class Descriptor(FileDescriptor):
    """
    Sends nowhere.

    :ivar room: how many bytes it takes.
    """

    room = 0

    def writeSomeData(self, data: bytes) -> int:
        """Take what there is room for."""
        taken = min(self.room, len(data))
        self.room -= taken
        return taken


class QueueTests(SynchronousTestCase):
    """`has_nothing_queued`."""

    def test_queue(self) -> None:
        """From a write until its last byte has been sent."""
        descriptor = Descriptor(Clock())
        descriptor.connected = True
        descriptor.startWriting = descriptor.stopWriting = lambda: None
        self.assertTrue(insides.has_nothing_queued(descriptor))
        descriptor.write(b"abc")
        self.assertFalse(insides.has_nothing_queued(descriptor))
        descriptor.room = 2
        descriptor.doWrite()
        self.assertFalse(insides.has_nothing_queued(descriptor))
        descriptor.room = 1
        descriptor.doWrite()
        self.assertTrue(insides.has_nothing_queued(descriptor))


class OneAtATime:
    """An epoll that reports one event a poll."""

    def __init__(self, epoll: select.epoll) -> None:
        self.register, self.modify, self.unregister = epoll.register, epoll.modify, epoll.unregister
        self.poll = lambda seconds, most: epoll.poll(seconds, 1)


class Pipe:
    """
    The end of a pipe that always has something to read.

    :ivar reads: how often the reactor said so.
    """

    def __init__(self) -> None:
        self.ends = os.pipe()
        os.write(self.ends[1], b"x")
        self.reads = 0

    def fileno(self) -> int:
        """The end to read from."""
        return self.ends[0]

    def doRead(self) -> None:
        """Leave it there."""
        self.reads += 1

    def logPrefix(self) -> str:
        """For the log."""
        return "a pipe"


class GoOnTests(SynchronousTestCase):
    """`go_on`."""

    def started(self, waits: Deferred[int]) -> Coroutine[Any, Any, int]:
        """A coroutine that waits, two calls deep."""

        async def inner() -> int:
            return await waits

        async def outer() -> int:
            return await inner() + 1

        coroutine = outer()
        coroutine.send(None)
        return coroutine

    def test_result(self) -> None:
        """It goes on when what it waits for is there, and not before."""
        waits: Deferred[int] = Deferred()
        rest = insides.go_on(self.started(waits))
        self.assertNoResult(rest)
        waits.callback(1)
        self.assertEqual(self.successResultOf(rest), 2)

    def test_failure(self) -> None:
        """What goes wrong is raised where it waits."""
        waits: Deferred[int] = Deferred()
        rest = insides.go_on(self.started(waits))
        waits.errback(ZeroDivisionError())
        self.failureResultOf(rest, ZeroDivisionError)

    def test_cancel(self) -> None:
        """What it waits for is cancelled with it."""
        waits: Deferred[int] = Deferred()
        rest = insides.go_on(self.started(waits))
        rest.cancel()
        self.failureResultOf(rest, CancelledError)
        self.assertTrue(waits.called)


class WaitByTests(SynchronousTestCase):
    """`wait_by`."""

    def test_calls(self) -> None:
        """A call that waits keeps its time left; all calls go by the given clock then."""
        reactor, now, fired = SelectReactor(), [1000.0], list[str]()
        self.addCleanup(reactor.removeAll)
        reactor.callLater(1, fired.append, "cancelled").cancel()
        for seconds, name in ((2, "on the heap"), (20, "far")):
            reactor.callLater(seconds, fired.append, name)
        reactor.iterate(0)
        reactor.callLater(3, fired.append, "new")
        insides.wait_by(reactor, lambda: now[0])
        self.assertEqual(reactor.seconds(), 1000.0)
        reactor.callLater(4, fired.append, "by the clock")
        put_off = reactor.callLater(1, fired.append, "put off")
        put_off.reset(5)
        reactor.iterate(0)
        self.assertEqual(fired, [])
        for seconds, name in (
            (2.1, "on the heap"),
            (3.1, "new"),
            (4.1, "by the clock"),
            (5.1, "put off"),
            (20.1, "far"),
        ):
            now[0] = 1000.0 + seconds
            reactor.iterate(0)
            self.assertEqual(fired.pop(), name)
            self.assertEqual(fired, [])

    def test_another_reactor(self) -> None:
        """One of a test has a clock of its own."""
        clock = MemoryReactorClock()
        insides.wait_by(clock, lambda: 1000.0)
        self.assertEqual(clock.seconds(), 0.0)


class EpollTests(SynchronousTestCase):
    """`wrap_epoll`."""

    def test_epoll(self) -> None:
        """Twisted's epoll reactor asks what was put in the place of its epoll."""
        from twisted.internet.epollreactor import EPollReactor

        reactor = EPollReactor()
        self.assertTrue(insides.wrap_epoll(reactor, OneAtATime))
        pipes = [Pipe(), Pipe(), Pipe()]
        for pipe in pipes:
            reactor.addReader(pipe)
        for _ in range(6):
            reactor.iterate(0)
        self.assertEqual([pipe.reads for pipe in pipes], [2, 2, 2])
        reactor.removeAll()
        for descriptor in itertools.chain.from_iterable(pipe.ends for pipe in pipes):
            os.close(descriptor)

    if not hasattr(select, "epoll"):
        test_epoll.skip = "this system has no epoll"  # type: ignore[attr-defined]

    def test_another_reactor(self) -> None:
        """One without an epoll is left alone."""
        self.assertFalse(insides.wrap_epoll(MemoryReactorClock(), OneAtATime))
