"""
Makes events of the messages that the broker brings.
"""

from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

from feedd.amqp.authors import FollowedAuthors
from feedd.amqp.event_frames import seal_in
from feedd.amqp.protocol.frames import unpack_properties
from feedd.amqp.protocol.methods import BASIC
from feedd.amqp.seal import HEADER, Seal
from feedd.core.counters import Counters
from feedd.core.event import Event, UnreadableEvent, foreign_message, is_user, parse_event
from feedd.core.hint import parse_hint
from feedd.reactor.complaints import Complain

DEFAULT_EXCHANGE = b""

FIRST_MS = 100_000_000_000
"""
A timestamp is in seconds (AMQP 0-9-1), which reach this number in the year 5138; producers that
send milliseconds exist.
"""

MAX_MS = 1 << 53


class Receiver(NamedTuple):
    """
    What an inbox hands on.

    :ivar deliver: called with an event that stands in the log, or with a foreign message.
    :ivar hint: called with the id of an event that may stand in the log: only its row says so.
    """

    deliver: Callable[[Event], object]
    hint: Callable[[int], object]


class Inbox:
    """
    Takes each message that arrives. One that is sealed is an event; another that looks like one is
    a hint; any other JSON is a foreign message. All else is counted and dropped.
    """

    def __init__(
        self,
        authors: FollowedAuthors,
        seal: Seal,
        receiver: Receiver,
        complain: Complain,
        counters: Counters,
        now_ms: Callable[[], int],
        instance: str,
    ) -> None:
        """:param instance: a word that no other process has."""
        self._authors = authors.by_name
        self._exchanges = authors.exchanges
        self._sharded = authors.exchanges.sharded
        self._seal = seal
        self._deliver, self._hint = receiver
        self._complain = complain
        self._counters = counters
        self._now_ms = now_ms
        self._seeds = (b"\0%b %d" % (instance.encode(), number) for number in count())

    def __call__(self, exchange: bytes, routing_key: bytes, header: bytes, body: bytes) -> None:
        """
        `header` is the message's property flags and values; see `feedd.amqp.protocol.frame_reader`.
        """
        # Before the body is read: a message for nobody costs 2.6 us with its frames, a heard 7.4.
        author = self._authors.get(routing_key if self._sharded else exchange)
        if author is None:
            self._miss(exchange, routing_key)
            return
        if self._sharded and exchange != self._exchanges.shard_of(routing_key):
            why = f"a message of {author} on {exchange!r}, which is not their exchange"
            self._complain("amqp_foreign_exchange", why)
            return
        try:
            seal = seal_in(header) or _seal_anywhere_in(header)
            if seal:
                self._take_sealed(author, seal, body)
            else:
                self._take_unsealed(author, header, body)
        except UnreadableEvent as error:
            self._complain("amqp_unreadable", f"a message for {author}: {error}")

    def _take_sealed(self, author: str, seal: bytes, body: bytes) -> None:
        if not self._seal.fits(seal, body):
            why = "a message with the seal of another database, or a wrong one"
            self._complain("amqp_other_seal", why)
            return
        event = parse_event(body, author)
        if event is None:
            raise UnreadableEvent("it is sealed, and no event")
        self._deliver(event)

    def _take_unsealed(self, author: str, header: bytes, body: bytes) -> None:
        id = parse_hint(body, author)
        if id is None:
            self._deliver(self._foreign(body, author, header))
        else:
            self._counters.add("amqp_hints")
            self._hint(id)

    def _miss(self, exchange: bytes, routing_key: bytes) -> None:
        if exchange == DEFAULT_EXCHANGE:
            return  # the probe's message to ourselves
        if self._sharded and not is_user(routing_key.decode("ascii", "replace")):
            self._complain(
                "amqp_unreadable", f"a message on {exchange!r} whose routing key is no author"
            )
            return
        # On a shard that is most of them, and nothing to complain of.
        self._counters.add("amqp_unfollowed")

    def _foreign(self, body: bytes, author: str, header: bytes) -> Event:
        properties: dict[str, Any] = unpack_properties(BASIC, header)
        at = properties.get("timestamp", 0)
        at = at if at >= FIRST_MS else at * 1000
        return foreign_message(
            body,
            author,
            properties.get("message-id") or next(self._seeds),
            at if 0 < at < MAX_MS else self._now_ms(),
        )


def _seal_anywhere_in(header: bytes) -> bytes:
    """The seal among these properties, however they are laid out: a broker may add to them."""
    if HEADER.encode() not in header:
        return b""
    headers = unpack_properties(BASIC, header).get("headers") or {}
    seal = headers.get(HEADER, b"")
    return seal if isinstance(seal, bytes) else b"?"
