"""
A connection on the fast way, from the poll that comes to the answer that is sent.

`FastConnection` is a plain class, which Twisted's protocol holds: all that is done for each
delivery and each next poll stands here.
"""

from collections.abc import Callable, Coroutine
from enum import IntEnum
from typing import Any, NamedTuple, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from feedd.feed.polling import Found, Poll, Polling
from feedd.reactor.batch_reader import BatchReader
from feedd.reactor.deadlines import Deadlines
from feedd.reactor.insides import go_on, is_paused_by_transport
from feedd.web.endpoint import explained
from feedd.web.errors import Refusal
from feedd.web.fanout import Sender
from feedd.web.fast.request import START, PollParser, PollRequest
from feedd.web.fast.states import (
    ANSWER,
    CLOSE,
    CLOSED,
    EXPECTING,
    HOLD,
    LEAVE,
    LOOK,
    LOOKING,
    PARK,
    PLAIN,
    TRANSITIONS,
    WAITING,
    Step,
)
from feedd.web.rendering import Renderer, Rendering
from feedd.web.server.channel import IDLE_SECONDS, MAX_BEHIND_BYTES

_log = Logger()


class Reader(IntEnum):
    """
    The readers that a connection may have.

    :cvar TWISTED: the reactor, while twisted.web does not pause it.
    :cvar BATCH: the batch reader.
    :cvar NOBODY: none, as too much is held.
    """

    TWISTED = 0
    BATCH = 1
    NOBODY = 2


TWISTED, BATCH, NOBODY = Reader


class Channel(Protocol):
    """
    Twisted's protocol of a connection; as an item of a wheel (`feedd.reactor.deadlines.Expiring`)
    it has the idle deadline.
    """

    transport: Any
    due: int
    slot: int

    def expire(self) -> None:
        """The connection has been idle for too long."""

    def is_quiet(self) -> bool:
        """Whether twisted.web is between two requests, and would take this one now."""

    def read_plainly(self, data: bytes) -> None:
        """Let twisted.web take what was read."""

    def send_now(self, data: bytes) -> None:
        """Send at once, behind what is queued."""

    def setLineMode(self, extra: bytes) -> None:
        """Read on, with what has come by now."""


class Shared(NamedTuple):
    """
    The parts that the fast connections of a site share.

    :ivar batch_reader: reads while polls come; None where there is no epoll: then the reactor does.
    :ivar idle: the wheel of the idle deadlines, that of their site.
    """

    parser: PollParser
    polling: Polling
    renderer: Renderer
    batch_reader: BatchReader | None
    idle: Deadlines


