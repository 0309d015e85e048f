"""
The bell over RabbitMQ: the `Broker` port, on one connection that is kept up.
"""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from feedd.amqp.authors import FollowedAuthors
from feedd.amqp.exchanges import Exchanges
from feedd.amqp.hosts import make_hosts, parse_address
from feedd.amqp.inbox import Inbox, Receiver
from feedd.amqp.protocol.client import Client
from feedd.amqp.protocol.closed import Closed, describe
from feedd.amqp.seal import Seal
from feedd.amqp.session import Session, Sessions
from feedd.core.counters import Counters
from feedd.core.event import Event
from feedd.feed.settings import Broker
from feedd.reactor.complaints import Complaints
from feedd.reactor.link import Backoff, Host, Link, Steps, Useless

BACKOFF = Backoff(first_seconds=0.5, longest_seconds=30.0)
MAX_BOUND_AGAIN = 10_000
BIND_AGAIN_SECONDS = 5.0


class AMQPBroker(Service):
    """
    `feedd.feed.ports.Broker` over AMQP 0-9-1, made for RabbitMQ 3.8 and later.

    Counts ``amqp_blocked`` (an alarm of the broker), ``amqp_unreadable``, ``amqp_hints`` (without a
    seal), ``amqp_other_seal``, ``amqp_foreign_exchange``, ``amqp_unfollowed``, ``amqp_too_large``,
    ``amqp_publish_dropped`` (broker away, blocked or slow), ``amqp_publish_lost`` (under way when a
    channel went, or its exchange cannot be had), ``amqp_publish_nacked``, ``amqp_refused`` (an
    exchange that we may not use), ``amqp_unknown_methods``, ``amqp_stray_frames``,
    ``amqp_returned``, ``amqp_bound_again`` (see `missed`) and ``amqp_errors``.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: Broker,
        password: str,
        receiver: Receiver,
        counters: Counters,
        now_ms: Callable[[], int],
        random: Callable[[], float],
        changed: Callable[[], None] = lambda: None,
        hosts: Sequence[Host] | None = None,
    ) -> None:
        """
        :param changed: called when `up` changes.
        :param reactor: an `IReactorTime` that can connect.
        :param password: counts instead of the URL's, unless it is empty.
        :param random: a number from 0 to 1.
        :param hosts: where to connect instead of to the URL's hosts; for tests.
        :raises BadConfig: when the URL or the exchange's name cannot be used.
        """
        self._address = parse_address(settings.url, password)
        self._clock: Any = reactor
        self._settings = settings
        self._changed = changed
        self._complain = Complaints(counters, self._clock.seconds)
        self._authors = FollowedAuthors(
            Exchanges(settings.exchange, settings.shards), settings.linger_seconds
        )
        self._seal = Seal()
        self._sessions = Sessions(self._authors, self._seal, settings.queue_length, self._complain)
        self._inbox = Inbox(
            self._authors,
            self._seal,
            receiver,
            self._complain,
            counters,
            now_ms,
            f"{random():.17f}",
        )
        steps = Steps(self._make_client, self._use, self._lost, self._told)
        if hosts is None:
            hosts = make_hosts(reactor, self._address, settings.timeout_seconds)
        self._link = Link(reactor, hosts, steps, BACKOFF, random)
        self._session: Session | None = None
        self._ready = False
        self._expiry: DelayedCall | None = None
        self._bound_again: dict[bytes, float] = {}
        self._counters = counters

    @property
    def up(self) -> bool:
        """
        Whether events travel: connected, consuming, bound to every author that is followed, and the
        broker takes what is published. One under an alarm takes nothing, of any process.
        """
        session = self._session
        return self._ready and session is not None and session.client.blocked is None

    @property
    def trouble(self) -> str:
        """Why not, or which exchange the broker refuses; "" when all is well."""
        if self._ready and self._session is not None:
            return self._session.trouble
        return self._link.trouble or "connecting"

    def seal_with(self, epoch: str, key: bytes) -> None:
        """Seal what is published from now on, and believe what bears the same seal."""
        self._seal.begin(epoch, key)

    def follow(self, author: str) -> None:
        """Bind the exchange of `author` soon. Once is enough, again does no harm."""
        exchange = self._authors.follow(author)
        if exchange is not None and self._session is not None:
            self._session.look_at(exchange)

    def unfollow(self, author: str) -> None:
        """Unbind the exchange of `author` when ``linger_seconds`` pass without `follow`."""
        self._authors.unfollow(author, self._clock.seconds())
        self._schedule_expiry()

    def publish(self, events: Sequence[Event]) -> None:
        """Publish these events; what cannot go out now is dropped and counted."""
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
        exchange, now = self._authors.exchanges.of(author), self._clock.seconds()
        if (
            self._session is None
            or not self._authors.needs(exchange)
            or self._bound_again.get(exchange, -1e9) > now
        ):
            return
        if len(self._bound_again) >= MAX_BOUND_AGAIN:
            self._bound_again.clear()
        self._bound_again[exchange] = now + BIND_AGAIN_SECONDS
        self._counters.add("amqp_bound_again")
        self._session.bind_again(exchange)

    async def when_idle(self) -> None:
        """Return when the bindings are what they should be; at once when the broker is away."""
        if self._session is not None:
            await self._session.when_idle()

    def startService(self) -> None:
        super().startService()
        self._link.start()

    def stopService(self) -> Deferred[None]:
        """Unbind and close the connection; fires when it has gone."""
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

    def _make_client(self) -> Client:
        heartbeat_seconds = self._address.heartbeat_seconds
        if heartbeat_seconds is None:
            heartbeat_seconds = self._settings.heartbeat_seconds
        return Client(
            self._address.login,
            self._clock,
            self._inbox,
            self._complain,
            heartbeat_seconds,
            self._settings.timeout_seconds,
        )

    async def _use(self, client: Client) -> None:
        try:
            await client.open()
            session = self._session = await self._sessions.open(client)
            client.on_blocked = lambda: self._blocked(session)
            await session.start(self._authors.needed())
        except (Closed, TimeoutError) as error:
            raise Useless(describe(error)) from None
        self._ready = True
        self._changed()

    def _told(self, host: str, trouble: str) -> None:
        if trouble:
            self._log.warn("the broker is away: {host}: {trouble}", host=host, trouble=trouble)
        else:
            self._log.info("connected to the broker at {host}", host=host)

    def _blocked(self, session: Session) -> None:
        """The broker has stopped, or begun again, to take messages."""
        reason = session.client.blocked
        if reason is not None:
            self._complain("amqp_blocked", f"the broker takes no messages: {reason}")
        else:
            self._log.info("the broker takes messages again")
            session.wake()
        if self._ready:
            self._changed()

    def _lost(self, client: Client) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.lost()
        if self._ready:
            self._ready = False
            self._changed()

    def _schedule_expiry(self) -> None:
        at = self._authors.next_expiry()
        if at is not None and self._expiry is None:
            self._expiry = self._clock.callLater(max(0.0, at - self._clock.seconds()), self._expire)

    def _expire(self) -> None:
        self._expiry = None
        for exchange in self._authors.expire(self._clock.seconds()):
            if self._session is not None:
                self._session.look_at(exchange)
        self._schedule_expiry()
