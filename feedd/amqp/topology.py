"""
Declares, binds and unbinds: makes the broker's exchanges and bindings what this process needs.

Work goes out in batches, pipelined without answers, with one answered call behind each batch as a
barrier. When the broker refuses something it closes the channel without a word on the rest; then
the batch is repeated one by one, on a fresh channel after each refusal, so that it costs nobody
else.
"""

from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

from twisted.internet.defer import Deferred, succeed

from feedd.amqp.exchanges import Remembered
from feedd.amqp.protocol.channel import Channel, ChannelObserver
from feedd.amqp.protocol.client import Client
from feedd.amqp.protocol.closed import ChannelClosed, describe, reply_code
from feedd.amqp.refused import RefusedExchanges
from feedd.reactor.complaints import Complain

BATCH = 100
MAX_DECLARED = 100_000
MAX_REQUESTED = 2_000
"""More would take longer than the tail does, which brings every event within a second or so."""

NOT_FOUND = 404
REFUSED = (403, 406)
"""
We may not declare it, or it exists with other properties: both times it may well be there to be
used.
"""

# For a fanout exchange any key does; a producer's own topic exchange gives everything for this one.
BINDING_KEY = b"#"


class _Task(NamedTuple):
    """The work that one exchange needs. `requested`: `Topology.answered` is to be told."""

    exchange: bytes
    requested: bool
    declare: bool
    bind: bool
    unbind: bool


