"""
One connection on the fast way: what it waits for, and what it does with what comes.

`FastConnection` is a plain class that Twisted's protocol holds, so that all that is done for each
delivery and each next poll stands here.
"""

from collections.abc import Callable, Coroutine
from enum import IntEnum
from typing import Any, NamedTuple, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from feedd.reactor.batch_reader import BatchReader
from feedd.reactor.batch_sender import Outbox
from feedd.reactor.deadlines import Deadlines
from feedd.reactor.insides import is_paused_by_transport
from feedd.web.api.poll import RepeatedPoll
from feedd.web.errors import Refusal
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
from feedd.web.responses import Spelling

MAX_HELD_BYTES = 16_384
"""
Of what comes behind a poll that is not answered yet; the connection is then read no further, as
twisted.web does it.
"""

_log = Logger()


class Reader(IntEnum):
    """
    Who reads from a connection.

    :cvar TWISTED: the reactor, while twisted.web does not pause it.
    :cvar BATCH: the batch reader.
    :cvar NOBODY: nobody, as too much is held.
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


class Polls(Protocol):
    """How a connection comes to an answer, see `feedd.web.fast.polls.FastPolls`."""

    def begin(self, connection: "FastConnection", request: PollRequest) -> None:
        """Let `connection` answer, park or look."""


class Shared(NamedTuple):
    """
    What the fast connections of a site share.

    :ivar now: seconds since 1970.
    :ivar batch_reader: reads while polls come; None where there is no epoll: then the reactor does.
    :ivar outbox: keeps the answers of a fan-out.
    :ivar idle: the wheel of the idle deadlines.
    """

    parser: PollParser
    polls: Polls
    spelling: Spelling
    now: Callable[[], float]
    batch_reader: BatchReader | None
    outbox: Outbox
    idle: Deadlines
    idle_seconds: float


class FastConnection:
    """
    Takes the polls of the fast way, and leaves everything else to twisted.web.

    :ivar state: one of `feedd.web.fast.states.State`.
    :ivar callback: the JSONP function's name in the last poll, or None.
    :ivar transport: Twisted's.
    """

    __slots__ = (
        "_can_batch",
        "_channel",
        "_descriptor",
        "_held",
        "_look",
        "_poll",
        "_reader",
        "_shared",
        "callback",
        "state",
        "transport",
    )

    def __init__(self, channel: Channel, shared: Shared, is_socket: bool) -> None:
        """:param is_socket: whether the transport is a socket and nothing else; TLS is not."""
        self.state = PLAIN
        self.callback: bytes | None = None
        self.transport = channel.transport
        self._channel = channel
        self._shared = shared
        self._can_batch = is_socket and shared.batch_reader is not None
        self._descriptor = -1
        self._reader = TWISTED
        self._held = b""
        self._look: Deferred[None] | None = None
        self._poll: RepeatedPoll | None = None

    # What the connection brings.

    def dataReceived(self, data: bytes) -> None:
        """Take what was read."""
        state, poll = self.state, self._poll
        if state is WAITING or state is LOOKING:
            self._hold(data)
        elif (
            state is EXPECTING
            and poll is not None
            and poll.is_repeated(data, self._shared.now())
            and poll.park_again()
        ):
            self.state = TRANSITIONS[state][PARK]
            self._channel.due = 0  # not idle
        elif not self._take(data):
            self._step(LEAVE)
            self._channel.read_plainly(data)

    def ended(self) -> None:
        """The batch reader has found an end or an error; the reactor is to find out which."""
        self._can_batch = False
        self.choose_reader()

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

    # What becomes of a poll.

    def park(self, poll: RepeatedPoll, hold_seconds: float) -> None:
        """Let `poll` wait."""
        self._step(PARK, poll)
        self._channel.due = 0  # not idle
        poll.park(hold_seconds)

    def look(self, looking: Coroutine[Any, Any, None]) -> None:
        """Let `looking` find the answer; the connection waits for it, and is not idle."""
        self._step(LOOK)
        self._channel.due = 0
        look = Deferred.fromCoroutine(looking)
        look.addErrback(lambda failure: _log.failure("a poll cannot be answered", failure=failure))
        if self.state is LOOKING:  # it may be over by now
            self._look = look

    def end_look(self) -> bool:
        """
        The look is over. Returns whether the connection still waits for it: it may have ended, and
        the look not have been stopped by that.
        """
        self._look = None
        return self.state is LOOKING

    def answer(self, json: bytes, poll: RepeatedPoll | None) -> None:
        """
        Answer at once.

        :param poll: the poll whose repetition may come; None when none will.
        """
        self._step(LEAVE if poll is None else ANSWER, poll)
        self._write(self._shared.spelling.answer(json, self.callback))

    def refuse(self, refusal: Refusal) -> None:
        """Answer with an error."""
        self._step(LEAVE)
        self._write(self._shared.spelling.refusal(refusal, self.callback))

    def send(self, json: bytes) -> None:
        """Answer the poll that waits."""
        self.state = TRANSITIONS[self.state][ANSWER]
        self._write(self._shared.spelling.answer(json, self.callback))

    # Inside.

    def _take(self, data: bytes) -> bool:
        """Begin the poll in `data`; False when it is none of the fast way."""
        if not (data.startswith(START) and self._channel.is_quiet()):
            return False
        request = self._shared.parser.parse(data)
        if request is None:
            return False
        self.callback = request.callback
        self._shared.polls.begin(self, request)
        return True

    def _hold(self, data: bytes) -> None:
        """Keep what comes behind the poll until that is answered."""
        self.state = TRANSITIONS[self.state][HOLD]
        self._held += data
        if len(self._held) > MAX_HELD_BYTES:
            self.choose_reader()

    def _write(self, response: bytes) -> None:
        """
        Send `response`, with those of its fan-out or at once; then go on with what has come behind
        the poll.
        """
        shared = self._shared
        shared.idle.set(self._channel, shared.idle_seconds)
        if shared.outbox.is_open:
            shared.outbox.keep(self._channel, response)
        else:
            self._channel.send_now(response)
        if self._held:
            held, self._held = self._held, b""
            self._step(LEAVE)
            self._channel.setLineMode(held)

    def _step(self, step: Step, poll: RepeatedPoll | None = None) -> None:
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
            last.lost()
        self.choose_reader()

    def choose_reader(self) -> None:
        """
        Let whoever is to read from the connection do so, and nobody else.

        This is the only place that decides it: by the state, by what is held, and by whether the
        transport takes what is sent. It is called when one of them has changed.
        """
        paused = is_paused_by_transport(self._channel)
        if self.state is PLAIN or self.state is CLOSED or paused:
            wanted = TWISTED
        elif len(self._held) > MAX_HELD_BYTES:
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
