"""
One connection to a memcached.

`twisted.protocols.memcache` with what it lacks: a bound on what is outstanding and on what is read,
silence in the log, and no clock of its own (its timer takes the global reactor and starts anew with
every line; `feedd.cache.server` limits each command). Commands and keys are not checked by the
protocol: a key must be a `feedd.cache.ring.checked_key`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from twisted.internet.defer import Deferred, gatherResults
from twisted.protocols.memcache import MemCacheProtocol, ServerError
from twisted.python.failure import Failure

from feedd.core.counters import Counters

MAX_READ_BYTES = 4_194_304
"""
A longer value is not ours: memcached takes 1 MiB unless told otherwise. The connection is dropped
instead.
"""

MAX_LINE_BYTES = 16_384

BUFFER_BYTES = 262_144
"""
Read at once, if it is there: some 300 lists of a hundred friends, where Twisted's own buffer holds
80.
"""

KEYS = 100
"""Keys in one command that reads."""

_ANSWERS = {
    b"version": (b"VERSION",),
    b"gets": (b"END",),
    b"add": (b"STORED", b"NOT_STORED"),
    b"cas": (b"STORED", b"EXISTS", b"NOT_FOUND"),
    b"delete": (b"DELETED", b"NOT_FOUND"),
}
"""
The line that ends the answer to each of our commands (memcached's protocol.txt), SERVER_ERROR
apart.
"""


class Item(NamedTuple):
    """
    The item at a key: its value, None for nothing, the number of this very value, for
    `Connection.cas`, and the flags that its writer gave it, 0 when feedd was it.
    """

    value: bytes | None
    cas: bytes
    flags: int = 0


class LeaseRequest(NamedTuple):
    """
    A request for a lease: put `mark` at `key`, over the value whose number is `over`, or where
    there is nothing when that is b"".
    """

    key: bytes
    mark: bytes
    over: bytes


class OutOfStep(Exception):
    """The server said something that answers nothing we asked, or too much of it."""


class Connection(MemCacheProtocol):
    """
    One connection, as `feedd.reactor.link` holds it.

    :ivar heard: how often something has come.
    :ivar trouble: why it ended, "" before.
    """

    def __init__(self, counters: Counters) -> None:
        super().__init__(timeOut=None)
        self.heard = 0
        self.trouble = ""
        self._counters = counters
        self._unread = b""
        self._waiting: list[Deferred[None]] = []

    @property
    def _transport(self) -> Any:
        """An `ITCPTransport`, whose methods a type checker cannot call."""
        return self.transport

    @property
    def outstanding(self) -> int:
        """How many commands wait for their answer."""
        return len(self._current)

    def fail(self, why: str) -> None:
        """End the connection at once; what is outstanding fails. May be called again."""
        if not self._disconnected:
            self.trouble = self.trouble or why
            self._transport.abortConnection()

    async def when_lost(self) -> str:
        """`trouble`, when the connection has ended."""
        if not self._disconnected:
            waiting: Deferred[None] = Deferred()  # once cancelled, it ignores the result
            self._waiting.append(waiting)
            await waiting
        return self.trouble

    def greet(self) -> Deferred[bytes]:
        """Fires with the server's version: it is a memcached, and alive."""
        return cast("Deferred[bytes]", self.version())

    def read_all(self, keys: Sequence[bytes]) -> Deferred[dict[bytes, Item]]:
        """Fires with what the server has for each of `keys`, at least one: a single command."""
        found: Deferred[dict[bytes, tuple[int, bytes, bytes | None]]] = self.getMultiple(
            keys, withIdentifier=True
        )
        return found.addCallback(
            lambda answer: {
                key: Item(value, cas, flags) for key, (flags, cas, value) in answer.items()
            }
        )

    def take_all(
        self, requests: Sequence[LeaseRequest], seconds: int
    ) -> Deferred[dict[bytes, Item]]:
        """
        Put each mark where there is nothing, or over the value whose number is known; fires with
        what the server has then.

        All commands go out at once: the answer to the last ones says how the first ones ended, and
        the marks' numbers.
        """
        for key, mark, over in requests:
            put = (
                self.cas(key, mark, over, seconds)
                if over
                else self.add(key, mark, expireTime=seconds)
            )
            put.addErrback(lambda _: None)
        keys = [request.key for request in requests]
        reads = [self.read_all(keys[start : start + KEYS]) for start in range(0, len(keys), KEYS)]
        return gatherResults(reads, consumeErrors=True).addCallback(_merged)

    def cas(self, key: bytes, value: bytes, over: bytes, seconds: int) -> Deferred[bool]:
        """
        Put `value` over the value whose number is `over`; fires with False when that is no longer
        there.
        """
        return cast("Deferred[bool]", self.checkAndSet(key, value, over, expireTime=seconds))

    def delete_all(self, keys: Sequence[bytes]) -> Deferred[list[bool]]:
        """Delete `keys`, pipelined; fires when the server has answered for each."""
        deletions = [self.delete(key) for key in keys]
        return gatherResults(deletions, consumeErrors=True)

    def connectionMade(self) -> None:
        self._transport.setTcpKeepAlive(True)
        self._transport.setTcpNoDelay(True)
        self._transport.bufferSize = BUFFER_BYTES

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.trouble = self.trouble or reason.getErrorMessage()
        waiting, self._waiting = self._waiting, []
        # First the server must know, then those whose commands fail: they may ask again at once.
        for each in waiting:
            each.callback(None)
        super().connectionLost(reason)

    def dataReceived(self, data: bytes) -> None:
        """An answer that cannot be understood ends this connection, and nothing else."""
        self.heard += 1
        try:
            self._unread = self._take(self._unread + data)
        except Exception:
            self._counters.add("cache_out_of_step")
            self.fail("an answer that cannot be understood")

    def _take(self, data: bytes) -> bytes:
        """
        Work off what is whole in `data`, and return the rest.

        The base class would copy all that is left behind every line: a quarter of a megabyte, four
        times for each list.
        """
        at = 0
        while not self._disconnected and (end := data.find(b"\r\n", at)) >= 0:
            line = data[at:end]
            if line.startswith(b"VALUE "):
                size = self._value_bytes(line)
                if len(data) < end + size + 4:
                    break
                self._value(line, data[end + 2 : end + size + 4])
                end += size + 2
            else:
                self.lineReceived(line)
            at = end + 2
        if end < 0 and len(data) - at > MAX_LINE_BYTES:
            raise OutOfStep("line too long")
        return data[at:]

    def _value_bytes(self, line: bytes) -> int:
        size = int(line.split()[3])
        if not 0 <= size <= MAX_READ_BYTES:
            raise OutOfStep("value too long")
        return size

    def _value(self, line: bytes, value: bytes) -> None:
        """
        One of the values that the command whose turn it is has asked for, with the line break
        behind it.
        """
        _, key, flags, _, cas = line.split()
        values = self._current[0].values
        if key not in values or not value.endswith(b"\r\n"):
            raise OutOfStep(repr(line[:80]))
        values[key] = (int(flags), cas, value[:-2])

    def lineReceived(self, line: bytes) -> None:
        """
        Refuse what is no answer to the command whose turn it is; the base class would hand it to
        the asker, or lose him.
        """
        command = self._current[0].command if self._current else b""
        word = line.partition(b" ")[0]
        if word not in _ANSWERS.get(command, ()) and (word != b"SERVER_ERROR" or not command):
            raise OutOfStep(repr(line[:80]))
        super().lineReceived(line)

    def cmd_SERVER_ERROR(self, text: bytes = b"") -> None:
        """Out of memory, or an item too large: one command's trouble."""
        self._current.popleft().fail(ServerError(repr(text)))


def _merged(answers: list[dict[bytes, Item]]) -> dict[bytes, Item]:
    return {key: item for answer in answers for key, item in answer.items()}
