"""
The seal of feedd's own messages: it proves that a message was published by a feedd of the same
database, and so that its event stands in the log.

It is a keyed hash of the epoch and the body, in the header `HEADER`. The key stands in ``meta``, so
two sites, or staging and production, may share a vhost and do not hear each other.
"""

import hashlib
from hmac import compare_digest

HEADER = "feedd-seal"
SEAL_BYTES = 32
"""Hexadecimal digits of a seal: BLAKE2b of 16 bytes."""


class Seal:
    """Seals messages, and checks seals. Before `begin` nothing is sealed, and no seal fits."""

    def __init__(self) -> None:
        self._begun: hashlib.blake2b | None = None

    def begin(self, epoch: str, key: bytes) -> None:
        """Use `key`, which has 64 bytes at most; with an empty one nothing is sealed."""
        self._begun = hashlib.blake2b(epoch.encode(), digest_size=16, key=key) if key else None

    def of(self, body: bytes) -> bytes:
        """The seal of `body`, `SEAL_BYTES` long; b"" when nothing is sealed."""
        if self._begun is None:
            return b""
        hashing = self._begun.copy()
        hashing.update(body)
        return hashing.hexdigest().encode()

    def fits(self, seal: bytes, body: bytes) -> bool:
        """Whether `seal` is that of `body`."""
        return self._begun is not None and compare_digest(seal, self.of(body))
