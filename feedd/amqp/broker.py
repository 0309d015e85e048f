"""
The bell over RabbitMQ: the `Broker` port, on one connection that is kept up.

This module wires the parts of this folder; it does not know the log, the hub or browsers.
"""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred

from feedd.amqp.authors import Following
from feedd.amqp.exchanges import Exchanges, Remembered
from feedd.amqp.hosts import Door, make_doors, parse_address
from feedd.amqp.inbox import Inbox
from feedd.amqp.link import Link
from feedd.amqp.protocol.client import Client
from feedd.amqp.session import Session
from feedd.core.counters import Counters
from feedd.core.event import Event
from feedd.feed.settings import Broker
from feedd.reactor.complaints import Complaints

MAX_AS_IT_IS = 100_000
MAX_BOUND_AGAIN = 10_000
BIND_AGAIN_SECONDS = 5.0


class AMQPBroker(Service):
    """
    `feedd.feed.ports.Broker` over AMQP 0-9-1, made for RabbitMQ 3.8 and later.

    Counts ``amqp_unreadable``, ``amqp_unfollowed``, ``amqp_too_large``, ``amqp_publish_dropped``
    (broker away, blocked or slow), ``amqp_publish_lost`` (under way when a channel went),
    ``amqp_publish_nacked``, ``amqp_refused`` (an exchange that we may not use),
    ``amqp_unknown_methods``, ``amqp_stray_frames``, ``amqp_returned``, ``amqp_bound_again`` (see
    `missed`) and ``amqp_errors``.
    """

    def __init__(
        self,
        reactor: Any,
        settings: Broker,
        password: str,
        deliver: Callable[[Event], object],
        counters: Counters,
        now_ms: Callable[[], int],
        random: Callable[[], float],
        changed: Callable[[], None] = lambda: None,
        doors: Sequence[Door] | None = None,
    ) -> None:
        """
        `changed` is called when `up` flips.

        :param reactor: an `IReactorTime` that can connect.
        :param password: counts instead of the URL's, unless it is empty.
        :param random: a number from 0 to 1.
        :param doors: where to connect instead of to the URL's hosts; for tests.
        :raises BadConfig: when the URL or the exchange's name cannot be used.
        """
        address = parse_address(settings.url, password)
        heartbeat = (
            settings.heartbeat_seconds
            if address.heartbeat_seconds is None
            else address.heartbeat_seconds
        )
        timeout = settings.timeout_seconds
        self._clock: Any = reactor
        self._settings = settings
        self._changed = changed
        self._complain = Complaints(counters, self._clock.seconds)
        self._following = Following(
            Exchanges(settings.exchange, settings.shards), settings.linger_seconds
        )
        self._as_it_is = Remembered(MAX_AS_IT_IS)
        inbox = Inbox(self._following, deliver, self._complain, counters, now_ms)
        self._link = Link(
            self._clock,
            make_doors(reactor, address, timeout) if doors is None else doors,
            lambda: Client(address.login, self._clock, inbox, self._complain, heartbeat, timeout),
            self._use,
            self._lost,
            random,
        )
        self._session: Session | None = None
        self._ready = False
        self._expiry: DelayedCall | None = None
        self._bound_again: dict[bytes, float] = {}
        self._counters = counters

    @property
    def up(self) -> bool:
        """
        Whether what others publish is heard: connected, consuming, bound to every author that is
        followed.
        """
        return self._ready

    @property
    def trouble(self) -> str:
        """Why not, or that the broker takes nothing from us at the moment; "" when all is well."""
        if self._ready and self._session is not None and self._session.client.blocked is not None:
            return f"the broker takes no messages: {self._session.client.blocked}"
        return "" if self._ready else self._link.trouble or "connecting"

    def follow(self, author: str) -> None:
        """Start hearing `author`, soon. Again is as good as once."""
        exchange = self._following.follow(author)
        if exchange is not None and self._session is not None:
            self._session.look_at(exchange)

    def unfollow(self, author: str) -> None:
        """Stop hearing `author` when nobody has followed them again for ``linger_seconds``."""
        self._following.unfollow(author, self._clock.seconds())
        self._schedule_expiry()

    def publish(self, events: Sequence[Event]) -> None:
        """Ring for these events; what cannot go out now is dropped and counted."""
        if self._session is None or not self._ready:
            self._complain("amqp_publish_dropped", "the broker is away", len(events))
            return
        for event in events:
            self._session.publish(event)

    def missed(self, author: str) -> None:
        """
        Declare and bind the author's exchange again: somebody may have deleted it, or unbound our
        queue.

        The probe cannot see that; only the net can. It is also called for what was never published,
        such as an INSERT by the site, so an exchange is bound again every `BIND_AGAIN_SECONDS` at
        most.
        """
        exchange, now = self._following.exchanges.of(author), self._clock.seconds()
        if (
            self._session is None
            or not self._following.needs(exchange)
            or self._bound_again.get(exchange, -1e9) > now
        ):
            return
        if len(self._bound_again) >= MAX_BOUND_AGAIN:
            self._bound_again.clear()
        self._bound_again[exchange] = now + BIND_AGAIN_SECONDS
        self._counters.add("amqp_bound_again")
        self._session.bind_again(exchange)

    async def settled(self) -> None:
        """Return when the bindings are what they should be; at once when the broker is away."""
        if self._session is not None:
            await self._session.settled()

    def startService(self) -> None:
        super().startService()
        self._link.start()

    def stopService(self) -> Deferred[None]:
        """Unbind, say farewell, hang up; fires when the connection has gone."""
        super().stopService()
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        return Deferred.fromCoroutine(self._leave())

    async def _leave(self) -> None:
        session = self._session
        if session is not None and self._ready:
            await session.leave(self._settings.timeout_seconds)
        await self._link.stop()

    async def _use(self, client: Client) -> None:
        session = self._session = Session(
            client, self._following, self._as_it_is, self._settings, self._complain
        )
        client.on_blocked = session.wake
        await session.open()
        self._ready = True
        self._changed()

    def _lost(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.lost()
        if self._ready:
            self._ready = False
            self._changed()

    def _schedule_expiry(self) -> None:
        at = self._following.next_expiry()
        if at is not None and self._expiry is None:
            self._expiry = self._clock.callLater(max(0.0, at - self._clock.seconds()), self._expire)

    def _expire(self) -> None:
        self._expiry = None
        for exchange in self._following.expire(self._clock.seconds()):
            if self._session is not None:
                self._session.look_at(exchange)
        self._schedule_expiry()
