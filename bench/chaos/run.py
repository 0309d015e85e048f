"""
One run from start to verdict.
"""

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pymysql
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from bench.chaos import report
from bench.chaos.account import Row, Truth, judge
from bench.chaos.commits import commits_of
from bench.chaos.faults import Window, catalogue, happen, plan
from bench.chaos.lag import Lag
from bench.chaos.load import Load
from bench.chaos.people import make_people
from bench.chaos.viewer import Diary, Poll, Viewer
from bench.chaos.world import World
from bench.chaos.writer import Writer

FRIENDS, FICKLE = 6, 12
FIRST_QUIET_SECONDS = 10.0
QUIET_SECONDS = 7.0
LOAD_END_SECONDS = 40.0
DRAIN_SECONDS = 60.0
LATEST = 50
MOST_POLLS = 60
AROUND_SECONDS = 10.0


class Options(NamedTuple):
    """
    The options of the command line. `rate` and `written` are acts per second.

    :ivar open_seconds: how long a transaction of the writer is open at most.
    """

    seed: int
    seconds: float
    faults: Sequence[str]
    rate: float
    written: float
    open_seconds: float
    viewers: int


class Run:
    """The world, the people and what they do."""

    def __init__(self, reactor: Any, options: Options) -> None:
        self.options = options
        self.world = World(reactor)
        self.windows: list[Window] = []
        self.notes: dict[str, Any] = {}
        self._reactor = reactor
        self._rng = random.Random(options.seed)
        self._people = make_people(options.viewers, FRIENDS, FICKLE, self._rng)
        self._lag = Lag(reactor)
        self._first = 0

    async def document(self) -> dict[str, Any]:
        """Run, and report."""
        await self.world.start()
        load = Load(self.world, self._people, random.Random(self._rng.random()), self.options.rate)
        writer = Writer(
            self.world,
            self._people,
            random.Random(self._rng.random()),
            self.options.written,
            self.options.open_seconds,
        )
        viewers = [
            Viewer(self.world, name, random.Random(self._rng.random()))
            for name in self._people.names
        ]
        await load.befriend(self._people.stable_pairs())
        watching = [Deferred.fromCoroutine(viewer.run()) for viewer in viewers]
        for each in watching:
            each.addErrback(
                lambda failure: self.notes.setdefault("a viewer failed", failure.getTraceback())
            )
        try:
            await self._everybody(viewers, 0)
            self._first = max(row.id for row in await self._rows())
            await self._act(load, writer)
            await self._drain(viewers)
            return await self._judge(load, writer, viewers)
        finally:
            writer.close()
            for viewer in viewers:
                viewer.stop()

    async def _act(self, load: Load, writer: Writer) -> None:
        acting = [Deferred.fromCoroutine(each.run()) for each in (load, writer)]
        self._lag.start()
        until = self._reactor.seconds() + self.options.seconds
        await deferLater(self._reactor, min(FIRST_QUIET_SECONDS, self.options.seconds))
        for faults in plan(catalogue(self.world), self.options.faults, self._rng):
            if self._reactor.seconds() >= until:
                break
            print("+".join(fault.name for fault in faults), flush=True)
            self.windows.append(await happen(self._reactor, faults, self._rng))
            await deferLater(self._reactor, QUIET_SECONDS)
        load.stop()
        writer.stop()
        for each in acting:
            await each
        self._lag.stop()
        limit = self._reactor.seconds() + LOAD_END_SECONDS
        while (load.under_way or writer.under_way) and self._reactor.seconds() < limit:
            await deferLater(self._reactor, 0.05)
        self.notes["acts that never succeeded"] = load.under_way

    async def _drain(self, viewers: Sequence[Viewer]) -> None:
        """Wait until every viewer's cursor says that they have everything."""
        for viewer in viewers:
            viewer.hurry(1.0)
        newest = max(row.id for row in await self._rows())
        self.notes["viewers that never caught up"] = await self._everybody(viewers, newest)

    async def _everybody(self, viewers: Sequence[Viewer], id: int) -> int:
        """Wait until all have all up to `id`, but not for ever; returns how many have not."""
        limit = self._reactor.seconds() + DRAIN_SECONDS
        while (
            behind := sum(viewer.whole < id for viewer in viewers)
        ) and self._reactor.seconds() < limit:
            await deferLater(self._reactor, 0.1)
        return behind

    async def _judge(self, load: Load, writer: Writer, viewers: Sequence[Viewer]) -> dict[str, Any]:
        if "a viewer failed" in self.notes:
            raise RuntimeError(self.notes["a viewer failed"])
        # Asked before the accounting, which holds this reactor, and with it the proxies, for many
        # seconds after a long run.
        statuses = [await deferToThread(_status, feedd.url) for feedd in self.world.feedds]
        rows = await self._rows()
        commits = writer.commits | commits_of(rows, load.acknowledged, load.changed)
        truth = Truth(self._people, rows, commits, self.windows, self._first)
        diaries = [viewer.diary for viewer in viewers]
        errors: Counter[str] = sum((diary.errors for diary in diaries), Counter())
        self.notes |= _notes_of_polls(diaries) | _notes_of_acts(load, writer, truth)
        return {
            "seed": self.options.seed,
            "seconds": self.options.seconds,
            "viewers": len(viewers),
            "events": sum(row.id > self._first for row in rows),
            **self._accounted(truth, diaries, load),
            "windows": [window._asdict() for window in self.windows],
            "viewers_errors": dict(errors),
            "load_errors": dict(load.errors),
            "notes": self.notes,
            "statuses": statuses,
        }

    def _accounted(self, truth: Truth, diaries: Sequence[Diary], load: Load) -> dict[str, Any]:
        """The deliveries with their lateness, and what is wrong with them."""
        complaints = judge(truth, diaries, load.acknowledged)
        deliveries = [delivery for diary in diaries for delivery in truth.deliveries(diary)]
        latest = sorted(deliveries, key=lambda each: -each.late)[:LATEST]
        return {
            "given": len(deliveries),
            "verdict": report.verdict(complaints),
            "lateness": report.latenesses(deliveries, self.windows, self._lag.seen),
            "latest": [
                each._asdict()
                | {"polls": _polls(diaries, each.viewer, each.at - each.raw, each.at)}
                for each in latest
            ],
            "complaints": [
                complaint._asdict()
                | {"polls": _polls(diaries, complaint.viewer, *_around(truth, complaint.id))}
                for complaint in report.some_of_each_kind(complaints, LATEST)
            ],
        }

    async def _rows(self) -> list[Row]:
        rows: list[Row] = await deferToThread(
            _read_log, self.world.mariadb.port, self.world.database.rpartition("/")[2]
        )
        return rows


