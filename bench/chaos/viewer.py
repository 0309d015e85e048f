"""
A viewer polls random processes with its cursor, as the script of a page would, and keeps a diary.

It takes what it is given; `account` judges at the end what that should have been.
"""

import json
import random
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from twisted.internet.task import deferLater

from bench.chaos.client import Answer, Client, Failed
from bench.chaos.world import World
from feedd.core.cursor import parse_cursor
from feedd.core.horizon import Horizon

HOLD_SECONDS = 20.0
GIVE_UP_SECONDS = 28.0
INIT_SECONDS = 10.0
DISCARDED = 0.02
DROPPED = 0.02


class Given(NamedTuple):
    """
    One event as it was given to a viewer.

    :ivar form: what it said: kind, author, post and body as JSON text.
    :ivar at: when, in seconds since 1970.
    :ivar answer: the number of the answer it came in.
    :ivar used: for each process when the last poll to it ended (0: never), with which faults are
        excused.
    :ivar resumed: when the viewer last came back after it had hung up or thrown an answer away
        itself.
    """

    id: int
    author: str
    kind: str
    form: str
    at: float
    answer: int
    used: tuple[float, ...]
    resumed: float = 0.0


class Poll(NamedTuple):
    """A request of a viewer to a process: when, with which cursor, and how it ended."""

    began: float
    ended: float
    process: int
    cursor: str
    outcome: str


class Diary:
    """
    All that one viewer has received.

    :ivar given: what came in answers that were taken, whose cursor was then used.
    :ivar discarded: ids in answers that were thrown away, as if they had been lost; those come
        again.
    :ivar errors: how often a request failed, by kind.
    :ivar polls: all of them, to see what went wrong.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.polls: list[Poll] = []
        self.given: list[Given] = []
        self.answers = 0
        self.discarded: set[int] = set()
        self.repeats = 0
        self.disordered: list[list[int]] = []
        self.gaps: list[float] = []
        self.errors: Counter[str] = Counter()
        self.slowest = 0.0
        self.degraded = 0
        self.longest_cursor = ""

    def note(
        self,
        events: Sequence[dict[str, Any]],
        at: float,
        used: tuple[float, ...],
        resumed: float = 0.0,
    ) -> None:
        """Take an answer."""
        self.answers += 1
        ids = [event["id"] for event in events]
        if any(low >= high for low, high in pairwise(ids)):
            self.disordered.append(ids)
        for event in events:
            self.repeats += event["id"] in self.discarded
            form = json.dumps(
                [event["kind"], event["author"], event["post"], event["body"]], sort_keys=True
            )
            self.given.append(
                Given(
                    event["id"],
                    event["author"],
                    event["kind"],
                    form,
                    at,
                    self.answers,
                    used,
                    resumed,
                )
            )


class Viewer:
    """
    One user's page.

    :ivar whole: up to where the viewer has everything, as the cursor says.
    """

    def __init__(self, world: World, name: str, rng: random.Random) -> None:
        self.diary = Diary(name)
        self.hold_seconds = HOLD_SECONDS
        self.stopped = False
        self._reactor = world.reactor
        self._rng = rng
        self._clients = [Client(world.reactor, front.port) for front in world.fronts]
        self._used = [0.0 for _ in self._clients]
        self._asking: Client | None = None
        self._cursor = ""
        self._failures = 0
        self._resumed = 0.0
        self._broke_off = False

    @property
    def whole(self) -> int:
        """Up to where the viewer has everything, as the cursor says; -1 without one."""
        if not self._cursor:
            return -1
        cursor = parse_cursor(self._cursor)
        return Horizon(cursor.epoch, cursor.settled, cursor.holes).whole

    async def run(self) -> None:
        """Poll until `stop`."""
        while not self.stopped:
            try:
                await (self._poll() if self._cursor else self._init())
                self._failures = 0
            except Failed as error:
                self.diary.errors[error.kind] += 1
                self._failures += 1
                await deferLater(
                    self._reactor, min(1.0, 0.1 * 2**self._failures) * self._rng.uniform(0.5, 1.0)
                )

    def hurry(self, hold_seconds: float) -> None:
        """Hold polls only this long, beginning with the present one."""
        self.hold_seconds = hold_seconds
        if self._asking is not None:
            self._asking.drop()

    def stop(self) -> None:
        """End the page."""
        self.stopped = True
        for client in self._clients:
            client.drop("closed")

    async def _init(self) -> None:
        self._cursor = (await self._ask(f"/feed/init?as={self.diary.name}", INIT_SECONDS))["cursor"]

    async def _poll(self) -> None:
        found = await self._ask(
            f"/feed/poll?as={self.diary.name}&cursor={self._cursor}&wait={self.hold_seconds}",
            GIVE_UP_SECONDS,
        )
        now: float = self._reactor.seconds()
        if self._rng.random() < DISCARDED:
            self.diary.discarded.update(event["id"] for event in found["events"])
            self._broke_off = True
            return
        self.diary.note(found["events"], now, tuple(self._used), self._resumed)
        self.diary.degraded += found.get("state") == "degraded"
        self._cursor = found["cursor"]
        self.diary.longest_cursor = max(self.diary.longest_cursor, self._cursor, key=len)
        if found.get("gap"):
            self.diary.gaps.append(now)
            self._cursor = ""

    async def _ask(self, target: str, seconds: float) -> Any:
        """
        The document in the answer of a random process; now and then the viewer hangs up before it
        comes.
        """
        number = self._rng.randrange(len(self._clients))
        client = self._asking = self._clients[number]
        hang_up = None
        if self._rng.random() < DROPPED:
            hang_up = self._reactor.callLater(self._rng.uniform(0.0, 2.0), self._hang_up, client)
        began, cursor, outcome = self._reactor.seconds(), self._cursor, "broke off"
        if self._broke_off:
            self._broke_off, self._resumed = False, began
        try:
            answer = await client.ask("GET", target, seconds)
            outcome = f"{answer.status} {answer.body[-80:].decode(errors='replace')}"
        except Failed as error:
            outcome = error.kind
            raise
        finally:
            self.diary.polls.append(Poll(began, self._reactor.seconds(), number, cursor, outcome))
            self._asking = None
            self._used[number] = self._reactor.seconds()
            if hang_up is not None and hang_up.active():
                hang_up.cancel()
        if answer.status != 200:
            self.diary.slowest = max(self.diary.slowest, self._reactor.seconds() - began)
        return _document(answer)

    def _hang_up(self, client: Client) -> None:
        self._broke_off = True
        client.drop()


def _document(answer: Answer) -> Any:
    if answer.status != 200:
        raise Failed(str(answer.status))
    return json.loads(answer.body)