class Topology:
    """
    The exchanges and bindings of one connection.

    :ivar needs: whether an exchange is to be bound.
    :ivar answered: told ``(exchange, there)`` for every exchange that `declare` was called for.
    :ivar bound: the exchanges bound to our queue, as far as the broker has confirmed.
    """

    def __init__(
        self,
        client: Client,
        queue: bytes,
        needs: Callable[[bytes], bool],
        as_it_is: Remembered,
        complain: Complain,
    ) -> None:
        """
        :param as_it_is: the exchanges known to have other properties than ours; what is learnt is
            added.
        """
        self.needs = needs
        self.answered: Callable[[bytes, bool], None] = lambda exchange, there: None
        self.bound: set[bytes] = set()
        self._client = client
        self._queue = queue
        self._as_it_is = as_it_is
        self._complain = complain
        self._channel: Channel | None = None
        self._declared = Remembered(MAX_DECLARED)
        self._refused = RefusedExchanges(client.clock.seconds, MAX_DECLARED)
        self._requested: set[bytes] = set()
        self._todo: dict[bytes, None] = {}
        self._working: Deferred[None] | None = None
        self._waiting: list[Deferred[None]] = []

    @property
    def trouble(self) -> str:
        """Why an exchange cannot be used, in the broker's words; "" when all can."""
        return self._refused.trouble(self.needs)

    def look_at(self, *exchanges: bytes) -> None:
        """Bind or unbind `exchanges`, soon, as `needs` then says."""
        self._todo.update(dict.fromkeys(exchanges))
        self.wake()

    def declare(self, exchange: bytes) -> bool:
        """
        Whether `exchange` is known to be there. If not, it is declared soon and `answered` is told,
        at the latest then.
        """
        if exchange in self._declared:
            return True
        if self._refused.hold(exchange) or len(self._requested) >= MAX_REQUESTED:
            self.answered(exchange, False)
        else:
            self._requested.add(exchange)
            self.look_at(exchange)
        return False

    def forget(self, exchange: bytes | None) -> None:
        """
        `exchange` has gone, or with None: some exchange has. It is declared and bound again where
        it is needed.
        """
        gone = [exchange] if exchange is not None else [*self._declared, *self.bound]
        for name in gone:
            self._declared.discard(name)
            self.bound.discard(name)
            if self.needs(name):
                self._todo[name] = None
        self.wake()

    def unbind_all(self) -> Deferred[None]:
        """
        Unbind everything: a queue that goes with many bindings would stall the broker for
        everybody.
        """
        self.needs = lambda exchange: False
        self._requested.clear()
        self._todo = dict.fromkeys(self.bound)
        self.wake()
        return self.when_idle()

    def when_idle(self) -> Deferred[None]:
        """
        Fires when nothing is left to do, or nothing can be done because the broker does not read or
        has gone.
        """
        if self._working is None:
            return succeed(None)
        self._waiting.append(Deferred())
        return self._waiting[-1]

    def wake(self) -> None:
        """Begin to work, if there is something to do and the broker reads."""
        if self._working is None and self._has_work():
            self._working = Deferred.fromCoroutine(self._work())
            self._working.addErrback(
                lambda failure: self._client.fail(f"topology: {describe(failure)}")
            )
            self._working.addBoth(self._rest)

    def _has_work(self) -> bool:
        return bool(self._todo) and self._client.blocked is None and not self._client.closed

    def _rest(self, _: object) -> None:
        self._working = None
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            deferred.callback(None)

    async def _work(self) -> None:
        while self._has_work():
            exchanges = list(islice(self._todo, BATCH))
            for exchange in exchanges:
                del self._todo[exchange]
            tasks = [task for task in map(self._task_for, exchanges) if task is not None]
            try:
                await self._do_together(tasks)
            except ChannelClosed:
                for task in tasks:
                    await self._do_alone(task)
                # Should our queue have gone, all of them were refused, and this one says so.
                await self._barrier(await self._open_channel())

    def _task_for(self, exchange: bytes) -> _Task | None:
        requested = exchange in self._requested
        self._requested.discard(exchange)
        bound, needed = exchange in self.bound, self.needs(exchange)
        bind, unbind = needed and not bound, bound and not needed
        if not (requested or bind or unbind):
            return None
        return _Task(
            exchange,
            requested,
            (requested or bind) and exchange not in self._declared,
            bind,
            unbind,
        )

    async def _do_together(self, tasks: list[_Task]) -> None:
        if not tasks:
            return
        channel = await self._open_channel()
        self._client.write(b"".join(self._pack(channel, task) for task in tasks))
        # queue.unbind has no nowait: its answers come before the barrier's, and fail with it.
        for task in tasks:
            if task.unbind:
                self._unbind(channel, task.exchange).addErrback(lambda failure: None)
        await self._barrier(channel)
        for task in tasks:
            self._done(task)

    def _pack(self, channel: Channel, task: _Task) -> bytes:
        data = b""
        if task.declare:
            passive = task.exchange in self._as_it_is
            data = channel.pack(
                "exchange.declare",
                exchange=task.exchange,
                type="fanout",
                durable=True,
                passive=passive,
                nowait=True,
            )
        if task.bind:
            data += channel.pack(
                "queue.bind",
                queue=self._queue,
                exchange=task.exchange,
                routing_key=BINDING_KEY,
                nowait=True,
            )
        return data

    async def _do_alone(self, task: _Task) -> None:
        try:
            if task.declare:
                await self._declare(task.exchange)
            channel = await self._open_channel()
            if task.bind:
                await channel.queue_bind(
                    queue=self._queue, exchange=task.exchange, routing_key=BINDING_KEY
                )
            if task.unbind:
                await self._unbind(channel, task.exchange)
        except ChannelClosed as error:
            self._give_up(task, error)
        else:
            self._done(task)

    async def _declare(self, exchange: bytes) -> None:
        """
        Declare `exchange` as ours, or find that it is there otherwise.

        :raises ChannelClosed: when it cannot be used either way.
        """
        channel = await self._open_channel()
        try:
            await channel.exchange_declare(exchange=exchange, type="fanout", durable=True)
        except ChannelClosed as error:
            if reply_code(error) not in REFUSED:
                raise
            channel = await self._open_channel()
            await channel.exchange_declare(exchange=exchange, passive=True)
            self._as_it_is.add(exchange)

    def _unbind(self, channel: Channel, exchange: bytes) -> Deferred[object]:
        unbinding: Deferred[object] = channel.queue_unbind(
            queue=self._queue, exchange=exchange, routing_key=BINDING_KEY
        )
        return unbinding

    async def _barrier(self, channel: Channel) -> None:
        """Return when the broker has done everything sent on `channel` so far."""
        await channel.queue_declare(queue=self._queue, passive=True)

    async def _open_channel(self) -> Channel:
        if self._channel is None or self._channel.closed:
            self._channel = await self._client.open_channel(ChannelObserver())
        return self._channel

    def _done(self, task: _Task) -> None:
        if task.declare:
            self._declared.add(task.exchange)
        if task.bind:
            self.bound.add(task.exchange)
        if task.unbind:
            self.bound.discard(task.exchange)
        if task.declare or task.bind:
            self._refused.discard(task.exchange)
        if task.requested:
            self.answered(task.exchange, True)

    def _give_up(self, task: _Task, error: ChannelClosed) -> None:
        """
        This exchange cannot be had on this connection; an exchange that has gone needs no
        unbinding.
        """
        self.bound.discard(task.exchange)
        self._declared.discard(task.exchange)
        if not task.unbind:
            self._refused.add(task.exchange, describe(error))
            self._complain("amqp_refused", describe(error))
        if task.requested:
            self.answered(task.exchange, False)
