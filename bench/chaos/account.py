"""
The verdict over the diaries of the viewers, judged by the log: what was lost, doubled, disordered,
foreign or altered, and how late each delivery was.
"""

import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from bench.chaos.faults import EVERYBODY, NOBODY, Window
from bench.chaos.people import People
from bench.chaos.viewer import Diary, Given

"""feedd's own default: COMMIT must follow the INSERT within this time."""
AFTERMATH_SECONDS = 5.0
"""A delivery that is under way this long after a fault is put down to it."""
CALM_SECONDS = 8.0
"""
A fickle friend's event is owed when the friendship stood so long after it, and after the faults
that held it up.
"""
QUIET = "(quiet)"
NEVER = (0, "unfriend")


class Row(NamedTuple):
    """A row of `events`; `form` as in `Given`, `at` in seconds since 1970."""

    id: int
    author: str
    kind: str
    form: str
    at: float

    @property
    def friend(self) -> str:
        """The friend that a ``friend`` or ``unfriend`` names, else ""."""
        return friend_in(self.form) if self.kind in ("friend", "unfriend") else ""

    @property
    def post(self) -> int | None:
        """The post it speaks of."""
        post: int | None = json.loads(self.form)[2]
        return post


class Commit(NamedTuple):
    """
    The moment when it was known that an event was committed, in seconds since 1970.

    :ivar held: the longest time that may have passed between INSERT and COMMIT; 0 when feedd itself
        saw to it.
    :ivar written: by the writer that only INSERTs.
    """

    at: float
    held: float
    written: bool


class Complaint(NamedTuple):
    """Something that must not be."""

    kind: str
    viewer: str
    id: int
    text: str


class Delivery(NamedTuple):
    """
    One event that reached one viewer.

    :ivar at: when, in seconds since 1970.
    :ivar window: the fault that it is put down to, or `QUIET`.
    :ivar late: seconds after its commit, or after the end of a fault that excuses it, or after the
        viewer came back.
    :ivar raw: seconds after feedd began to write it, or the writer that only INSERTs had committed
        it; nothing is excused.
    :ivar written: by the writer that only INSERTs, so that only the net can find it.
    """

    viewer: str
    id: int
    at: float
    window: str
    late: float
    raw: float
    written: bool


class Truth:
    """
    The log, and all that is known about its events.

    :param rows: the whole log.
    :param first: the last id when all viewers had loaded their page.
    :param commits: what is known of when events were committed; of others their row says it.
    :param windows: the faults, in their order.
    """

    def __init__(
        self,
        people: People,
        rows: Sequence[Row],
        commits: Mapping[int, Commit],
        windows: Sequence[Window],
        first: int = 0,
    ) -> None:
        self.people = people
        self.rows = {row.id: row for row in rows}
        self.commits = commits
        self.windows = windows
        self.first = first
        self._changes: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
        for row in rows:
            if row.friend:
                self._changes[row.author, row.friend].append((row.id, row.kind))
        self.deleted = {row.post for row in rows if row.kind == "delete"}

    def changes(self, viewer: str, given: Given) -> str:
        """The moments about an event when the friendship with its author began and ended."""
        changes = self._changes[viewer, given.author]
        place = bisect_left(changes, (given.id, ""))
        near = ", ".join(
            f"{kind} {id} at {self.rows[id].at:.3f}"
            for id, kind in changes[max(0, place - 2) : place + 2]
        )
        return f"of {given.author} at {given.at:.3f}; {near}"

    def befriended(self, viewer: str, given: Given, known: int) -> bool:
        """
        Whether the friendship with the author had begun again when the event was given, after
        change `known`.
        """
        return any(
            id > known and kind == "friend" and self.rows[id].at <= given.at
            for id, kind in self._changes[viewer, given.author]
        )

    def committed(self, id: int) -> float:
        """The moment when event `id` was committed, as far as it is known."""
        commit = self.commits.get(id)
        return commit.at if commit is not None else self.rows[id].at

    def written(self, id: int) -> bool:
        """Whether the writer that only INSERTs wrote it."""
        commit = self.commits.get(id)
        return commit is not None and commit.written

    def owed(self, viewer: str) -> set[int]:
        """The ids that `viewer` must have been given."""
        stable = {viewer, *self.people.stable[viewer]}
        rows = [row for row in self.rows.values() if row.id > self.first]
        owed = {row.id for row in rows if row.author in stable}
        for partner in self.people.partners(viewer):
            owed.update(
                row.id for row in rows if row.author == partner and self._firmly(viewer, row)
            )
        return owed

    def _firmly(self, viewer: str, row: Row) -> bool:
        """
        Whether the fickle friendship stood at the event, and until it must have been delivered.
        """
        changes = self._changes[viewer, row.author]
        place = bisect_left(changes, (row.id, ""))
        if place == 0 or changes[place - 1][1] != "friend":
            return False
        return (
            place == len(changes)
            or self.rows[changes[place][0]].at > self._healed(self.committed(row.id)) + CALM_SECONDS
        )

    def _healed(self, moment: float) -> float:
        """The end of the last fault that may have held up what was committed at `moment`."""
        return max(
            [
                moment,
                *(window.end for window in self.windows if window.start <= moment + CALM_SECONDS),
            ]
        )

    def deliveries(self, diary: Diary) -> list[Delivery]:
        """Those that were owed; what a new friend had said before the friendship is not late."""
        owed = self.owed(diary.name)
        return [self.delivery(diary.name, given) for given in diary.given if given.id in owed]

    def delivery(self, viewer: str, given: Given) -> Delivery:
        """The lateness of a delivery, and the fault that it is put down to."""
        commit = self.committed(given.id)
        due, name = max(commit, given.resumed), QUIET
        for window in self.windows:
            if window.start < given.at and commit < window.end + AFTERMATH_SECONDS:
                name = window.name
                if any(_excuses(excuse, given, commit) for excuse in window.excuses):
                    due = max(due, min(window.end, given.at))
        written = self.written(given.id)
        raw = given.at - (commit if written else self.rows[given.id].at)
        return Delivery(
            viewer, given.id, given.at, name, max(0.0, given.at - due), max(0.0, raw), written
        )