def _notes_of_polls(diaries: Sequence[Diary]) -> dict[str, Any]:
    return {
        "answers": sum(diary.answers for diary in diaries),
        "answers thrown away, their events given again": sum(diary.repeats for diary in diaries),
        "longest cursor": max((diary.longest_cursor for diary in diaries), key=len),
        "degraded answers": sum(diary.degraded for diary in diaries),
        "slowest error of a poll, s": round(max(diary.slowest for diary in diaries), 2),
    }


def _notes_of_acts(load: Load, writer: Writer, truth: Truth) -> dict[str, Any]:
    return {
        "slowest answers to acts, s": {
            kind: round(seconds, 2) for kind, seconds in load.slowest.items()
        },
        "acts left out": load.skipped,
        "acts refused": load.refused[:10],
        "writer's commits": len(writer.commits),
        "writer's failures": writer.failed,
        "writer's transactions that were open for more than 5 s": sum(
            commit.held > 5.0 for commit in writer.commits.values()
        ),
    }


def _polls(diaries: Sequence[Diary], viewer: str, since: float, until: float) -> list[Poll]:
    """The polls of the viewer in this time."""
    polls = (poll for diary in diaries if diary.name == viewer for poll in diary.polls)
    return [poll for poll in polls if poll.ended >= since and poll.began <= until][-MOST_POLLS:]


def _around(truth: Truth, id: int) -> tuple[float, float]:
    """The time in which an event should have been delivered."""
    moment = truth.committed(id) if id in truth.rows else 0.0
    return moment, moment + AROUND_SECONDS


def _read_log(port: int, database: str) -> list[Row]:
    """The truth."""
    connection = pymysql.connect(
        host="127.0.0.1",
        port=port,
        user="feedd",
        database=database,
        connect_timeout=10,
        read_timeout=30,
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id, kind, author, post, payload, created_at FROM events ORDER BY id"
            )
            return [_row(*row) for row in cursor.fetchall()]
    finally:
        connection.close()


def _row(id: int, kind: str, author: str, post: int | None, payload: str, at: int) -> Row:
    form = json.dumps([kind, author, post, json.loads(payload)], sort_keys=True)
    return Row(id, author, kind, form, at / 1000)


def _status(url: str) -> Mapping[str, Any]:
    """The ``/status`` of a process; one that is not ready answers with a 503."""
    try:
        request = Request(f"{url}/status", headers={"Authorization": "Bearer demo"})
        answer = urlopen(request, timeout=5)
    except HTTPError as error:
        answer = error
    with answer:
        status: Mapping[str, Any] = json.load(answer)
    return status
