"""
One AMQP channel: calls and their answers.

What txAMQP's channel gets wrong and this one does right: a call is packed whole before it is
written, and an error of packing goes to its caller; answers are matched to calls here, without
queues, so one that was cancelled shifts no other; a call that is not answered in time closes the
channel; a closed channel fails every call that waits and tells its observer.
"""

from collections import deque
from typing import Any, NamedTuple

from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure
from txamqp.content import Content as Content
from txamqp.message import Message
from txamqp.protocol import AMQChannel

from feedd.amqp.protocol.closed import Closed, closed_error
from feedd.amqp.protocol.frames import Unpackable, pack_content, pack_method, pack_properties
from feedd.amqp.protocol.methods import METHODS, SIGNATURES


class ChannelObserver:
    """
    Is told what the broker says on a channel unasked. Each method does nothing unless overridden.
    """

    def confirmed(self, number: int, multiple: bool, ok: bool) -> None:
        """
        Publish `number` (and with `multiple` all before it) is done; `ok` False: the broker could
        not.
        """

    def cancelled(self, consumer_tag: bytes) -> None:
        """The broker ended a consumer, because its queue has gone."""

    def failed(self, error: Exception) -> None:
        """The channel is closed, and not because its user asked. Called once."""


class _Call(NamedTuple):
    method: Any
    answer: Deferred[Any]


class Channel(AMQChannel):  # type: ignore[misc]  # txAMQP has no types
    """
    A channel whose generated methods (``queue_declare(…)``) return a Deferred of the answer, or of
    None when there is none.

    They fail with `Unpackable` (nothing was sent), a `Closed`, or `TimeoutError` (the channel is
    closed then).
    """

    def __init__(self, id: int, outgoing: Any, client: Any) -> None:
        super().__init__(id, outgoing, client)
        self.observer = ChannelObserver()
        self.closed = False
        self._calls: deque[_Call] = deque()
        self._timer: DelayedCall | None = None

    def invoke(self, method: Any, args: Any, content: Any = None) -> Deferred[Any]:
        """Send one call; what txAMQP's generated methods end in."""
        try:
            self._check_open()
            data = self._pack(method, args, content)
        except (Unpackable, Closed):
            return fail(Failure())
        self.client.write(data)
        if not method.responses or _is_nowait(method, args):
            return succeed(None)
        call = _Call(method, Deferred())
        self._calls.append(call)
        self._watch()
        return call.answer

    def pack(self, name: str, content: Content | None = None, **fields: Any) -> bytes:
        """
        The frames of a call that will not be answered, for example ``pack("queue.bind", queue=…,
        nowait=True)``.

        :raises Unpackable: when they have no AMQP form.
        """
        method = METHODS[name]
        args = [fields.pop(argument, default) for argument, default in SIGNATURES[name]]
        if fields:
            raise Unpackable(f"{name} has no {', '.join(fields)}")
        return self._pack(method, args, content)

    def send(self, name: str, content: Content | None = None, **fields: Any) -> None:
        """
        Make a call that will not be answered.

        :raises Unpackable: with nothing sent.
        :raises Closed: when the channel is closed.
        """
        self._check_open()
        self.client.write(self.pack(name, content, **fields))

    def take(self, method: Any, args: tuple[Any, ...]) -> None:
        """A method has arrived on this channel."""
        if not method.response:
            self.client.delegate.dispatch(self, Message(method, args))
        elif self._calls and method in self._calls[0].method.responses:
            self._calls.popleft().answer.callback(Message(method, args))
            self._watch()
        else:
            self.client.complain(
                "amqp_errors", f"{method.klass.name}.{method.name} answers no call"
            )
            self.abandon(Closed("an answer that fits no call"))

    def abandon(self, error: Exception) -> None:
        """Close the channel from this side at once: calls that wait fail with `error`."""
        if self.closed:
            return
        if self.id == 0:
            self.client.fail(str(error))
            return
        self.send("channel.close", reply_code=200, reply_text="abandoned")
        self.client.expect_close_ok(self)
        self.do_close(error)

    def do_close(self, reason: Any) -> None:
        """
        The channel is closed, for `reason`: a message of the broker, a Failure or an exception.
        """
        if self.closed:
            return
        self.closed = True
        self.reason = reason
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        calls, self._calls = self._calls, deque()
        for call in calls:
            call.answer.errback(Failure(closed_error(reason)))
        self.client.channel_failed(self, Failure(closed_error(reason)))

    def _check_open(self) -> None:
        if self.closed:
            raise closed_error(self.reason)

    def _pack(self, method: Any, args: Any, content: Any) -> bytes:
        data = pack_method(self.id, method, args)
        if not method.content:
            return data
        if content is None or not isinstance(content.body, bytes):
            raise Unpackable("a body must be bytes")
        if content.children:
            raise Unpackable("a content cannot have children")
        properties = pack_properties(method.klass, content.properties)
        return data + pack_content(
            self.id, method.klass, properties, content.body, self.client.frame_max
        )

    def _watch(self) -> None:
        """
        Begin the time of the oldest call that waits: the broker answers in order, so each answer is
        a sign of life.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._calls and not self.closed:
            self._timer = self.client.clock.callLater(self.client.timeout_seconds, self._timed_out)

    def _timed_out(self) -> None:
        self._timer = None
        if self.client.blocked is not None:
            # the broker has stopped reading from us and says so: it is slow, not lost
            self._watch()
            return
        method = self._calls[0].method
        self.abandon(TimeoutError(f"{method.klass.name}.{method.name} was not answered"))


def _is_nowait(method: Any, args: Any) -> bool:
    field = method.fields.byname.get("nowait")
    return field is not None and bool(args[method.fields.index(field)])
