"""
The fast lane: the common long poll, recognised whole in one read and answered with one send.

Most requests of a feed are the same poll by the same browsers, over and over. The lane takes those
that `feedd.web.fast.request` can read. It leads to the same `Poll`, and answers the same bytes, as
twisted.web does; whatever it does not take goes there.

The next poll of a connection is, as a rule, the last one with the cursor that it was answered with:
such a `RepeatedPoll` is recognised by one comparison. Who is already known, and whose subscription
is hot, is answered or parked at once; for all others a closer look is taken, as everywhere, while
the connection waits.

This module knows bytes and connections. It decides nothing: who may ask and what is answered is
decided where it always is.
"""

from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from feedd.feed.ports import Authenticator, Identity
from feedd.feed.reading import Reply
from feedd.reactor.batch_reader import Watch
from feedd.reactor.batch_sender import Outbox
from feedd.web.api.poll import PollEndpoint, RepeatedPoll
from feedd.web.endpoint import explained
from feedd.web.fast.request import START, Asked, Reader
from feedd.web.gate import check_page
from feedd.web.origin import Origins
from feedd.web.responses import Spelling
from feedd.web.server.channel import FeedChannel
from feedd.web.server.site import FeedSite

MAX_HELD_BYTES = 16_384
"""
Of what comes behind a parked poll; as with twisted.web the connection is not read any further then.
"""

_BEGUN: Deferred[None] = succeed(None)
_log = Logger()


class Lane:
    """Takes polls, for all connections of a site."""

    def __init__(
        self,
        endpoint: PollEndpoint,
        authenticator: Authenticator,
        origins: Origins,
        now: Callable[[], float],
    ) -> None:
        """:param now: seconds since 1970."""
        self.spelling = Spelling(now)
        self._endpoint = endpoint
        self._authenticator = authenticator
        self._reader = Reader(origins)
        self._now = now

    def repeat(self, poll: RepeatedPoll, data: bytes) -> bool:
        """
        Park the last poll of a connection again, if `data` asks for that and there is nothing to
        say yet.
        """
        return poll.is_repeated(data, self._now()) and poll.park_again()

    def take(self, channel: "LaneChannel", data: bytes) -> bool:
        """
        Take the poll in `data`, which one read brought; False when it is not one for this lane.
        """
        asked = self._reader.read(data)
        if asked is None:
            return False
        channel.callback = asked.callback
        known = self._authenticator.known(asked.credentials)
        reply = self._hot(known.identity, asked) if known is not None else None
        if known is not None and reply is not None:
            self._reply(channel, asked, known.until, reply)
        else:
            channel.look(self._look(channel, asked))
        return True

    def _hot(self, identity: Identity, asked: Asked) -> Reply | None:
        if identity.ambient and asked.callback is not None and not asked.own:
            return None
        return self._endpoint.reading.hot(identity.user, asked.cursor)

    async def _look(self, channel: "LaneChannel", asked: Asked) -> None:
        """A closer look: who asks, or what they have missed."""
        try:
            reply = await self._found(asked)
        except CancelledError:
            return  # the client has gone
        except Exception as error:
            channel.looked()
            channel.write_out(
                self.spelling.refusal(explained(error, b"GET", b"/feed/poll"), asked.callback)
            )
            return
        known = self._authenticator.known(asked.credentials)
        channel.looked()
        self._reply(channel, asked, known.until if known is not None else 0.0, reply)

    async def _found(self, asked: Asked) -> Reply:
        identity = await self._authenticator.identify(asked.credentials)
        if identity.ambient and asked.callback is not None:
            check_page(asked.own)
        reading = self._endpoint.reading
        return reading.hot(identity.user, asked.cursor) or await reading.cold(
            identity.user, asked.cursor or None
        )

    def _reply(self, channel: "LaneChannel", asked: Asked, until: float, reply: Reply) -> None:
        endpoint = self._endpoint
        if reply.subscription is None:
            channel.use(None)
            channel.send(endpoint.spell(reply.events, reply.cursor, reply.more, reply.gap))
            return
        poll = RepeatedPoll(
            endpoint, channel, reply.subscription, (asked.before, asked.behind), asked.wait, until
        )
        channel.use(poll)
        if reply.events or reply.gap:
            channel.send(endpoint.spell(reply.events, reply.cursor, reply.more, reply.gap))
        else:
            channel.setTimeout(None)
            poll.park(endpoint.hold(asked.wait))


