"""
The acts of the users: posts, edits, deletions and friend changes through the HTTP API, each
repeated until it has succeeded.
"""

import json
import random
from collections import Counter
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from bench.chaos.client import Answer, Client, Failed
from bench.chaos.people import Pair, People
from bench.chaos.world import World

ANSWER_SECONDS = 12.0
MAX_UNDER_WAY = 100
MAX_EDITABLE = 20
CALM_SECONDS = 12.0
"""
A pair that has changed is left alone so long, so that what was due before the change has been
delivered.
"""


class Done(NamedTuple):
    """The attempt of an act that succeeded: when it began, and when its answer was here."""

    began: float
    ended: float
    answer: Answer


class Load:
    """
    Acts at random moments, `rate` times a second.

    :ivar acknowledged: the events that an answer named.
    :ivar changed: the friend changes that were answered, and for which pair.
    :ivar errors: how often a request failed, by kind.
    :ivar slowest: for each kind of act the slowest answer that came at all, in seconds.
    :ivar skipped: acts that were left out because too many were under way.
    """

    def __init__(self, world: World, people: People, rng: random.Random, rate: float) -> None:
        self.acknowledged: dict[int, Done] = {}
        self.changed: list[tuple[Pair, Done]] = []
        self.errors: Counter[str] = Counter()
        self.refused: list[str] = []
        self.slowest: dict[str, float] = {}
        self.skipped = 0
        self.under_way = 0
        self._reactor = world.reactor
        self._world = world
        self._people = people
        self._rng = rng
        self._rate = rate
        self._running = False
        self._idle: list[list[Client]] = [[] for _ in world.fronts]
        self._posts: dict[str, list[int]] = {name: [] for name in people.names}
        self._friends: dict[Pair, bool] = dict.fromkeys(people.fickle, False)
        self._changed_at: dict[Pair, float] = dict.fromkeys(people.fickle, 0.0)
        self._number = 0

    async def run(self) -> None:
        """Act until `stop`."""
        self._running = True
        while self._running:
            await deferLater(self._reactor, self._rng.expovariate(self._rate))
            if self.under_way >= MAX_UNDER_WAY:
                self.skipped += 1
            elif self._running:
                self._start()

    def stop(self) -> None:
        """Begin nothing more; what is under way goes on until it has succeeded."""
        self._running = False

    async def befriend(self, pairs: list[Pair]) -> None:
        """Make these pairs friends, in one request."""
        await self._change(pairs, "add")

    def _start(self) -> None:
        self.under_way += 1
        act = self._rng.choices(
            (self._post, self._edit, self._delete, self._toggle), (60, 15, 10, 15)
        )[0]
        acting = Deferred.fromCoroutine(act())
        acting.addErrback(lambda failure: self.refused.append(failure.getErrorMessage()))
        acting.addBoth(self._done)

    def _done(self, result: object) -> None:
        self.under_way -= 1

    async def _post(self) -> None:
        self._number += 1
        author, key = self._rng.choice(self._people.names), f"k{self._number}"
        done = await self._until_done(
            "POST", f"/feed/posts?as={author}", self._body(), f"Idempotency-Key: {key}\r\n"
        )
        self._acknowledge(done)
        self._posts[author] = [*self._posts[author], json.loads(done.answer.body)["post"]][
            -MAX_EDITABLE:
        ]

    async def _edit(self) -> None:
        author = self._rng.choice(self._people.names)
        if self._posts[author]:
            post = self._rng.choice(self._posts[author])
            self._acknowledge(
                await self._until_done("PATCH", f"/feed/posts/{post}?as={author}", self._body())
            )

    async def _delete(self) -> None:
        author = self._rng.choice(self._people.names)
        if self._posts[author]:
            post = self._posts[author].pop(0)
            self._acknowledge(await self._until_done("DELETE", f"/feed/posts/{post}?as={author}"))

    async def _toggle(self) -> None:
        pair = self._rng.choice(self._people.fickle)
        if self._changed_at[pair] + CALM_SECONDS > self._reactor.seconds():
            return
        self._changed_at[pair] = float("inf")
        self._friends[pair] = not self._friends[pair]
        done = await self._change([pair], "add" if self._friends[pair] else "remove")
        self.changed.append((pair, done))
        self._changed_at[pair] = self._reactor.seconds()

    async def _change(self, pairs: list[Pair], verb: str) -> Done:
        body = {verb: [{"viewer": one, "friend": other} for one, other in pairs]}
        return await self._until_done(
            "POST", "/api/friendships", body, "Authorization: Bearer demo\r\n"
        )

    def _acknowledge(self, done: Done) -> None:
        if done.answer.status != 404:
            self.acknowledged[json.loads(done.answer.body)["event"]] = done

    def _body(self) -> dict[str, Any]:
        return {"body": {"text": f"{self._rng.random():.6f} é😀"}}

    async def _until_done(
        self, method: str, target: str, body: object = None, headers: str = ""
    ) -> Done:
        """
        The attempt at the first process that succeeds, each asked in turn; a post that is gone
        counts as done.
        """
        number, data = (
            self._rng.randrange(len(self._idle)),
            b"" if body is None else json.dumps(body).encode(),
        )
        while True:
            number, began = (number + 1) % len(self._idle), self._reactor.seconds()
            try:
                answer = await self._ask(number, method, target, data, headers)
                if answer.status in (200, 201, 404):
                    return Done(began, self._reactor.seconds(), answer)
                self.errors[str(answer.status)] += 1
                if answer.status != 503:
                    raise RuntimeError(f"{method} {target}: {answer.status} {answer.body!r}")
            except Failed as error:
                self.errors[error.kind] += 1
            await deferLater(self._reactor, self._rng.uniform(0.1, 1.0))

    async def _ask(
        self, number: int, method: str, target: str, data: bytes, headers: str
    ) -> Answer:
        idle = self._idle[number]
        client = idle.pop() if idle else Client(self._reactor, self._world.fronts[number].port)
        began = self._reactor.seconds()
        answer = await client.ask(method, target, ANSWER_SECONDS, data, headers)
        kind = f"{method} {target.partition('?')[0].rstrip('0123456789')}"
        self.slowest[kind] = max(self.slowest.get(kind, 0.0), self._reactor.seconds() - began)
        idle.append(client)
        return answer