class FastConnection:
    """
    Takes the polls of the fast way, and leaves everything else to twisted.web.

    :ivar state: one of `feedd.web.fast.states.State`.
    :ivar transport: Twisted's.
    """

    __slots__ = (
        "_before",
        "_behind",
        "_callback",
        "_can_batch",
        "_channel",
        "_descriptor",
        "_held",
        "_look",
        "_poll",
        "_reader",
        "_shared",
        "state",
        "transport",
    )

    def __init__(self, channel: Channel, shared: Shared, is_socket: bool) -> None:
        """:param is_socket: whether the transport is a socket and nothing else; TLS is not."""
        self.state = PLAIN
        self.transport = channel.transport
        self._channel = channel
        self._shared = shared
        # The last poll: it, the bytes around its cursor, and the JSONP function's name.
        self._poll: Poll | None = None
        self._before = self._behind = b""
        self._callback: bytes | None = None
        # The look that is under way, and the bytes that came behind the poll.
        self._look: Deferred[None] | None = None
        self._held = b""
        # The reader.
        self._can_batch = is_socket and shared.batch_reader is not None
        self._descriptor = -1
        self._reader = TWISTED

    # Called by the channel, the batch reader and the fan-out.

    def dataReceived(self, data: bytes) -> None:
        """Take what was read."""
        state = self.state
        if state is WAITING or state is LOOKING:
            self._hold(data)
        elif state is EXPECTING and self._is_repeated(data):
            self.state = TRANSITIONS[state][PARK]
            self._channel.due = 0  # not idle
        elif not self._take(data):
            self._step(LEAVE)
            self._channel.read_plainly(data)

    def ended(self) -> None:
        """The batch reader has found an end or an error; the reactor is to find out which."""
        self._can_batch = False
        self.choose_reader()

    @property
    def is_busy(self) -> bool:
        """Whether a poll is not answered yet."""
        return self.state is WAITING or self.state is LOOKING

    def hurry(self, then: Callable[[], None]) -> None:
        """
        Answer the poll with what there is, after the look if there is one; then call `then`, unless
        the connection has gone meanwhile.
        """
        if self._look is not None:
            self._look.addCallback(lambda _: self.hurry(then))
        elif self.state is not CLOSED:
            if self.state is WAITING and self._poll is not None:
                self._poll.expire()
            then()

    def leave(self) -> None:
        """Nothing that comes from now on is for the fast way: the connection is being closed."""
        self._step(LEAVE)

    def close(self) -> None:
        """The connection is gone, and so is its poll."""
        batch_reader = self._shared.batch_reader
        if self._reader is BATCH and batch_reader is not None:
            batch_reader.forget(self._descriptor)
        self._reader = TWISTED
        self._step(CLOSE)

    def work_out(self, rendering: Rendering, handle: str) -> tuple[Sender, bytes]:
        """Take note that the wait is over, see `feedd.web.fanout.Waiter`."""
        self.state = TRANSITIONS[self.state][ANSWER]
        if self._poll is not None:
            self._poll.due = 0
        self._shared.idle.set(self._channel, IDLE_SECONDS)
        # As a rule nothing is behind the poll, and the channel alone is called once more.
        sender = self if self._held else self._channel
        return sender, rendering.response(handle, self._callback)

    def send_now(self, response: bytes) -> None:
        """Send at once; then go on with what has come behind the poll."""
        self._channel.send_now(response)
        if self._held:
            held, self._held = self._held, b""
            self._step(LEAVE)
            self._channel.setLineMode(held)

    # From a poll to its answer.

    def _is_repeated(self, data: bytes) -> bool:
        """Park the last poll again if `data` is its request, with the cursor of its answer."""
        poll = self._poll
        return (
            poll is not None
            and data == self._before + poll.subscription.issued.encode() + self._behind
            and poll.park_again()
        )

    def _take(self, data: bytes) -> bool:
        """Begin the poll in `data`; False when it is none of the fast way."""
        if not (data.startswith(START) and self._channel.is_quiet()):
            return False
        request = self._shared.parser.parse(data)
        if request is None:
            return False
        self._callback = request.callback
        finding = self._shared.polling.find(request.query)
        try:
            # Most polls need not wait for anybody: the coroutine is over after this one step, which
            # takes 0.6 microseconds. As a Deferred it would take 1.7.
            finding.send(None)
        except StopIteration as over:
            self._found(request, over.value)
        except Exception as error:
            self._refuse(explained(error, b"GET", b"/feed/poll"))
        else:
            self._begin_look(request, finding)
        return True

    def _begin_look(self, request: PollRequest, finding: Coroutine[Any, Any, Found]) -> None:
        """Wait for the answer; the connection is not idle meanwhile."""
        self._step(LOOK)
        self._channel.due = 0
        look = Deferred.fromCoroutine(self._wait_for(request, finding))
        look.addErrback(lambda failure: _log.failure("a poll cannot be answered", failure=failure))
        if self.state is LOOKING:
            self._look = look

    async def _wait_for(self, request: PollRequest, finding: Coroutine[Any, Any, Found]) -> None:
        try:
            found = await go_on(finding)
        except Exception as error:
            if self.state is not LOOKING and isinstance(error, CancelledError):
                return  # the connection has ended
            refusal = explained(error, b"GET", b"/feed/poll")
            if self.state is LOOKING:
                self._refuse(refusal)
        else:
            if self.state is LOOKING:  # else it has ended, and this could no longer be stopped
                self._found(request, found)

    def _found(self, request: PollRequest, found: Found) -> None:
        """Answer, or let the poll wait."""
        self._look = None
        reply, waits, until, ends = found
        poll = None
        if reply.subscription is not None:
            query = request.query
            wait_seconds, polling = query.wait_seconds, self._shared.polling
            poll = Poll(polling, self, reply.subscription, wait_seconds, until, ends)
            self._before, self._behind = request.before, request.behind
        if waits and poll is not None:
            self._step(PARK, poll)
            self._channel.due = 0
            poll.park()
        else:
            self._step(LEAVE if poll is None else ANSWER, poll)
            renderer = self._shared.renderer
            self._send(renderer.spelling.answer(renderer.document(reply), self._callback))

    def _refuse(self, refusal: Refusal) -> None:
        """Answer with an error."""
        self._look = None
        self._step(LEAVE)
        self._send(self._shared.renderer.spelling.refusal(refusal, self._callback))

    # From one state to the next.

    def _hold(self, data: bytes) -> None:
        """Keep what comes behind the poll until that is answered."""
        self.state = TRANSITIONS[self.state][HOLD]
        self._held += data
        if len(self._held) > MAX_BEHIND_BYTES:
            self.choose_reader()

    def _send(self, response: bytes) -> None:
        """Answer at once, and be idle from now on."""
        self._shared.idle.set(self._channel, IDLE_SECONDS)
        self.send_now(response)

    def _step(self, step: Step, poll: Poll | None = None) -> None:
        """
        Take a step, and let go of the poll or the look that was before it.

        Two steps only set the state, as nothing else changes with them: the answer to the poll that
        waits, and its repetition.
        """
        self.state = TRANSITIONS[self.state][step]
        look, self._look = self._look, None
        last, self._poll = self._poll, poll
        if look is not None:
            look.cancel()
        if last is not None:
            last.end()
        self.choose_reader()

    # The choice of the reader.

    def choose_reader(self) -> None:
        """
        Decide who reads from the connection, and let them; call it when something has changed by
        which this is decided: the state, what is held, whether the transport takes what is sent.
        """
        paused = is_paused_by_transport(self._channel)
        if self.state is PLAIN or self.state is CLOSED or paused:
            wanted = TWISTED
        elif len(self._held) > MAX_BEHIND_BYTES:
            wanted = NOBODY
        else:
            wanted = BATCH if self._can_batch else TWISTED
        if wanted is not self._reader:
            self._change_reader(wanted, paused)

    def _change_reader(self, wanted: Reader, paused: bool) -> None:
        last, self._reader = self._reader, wanted
        batch_reader = self._shared.batch_reader
        if last is BATCH and batch_reader is not None:
            batch_reader.remove(self._descriptor)
        if wanted is NOBODY:
            self.transport.pauseProducing()
        elif wanted is TWISTED and not paused:  # else twisted.web resumes it, as it has paused it
            self.transport.resumeProducing()
        elif wanted is BATCH and batch_reader is not None:
            try:
                self._descriptor = batch_reader.add(self)
            except OSError:  # the kernel has no room for more; the reactor still reads
                self._reader = last