class LaneChannel(FeedChannel):
    """
    A connection whose polls may take the fast lane.

    What may come next (`use`) is remembered only as long as nothing else has happened on the
    connection; for that time the site's `Watch` reads.

    :ivar callback: the JSONP function's name in the poll that the lane took last, or None.
    """

    __slots__ = ("_held", "_looking", "_poll", "_watched", "callback")

    site: "LaneSite"
    _HTTPChannel__first_line: int

    def __init__(self) -> None:
        super().__init__()
        self.callback: bytes | None = None
        self._held = b""
        self._looking: Deferred[None] | None = None
        self._poll: RepeatedPoll | None = None
        self._watched: int | None = None

    def dataReceived(self, data: bytes) -> None:
        """Take the lane, or wait behind the poll that is parked, or be twisted.web's."""
        poll = self._poll
        if poll is not None:
            if poll.waits:
                self._hold(data)
                return
            if self.site.lane.repeat(poll, data):
                self.setTimeout(None)
                return
        if self._looking is not None:
            self._hold(data)
        elif not (data.startswith(START) and self._is_quiet() and self.site.lane.take(self, data)):
            self.use(None)
            self.unwatch()
            super().dataReceived(data)

    def use(self, poll: RepeatedPoll | None) -> None:
        """
        Remember the poll that the lane takes now, or that what comes next is not for the lane.
        """
        last, self._poll = self._poll, poll
        if last is not None:
            last.lost()
        if poll is not None:
            self._let_watch()

    def look(self, look: Coroutine[Any, Any, None]) -> None:
        """Let `look` find the answer; the connection waits for it, and is not idle."""
        self.use(None)
        self.setTimeout(None)
        self._looking = _BEGUN
        looking = Deferred.fromCoroutine(look)
        looking.addErrback(
            lambda failure: _log.failure("a poll cannot be answered", failure=failure)
        )
        if self._looking is _BEGUN:
            self._looking = looking

    def looked(self) -> None:
        """The look is over."""
        self._looking = None

    def send(self, json: bytes) -> None:
        """Answer the poll; then go on with what has come behind it."""
        self.write_out(self.site.lane.spelling.answer(json, self.callback))

    def write_out(self, response: bytes) -> None:
        """
        Send `response`, with those of its fan-out or at once; then go on with what has come behind
        the poll.
        """
        site = self.site
        self.setTimeout(site.timeOut)
        if site.outbox.is_open:
            site.outbox.keep(self, response)
        else:
            self.send_now(response)
        if self._held:
            self._go_on()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Leave the poll, or look no closer."""
        self._sends_directly = False  # there is no socket any more, and who looks may still answer
        watched, self._watched = self._watched, None
        if watched is not None and self.site.watch is not None:
            self.site.watch.forget(watched)
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel()
        self.use(None)
        super().connectionLost(reason)

    def loseConnection(self) -> None:
        """Nothing that comes from now on is for the lane."""
        self.use(None)
        self.unwatch()
        super().loseConnection()

    def pauseProducing(self) -> None:
        """The peer takes no answers: it is the reactor, then, that reads no more."""
        self.unwatch()
        super().pauseProducing()

    def unwatch(self) -> None:
        """Let the reactor read again, if the `Watch` does now."""
        watched, self._watched = self._watched, None
        if watched is not None and self.site.watch is not None:
            self.site.watch.remove(watched)

    def _is_quiet(self) -> bool:
        """Whether twisted.web is between two requests here, and would take this one now."""
        return bool(
            self.line_mode
            and self._HTTPChannel__first_line == 1  # 2: an empty line has come before it
            and not self.requests
            and not self._buffer
            and not self._behind
            and self.persistent
            and not self.transport.disconnecting
        )

    def _let_watch(self) -> None:
        """
        Let the site's `Watch` read, where it can and nothing keeps the connection from being read;
        else the reactor does.
        """
        watch = self.site.watch
        paused = self._waitingForTransport or len(self._held) > MAX_HELD_BYTES
        if watch is not None and self._watched is None and self._sends_directly and not paused:
            with suppress(
                OSError
            ):  # the kernel's bound of what is watched, fs.epoll.max_user_watches
                self._watched = watch.add(self)

    def _hold(self, data: bytes) -> None:
        self._held += data
        if len(self._held) > MAX_HELD_BYTES:
            self.unwatch()
            self.transport.pauseProducing()

    def _go_on(self) -> None:
        held, self._held = self._held, b""
        self.use(None)
        if len(held) > MAX_HELD_BYTES and not self._waitingForTransport:
            self.transport.resumeProducing()
        self.setLineMode(held)


class LaneSite(FeedSite):
    """
    A `FeedSite` with a fast lane.

    :param watch: reads from the connections whose next read is a poll, as a rule; None: the reactor
        does.
    :param outbox: where the answers of a fan-out are kept.
    """

    protocol = LaneChannel

    def __init__(
        self, lane: Lane, watch: Watch | None, outbox: Outbox, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.lane = lane
        self.watch = watch
        self.outbox = outbox
