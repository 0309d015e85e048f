"""
One connection to a memcached.

`twisted.protocols.memcache` with what it lacks: a bound on what is outstanding and on what is read, silence in the log, and no
clock of its own (its timer takes the global reactor and starts anew with every line; `feedd.cache.server` limits each command).
Commands and keys are not checked by the protocol: a key must be a `feedd.cache.ring.checked_key`.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

from twisted.internet.defer import Deferred, gatherResults
from twisted.protocols.memcache import MemCacheProtocol, ServerError
from twisted.python.failure import Failure

from feedd.counters import Counters

MAX_READ_BYTES = 4_194_304
"""A longer value is not ours: memcached takes 1 MiB unless told otherwise. The connection is dropped instead."""


_ANSWERS = {
    b"version": (b"VERSION",),
    b"gets": (b"VALUE", b"END"),
    b"add": (b"STORED", b"NOT_STORED"),
    b"cas": (b"STORED", b"EXISTS", b"NOT_FOUND"),
    b"delete": (b"DELETED", b"NOT_FOUND"),
}
"""What a server may say to each of our commands (memcached's protocol.txt), SERVER_ERROR apart."""


class Item(NamedTuple):
    """What the server has for a key: `value`, None for nothing, and the number of this very value, for `Connection.cas`."""

    value: bytes | None
    cas: bytes


class OutOfStep(Exception):
    """The server said something that answers nothing we asked, or too much of it."""


class Connection(MemCacheProtocol):
    """One connection; `made` and `lost` are told when it begins and ends."""

    def __init__(self, made: Callable[["Connection"], None], lost: Callable[["Connection"], None], counters: Counters) -> None:
        super().__init__(timeOut=None)
        self._made = made
        self._lost = lost
        self._counters = counters

    @property
    def _transport(self) -> Any:
        """An `ITCPTransport`, whose methods a type checker cannot call."""
        return self.transport

    @property
    def outstanding(self) -> int:
        """How many commands wait for their answer."""
        return len(self._current)

    def abort(self) -> None:
        """Drop the connection at once; what is outstanding fails. Safe to repeat."""
        if not self._disconnected:
            self._transport.abortConnection()

    def greet(self) -> Deferred[bytes]:
        """Fires with the server's version: it is a memcached, and alive."""
        return cast("Deferred[bytes]", self.version())

    def read(self, key: bytes) -> Deferred[Item]:
        """Fires with what the server has."""
        found: Deferred[tuple[int, bytes, bytes | None]] = self.get(key, withIdentifier=True)
        return found.addCallback(lambda answer: Item(answer[2], answer[1]))

    def take(self, key: bytes, value: bytes, seconds: int, over: bytes) -> Deferred[Item]:
        """
        Put `value` where there is nothing, or over the value whose number is `over`; fires with what the server has then.

        Both commands go out at once: the answer to the second one says how the first one ended, and the value's number.
        """
        put = self.cas(key, value, over, seconds) if over else self.add(key, value, expireTime=seconds)
        put.addErrback(lambda _: None)
        return self.read(key)

    def cas(self, key: bytes, value: bytes, over: bytes, seconds: int) -> Deferred[bool]:
        """Put `value` over the value whose number is `over`; fires with False when that is no longer there."""
        return cast("Deferred[bool]", self.checkAndSet(key, value, over, expireTime=seconds))

    def delete_all(self, keys: Sequence[bytes]) -> Deferred[list[bool]]:
        """Delete `keys`, pipelined; fires when the server has answered for each."""
        deletions = [self.delete(key) for key in keys]
        return gatherResults(deletions, consumeErrors=True)

    def connectionMade(self) -> None:
        self._transport.setTcpKeepAlive(True)
        self._transport.setTcpNoDelay(True)
        self._made(self)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self._lost(self)
        super().connectionLost(reason)

    def dataReceived(self, data: bytes) -> None:
        """An answer that cannot be understood ends this connection, and nothing else."""
        try:
            super().dataReceived(data)
        except Exception:
            self._counters.add("cache_out_of_step")
            self.abort()

    def lineReceived(self, line: bytes) -> None:
        """Refuse what is no answer to the command whose turn it is; the base class would hand it to the asker, or lose him."""
        command = self._current[0].command if self._current else b""
        word = line.partition(b" ")[0]
        if word not in _ANSWERS.get(command, ()) and (word != b"SERVER_ERROR" or not command):
            raise OutOfStep(repr(line[:80]))
        super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        raise OutOfStep("line too long")

    def cmd_VALUE(self, line: bytes) -> None:
        super().cmd_VALUE(line)
        if cast(int, self._lenExpected) > MAX_READ_BYTES:
            raise OutOfStep("value too long")

    def cmd_SERVER_ERROR(self, text: bytes = b"") -> None:
        """Out of memory, or an item too large: one command's trouble."""
        self._current.popleft().fail(ServerError(repr(text)))
