"""
The only place that uses what Twisted does not promise: private names, undocumented state.

Each use is behind a function that says what is meant. They are written for Twisted 26.10; an
upgrade that changes one of them fails in `tests.unit.test_insides`, and is mended here.
"""

import select
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

from twisted.internet.base import ReactorBase
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, LogEvent, Logger
from twisted.web.client import HTTPConnectionPool

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
    Abort the connection of an `HTTPChannel` in `seconds`, unless it is closed by then; no line is
    logged.

    Of several calls the first one holds. ``connectionLost`` of the channel takes it back, as it
    does with the abort that follows Twisted's own idle timeout.
    """

    def abort() -> None:
        channel._abortingCall = None
        channel.transport.abortConnection()

    if channel._abortingCall is None:
        channel._abortingCall = channel.callLater(seconds, abort)


def make_quiet_pool(reactor: Any) -> HTTPConnectionPool:
    """A pool of HTTP connections that logs no two lines for each connection."""
    pool: Any = HTTPConnectionPool(reactor)
    make_factory = pool._factory

    def make_quiet_factory(*args: Any) -> Any:
        factory = make_factory(*args)
        factory.noisy = False
        return factory

    pool._factory = make_quiet_factory
    quiet: HTTPConnectionPool = pool
    return quiet


def watch_accepts(port: Any, tell: Callable[[str], object]) -> None:
    """
    Let `tell` have the error's name, such as ``EMFILE``, for each connection that a listening
    `Port` cannot accept, or has to close at once as no more files can be open.

    Twisted would log three lines for each instead. What is no such `Port` is left as it is.
    """

    def observe(event: LogEvent) -> None:
        if "acceptError" in event or "address" in event:
            tell(event.get("acceptError", "EMFILE"))

    logger, observer = getattr(port, "_logger", None), cast(ILogObserver, observe)
    if isinstance(logger, Logger):
        port._logger = Logger(namespace=logger.namespace, observer=observer)


def has_nothing_queued(transport: Any) -> bool:
    """
    Whether a `FileDescriptor` has sent all that was written to it.

    Then bytes may be sent past its queue and keep their place.
    """
    return not transport.dataBuffer and not transport._tempDataBuffer


def wait_by(reactor: Any, seconds: Callable[[], float]) -> None:
    """
    Let `reactor` time all that waits by the clock `seconds`.

    Its own clock is the time of day: once that has been set back by an hour, everything waits an
    hour longer. What waits already keeps the time that it has left. A reactor that is none of
    Twisted's is left as it is: it has a clock of its own.
    """
    if not isinstance(reactor, ReactorBase):
        return
    moved = seconds() - reactor.seconds()
    for call in (*reactor._pendingTimedCalls, *reactor._newTimedCalls):  # with the cancelled ones
        call.time += moved
        call.seconds = seconds
    reactor.seconds = seconds


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