def judge(truth: Truth, diaries: Iterable[Diary], acknowledged: Iterable[int]) -> list[Complaint]:
    """Everything that must not be."""
    found = [
        Complaint("vanished", "", id, "it was answered as done, and is not in the log")
        for id in acknowledged
        if id not in truth.rows
    ]
    for diary in diaries:
        found += _lost(truth, diary)
        found += _doubled(diary)
        found += _foreign(truth, diary)
        found += _altered(truth, diary)
        found += [Complaint("disordered", diary.name, ids[0], f"{ids}") for ids in diary.disordered]
        found += [Complaint("gap", diary.name, 0, f"at {at:.3f}") for at in diary.gaps]
    return found


def friend_in(form: str) -> str:
    """The friend that the form of a ``friend`` or ``unfriend`` names."""
    friend: str = json.loads(form)[3]["friend"]
    return friend


def _excuses(excuse: str, given: Given, commit: float) -> bool:
    if excuse in (EVERYBODY, NOBODY):
        return excuse == EVERYBODY
    return given.used[int(excuse)] >= commit


def _lost(truth: Truth, diary: Diary) -> list[Complaint]:
    missing = truth.owed(diary.name) - {given.id for given in diary.given}
    return [Complaint("lost", diary.name, id, _about(truth, id)) for id in sorted(missing)]


def _about(truth: Truth, id: int) -> str:
    row = truth.rows[id]
    how = f"written, held {truth.commits[id].held:.2f} s" if truth.written(id) else "through feedd"
    near = [
        window.name
        for window in truth.windows
        if window.start - 1 < truth.committed(id) < window.end + AFTERMATH_SECONDS
    ]
    return (
        f"{row.kind} of {row.author}, committed {truth.committed(id):.3f}, {how}, "
        f"{', '.join(near) or QUIET}"
    )


def _doubled(diary: Diary) -> list[Complaint]:
    """The chain of the answers that were taken is unbroken, so no id may come twice in it."""
    seen: dict[int, Given] = {}
    found = []
    for given in diary.given:
        if given.id in seen:
            first = seen[given.id]
            found.append(
                Complaint("doubled", diary.name, given.id, f"at {first.at:.3f} and {given.at:.3f}")
            )
        seen[given.id] = given
    return found


def _foreign(truth: Truth, diary: Diary) -> list[Complaint]:
    """
    Events of a stranger, or of a fickle friend after the `unfriend` was given and before the next
    friendship began.

    An answer that ends a friendship may hold what was said before. One that comes after the next
    has begun may hold what was said between the two, as the page shows it too.
    """
    friends = {diary.name, *truth.people.stable[diary.name]}
    partners = truth.people.partners(diary.name)
    standing: dict[str, tuple[int, str]] = {}
    found = []
    for _, grouped in groupby(diary.given, key=lambda given: given.answer):
        suspects = []
        for given in grouped:
            _follow(standing, diary.name, given)
            if given.author not in friends and standing.get(given.author, NEVER)[1] == "unfriend":
                suspects.append(given)
        for given in suspects:
            if given.author not in partners:
                found.append(
                    Complaint("foreign", diary.name, given.id, f"of {given.author}, a stranger")
                )
                continue
            known, kind = standing.get(given.author, NEVER)
            if kind == "unfriend" and not truth.befriended(diary.name, given, known):
                near = truth.changes(diary.name, given)
                found.append(Complaint("foreign", diary.name, given.id, near))
    return found


def _follow(standing: dict[str, tuple[int, str]], viewer: str, given: Given) -> None:
    """Bring the newest friend change of each other user up to date."""
    if given.author == viewer and given.kind in ("friend", "unfriend"):
        other = friend_in(given.form)
        standing[other] = max(standing.get(other, NEVER), (given.id, given.kind))


def _altered(truth: Truth, diary: Diary) -> list[Complaint]:
    """
    Events that do not say what the log says; of a post that was deleted later the body may be
    missing.
    """
    found = []
    for given in diary.given:
        row = truth.rows.get(given.id)
        if row is None:
            found.append(Complaint("invented", diary.name, given.id, given.form))
        elif given.form not in (
            row.form,
            _without_body(row) if row.post in truth.deleted else row.form,
        ):
            found.append(
                Complaint("altered", diary.name, given.id, f"{row.form} became {given.form}")
            )
    return found


def _without_body(row: Row) -> str:
    return json.dumps([row.kind, row.author, row.post, {}], sort_keys=True)
