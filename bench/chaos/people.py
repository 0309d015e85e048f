"""
The users and their friendships: some never change, and some pairs come and go.
"""

import random
from collections.abc import Iterable
from itertools import combinations
from typing import NamedTuple

Pair = tuple[str, str]


class People(NamedTuple):
    """
    The users of a run. Every friendship is mutual.

    :ivar names: all users.
    :ivar stable: for each user whom they hear during the whole run.
    :ivar fickle: pairs that become friends and part again.
    """

    names: list[str]
    stable: dict[str, frozenset[str]]
    fickle: list[Pair]

    def stable_pairs(self) -> list[Pair]:
        """Each friendship that never changes, once."""
        return [
            (one, other) for one in self.names for other in sorted(self.stable[one]) if one < other
        ]

    def partners(self, name: str) -> frozenset[str]:
        """With whom `name` comes and goes."""
        return frozenset(
            other for pair in self.fickle if name in pair for other in pair if other != name
        )


def make_people(count: int, friends: int, fickle: int, rng: random.Random) -> People:
    """`count` users with about `friends` friends each, and `fickle` pairs."""
    names = [f"v{number:02}" for number in range(count)]
    pairs = list(combinations(names, 2))
    rng.shuffle(pairs)
    lasting = count * friends // 2
    return People(names, _heard(names, pairs[:lasting]), pairs[lasting : lasting + fickle])


def _heard(names: Iterable[str], pairs: Iterable[Pair]) -> dict[str, frozenset[str]]:
    heard: dict[str, set[str]] = {name: set() for name in names}
    for one, other in pairs:
        heard[one].add(other)
        heard[other].add(one)
    return {name: frozenset(others) for name, others in heard.items()}
