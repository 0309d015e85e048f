"""
The faults that are done to the parts, and their plan.

A fault has a beginning and an end; its name is ``part.damage``.
"""

import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, NamedTuple

from twisted.internet.task import deferLater

from bench.chaos.steps import STEPS
from bench.chaos.world import MortalFeedd, World, together
from tests.live.proxy import Proxy
from tests.live.server import Server

EVERYBODY = "everybody"
NOBODY = "nobody"
ARMED_SECONDS = 20.0
SINGLES_PER_PAIR = 3

Act = Callable[[], Awaitable[object]]


class Fault(NamedTuple):
    """
    One damage.

    :ivar part: what is harmed; two faults of one part do not go together.
    :ivar excuses: whose deliveries may wait for its end: `EVERYBODY`'s, `NOBODY`'s, or those of the
        process "0" or "1".
    :ivar seconds: how long it lasts, at least and at most.
    """

    name: str
    part: str
    excuses: str
    seconds: tuple[float, float]
    begin: Act
    end: Act


class Window(NamedTuple):
    """A fault that happened, in seconds since 1970. `end`: the part was back."""

    name: str
    excuses: tuple[str, ...]
    start: float
    end: float


def catalogue(world: World) -> dict[str, Fault]:
    """Every fault by name."""
    one, two = world.memcached
    proxies = world.proxies
    faults: list[Fault] = []
    for index, (feedd, front) in enumerate(zip(world.feedds, world.fronts, strict=True)):
        part = f"feedd-{'ab'[index]}"
        faults += _of_servers(part, str(index), [feedd]) + _of_proxies(part, str(index), [front])
        faults += [_dying(world, part, str(index), feedd, step) for step in STEPS]
    faults += _of_servers("rabbitmq", NOBODY, [world.rabbitmq]) + _of_proxies(
        "rabbitmq", NOBODY, proxies("rabbitmq")
    )
    faults += _of_servers("mariadb", EVERYBODY, [world.mariadb]) + _of_proxies(
        "mariadb", EVERYBODY, proxies("mariadb")
    )
    for part, excuses in (("rabbitmq", (NOBODY, NOBODY)), ("mariadb", ("0", "1"))):
        for index, proxy in enumerate(proxies(part)):
            faults += _of_proxies(part, excuses[index], [proxy], f"-{'ab'[index]}")
    faults += _of_servers("memcached-1", NOBODY, [one]) + _of_proxies(
        "memcached-1", NOBODY, world.caches[:1]
    )
    faults += _of_servers("memcached", NOBODY, [one, two]) + _of_proxies(
        "memcached", NOBODY, world.caches
    )
    return {fault.name: fault for fault in faults}


def _of_servers(part: str, excuses: str, harmed: Sequence[Server]) -> list[Fault]:
    async def start() -> None:
        await together(server.start for server in harmed)
        await together(server.wait_ready for server in harmed if isinstance(server, MortalFeedd))

    def each(name: str) -> Act:
        return lambda: together(getattr(server, name) for server in harmed)

    return [
        Fault(f"{part}.kill", part, excuses, (0.5, 5.0), each("kill"), start),
        Fault(f"{part}.stop5", part, excuses, (5.0, 5.0), each("pause"), each("resume")),
        Fault(f"{part}.stop30", part, excuses, (30.0, 30.0), each("pause"), each("resume")),
    ]


def _of_proxies(part: str, excuses: str, harmed: Sequence[Proxy], suffix: str = "") -> list[Fault]:
    async def cut() -> None:
        for proxy in harmed:
            await proxy.cut()

    async def slow() -> None:
        for proxy in harmed:
            proxy.slow(0.25, 20_000)

    async def freeze() -> None:
        for proxy in harmed:
            proxy.freeze()

    async def heal() -> None:
        for proxy in harmed:
            proxy.heal()

    return [
        Fault(f"{part}.{name}{suffix}", part, excuses, seconds, begin, heal)
        for name, seconds, begin in (
            ("cut", (3.0, 8.0), cut),
            ("slow", (6.0, 10.0), slow),
            ("freeze", (3.0, 12.0), freeze),
        )
    ]


def _dying(world: World, part: str, excuses: str, feedd: MortalFeedd, step: str) -> Fault:
    async def arm() -> None:
        feedd.armed.write_text(step)
        for _ in range(int(ARMED_SECONDS / 0.01)):
            if feedd.dead:
                return
            await deferLater(world.reactor, 0.01)

    async def restart() -> None:
        feedd.armed.unlink(missing_ok=True)
        await together([feedd.kill])
        await together([feedd.start])
        await together([feedd.wait_ready])

    return Fault(f"{part}.dies-{step}", part, excuses, (0.5, 3.0), arm, restart)


def plan(
    faults: dict[str, Fault], wanted: Sequence[str], rng: random.Random
) -> Iterator[list[Fault]]:
    """
    The faults in turn, for ever: every fault once in random order, now and then two together; then
    again.

    :param wanted: names to restrict it to, in turn (``a+b`` is two together); all when empty.
    """
    if wanted:
        while True:
            for name in wanted:
                yield [faults[each] for each in name.split("+")]
    while True:
        singles = list(faults.values())
        rng.shuffle(singles)
        for number, fault in enumerate(singles, 1):
            yield [fault]
            if number % SINGLES_PER_PAIR == 0:
                yield _pair(singles, rng)


def _pair(faults: Sequence[Fault], rng: random.Random) -> list[Fault]:
    """
    Two faults of different parts. A process dies at a step only when posts get that far, so not
    together with others.
    """
    alone = [fault for fault in faults if ".dies-" not in fault.name]
    while True:
        first, second = rng.sample(alone, 2)
        if first.part.partition("-")[0] != second.part.partition("-")[0] or {
            first.part,
            second.part,
        } == {"feedd-a", "feedd-b"}:
            return [first, second]


async def happen(reactor: Any, faults: Sequence[Fault], rng: random.Random) -> Window:
    """Let these faults happen together, and return when all is well again."""
    start: float = reactor.seconds()
    for fault in faults:
        await fault.begin()
    seconds = sorted((rng.uniform(*fault.seconds), number) for number, fault in enumerate(faults))
    for due, number in seconds:
        await deferLater(reactor, max(0.0, start + due - reactor.seconds()))
        await faults[number].end()
    return Window(
        "+".join(fault.name for fault in faults),
        tuple(fault.excuses for fault in faults),
        start,
        reactor.seconds(),
    )
