"""
How often something happened.

This module knows names and numbers. It does not know who reads them.
"""

from collections import Counter


class Counters:
    """Named counts that only go up, for /status and the tests of every bound."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, name: str, amount: int = 1) -> None:
        """Count `amount` more of `name`, a word like ``amqp_unreadable``."""
        self._counts[name] += amount

    def __getitem__(self, name: str) -> int:
        return self._counts[name]

    def snapshot(self) -> dict[str, int]:
        """All counts so far, by name."""
        return dict(sorted(self._counts.items()))
