"""Counts of what happened, by name."""

from collections import Counter


class Counters:
    """Named counts that only go up; ``/status`` and the tests of every bound read them."""

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
