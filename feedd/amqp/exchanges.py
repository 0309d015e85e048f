"""
The names of exchanges: the one that carries an author, and those that are remembered.

The name is a template: ``{user}`` gives each author an exchange of their own; ``{shard}`` gives
them one of `shards`, number crc32(author) modulo `shards`, for sites with more authors than a
broker likes to have exchanges. The routing key of a message on a shard is its author.
"""

from collections.abc import Iterator
from zlib import crc32

from feedd.feed.settings import BadConfig

MAX_NAME_BYTES = 255
LONGEST_USER = 64


class Exchanges:
    """Names exchanges after authors."""

    def __init__(self, template: str, shards: int) -> None:
        """
        `template` holds ``{user}`` or ``{shard}``.

        :raises BadConfig: when an exchange could get a name longer than AMQP allows.
        """
        if len(template.encode()) + LONGEST_USER > MAX_NAME_BYTES:
            raise BadConfig(["broker.exchange is too long"])
        self.sharded = "{shard}" in template
        self._template = template
        names = [template.replace("{shard}", str(number)).encode() for number in range(shards)]
        self._shards = names if self.sharded else []

    def of(self, author: str) -> bytes:
        """The exchange that carries `author`."""
        if self.sharded:
            return self.shard_of(author.encode())
        return self._template.replace("{user}", author).encode()

    def shard_of(self, routing_key: bytes) -> bytes:
        """The shard that carries the author whose name is this."""
        shards = self._shards
        return shards[crc32(routing_key) % len(shards)]


class Remembered:
    """The last `limit` names that were added; an older one is forgotten."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._names: dict[bytes, None] = {}

    def add(self, name: bytes) -> None:
        """Remember `name` as the newest."""
        self._names.pop(name, None)
        self._names[name] = None
        if len(self._names) > self._limit:
            del self._names[next(iter(self._names))]

    def discard(self, name: bytes) -> None:
        """Forget `name`."""
        self._names.pop(name, None)

    def clear(self) -> None:
        """Forget all."""
        self._names.clear()

    def __contains__(self, name: bytes) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[bytes]:
        return iter(list(self._names))

    def __len__(self) -> int:
        return len(self._names)
