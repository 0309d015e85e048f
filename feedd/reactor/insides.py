"""
The only place that uses what Twisted does not promise: private names, undocumented state.

Each use is behind a function that says what is meant. They are written for Twisted 26.10; an
upgrade that changes one of them fails in `tests.unit.test_insides`, and is mended here.
"""

import select
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")


def go_on(coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
    """
    Run the rest of a coroutine that was started with ``send(None)`` and waits for a `Deferred`.

    A `Deferred` that is awaited yields itself as long as it has no result, whatever is sent to it;
    so the coroutine is asked once more, and then waits as if it had been started here.
    """
    return Deferred.fromCoroutine(coroutine)


def is_between_requests(channel: Any) -> bool:
    """
    Whether an `HTTPChannel` has answered all requests, has no part of a next one, and takes more.

    An empty line behind the last request counts as a part: twisted.web ignores one, but not two.
    """
    return bool(
        channel.line_mode
        and channel._HTTPChannel__first_line == 1  # 2 after an empty line, 0 within a head
        and not channel.requests
        and not channel._buffer
        and channel.persistent
        and not channel.transport.disconnecting
    )


def is_within_request(channel: Any) -> bool:
    """Whether an `HTTPChannel` has a part of a request and waits for the rest."""
    return not channel._handlingRequest and bool(channel.requests or channel._buffer)


def head_of(channel: Any) -> tuple[bytes, bytes, bytes]:
    """The method, target and version of the request whose head an `HTTPChannel` has just read."""
    return channel._command, channel._path, channel._version


def is_answering(channel: Any) -> bool:
    """Whether an `HTTPChannel` has a whole request that is not answered yet."""
    busy: bool = channel._handlingRequest
    return busy


def is_reading(channel: Any) -> bool:
    """Whether the loop in the ``dataReceived`` of a `LineReceiver` runs, further up the stack."""
    busy: bool = channel._busyReceiving
    return busy


def is_paused_by_transport(channel: Any) -> bool:
    """
    Whether the transport has paused an `HTTPChannel`, as its peer does not take the answers.

    The connection must not be read either until the transport resumes the channel.
    """
    paused: bool = channel._waitingForTransport
    return paused


def abort_after(channel: Any, seconds: float) -> None:
    """
    Abort the connection of an `HTTPChannel` in `seconds`, unless it is closed by then.

    Of several calls the first one holds. ``connectionLost`` of the channel takes it back, as it
    does with the abort that follows Twisted's own idle timeout.
    """
    if channel._abortingCall is None:
        channel._abortingCall = channel.callLater(seconds, channel.forceAbortClient)


def has_nothing_queued(transport: Any) -> bool:
    """
    Whether a `FileDescriptor` has sent all that was written to it.

    Then bytes may be sent past its queue and keep their place.
    """
    return not transport.dataBuffer and not transport._tempDataBuffer


def wrap_epoll(reactor: Any, wrap: Callable[[select.epoll], object]) -> bool:
    """
    Put ``wrap(epoll)`` in the place of the epoll of `reactor`.

    Returns whether there was one: only Twisted's epoll reactor has it, any other is left as it is.
    The object that ``wrap`` returns needs ``register``, ``modify``, ``unregister`` and ``poll``.
    """
    epoll = getattr(reactor, "_poller", None)
    if not isinstance(epoll, select.epoll):
        return False
    reactor._poller = wrap(epoll)
    return True
