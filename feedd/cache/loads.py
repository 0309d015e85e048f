"""
Friend lists from the database, for many viewers with one query.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from feedd.core.counters import Counters
from feedd.feed.ports import Unavailable
from feedd.feed.settings import Cache
from feedd.reactor.batches import Batches, Bounds

Q = TypeVar("Q")

Friends = tuple[str, ...]
Load = Callable[[Sequence[str]], Awaitable[Mapping[str, Friends]]]
"""The users whom each of these viewers hears: `feedd.feed.ports.Store.friends_of`."""

VIEWERS = 300
"""
All that wait for one answer go on in one turn of the reactor: some 50 ms for a crowd of cold polls.
"""

AT_ONCE = 2
"""One that takes long holds up no other; the threads that read the database are for others too."""


def make_loads(
    load_all: Callable[[Sequence[Q]], Awaitable[Sequence[Friends]]],
    clock: Any,
    settings: Cache,
    counters: Counters,
) -> Batches[Q, Friends]:
    """
    Loads of friend lists, in batches; past ``cache.max_waiting`` a list is `Unavailable`, counted
    as ``friends_refused``.

    :param load_all: the lists that these questions ask for, in their order.
    :param clock: an `IReactorTime`.
    """

    def refuse() -> Friends:
        counters.add("friends_refused")
        raise Unavailable("database", "too many friend lists wait to be read")

    return Batches(load_all, refuse, clock, Bounds(VIEWERS, AT_ONCE, settings.max_waiting))
