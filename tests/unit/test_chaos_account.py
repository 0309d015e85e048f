"""
The chaos bench sees what it looks for: each kind of damage to a diary is a complaint, and a good
diary has none.
"""

import json

from twisted.trial.unittest import SynchronousTestCase

from bench.chaos.account import QUIET, Commit, Complaint, Row, Truth, judge
from bench.chaos.faults import EVERYBODY, NOBODY, Window
from bench.chaos.people import People
from bench.chaos.report import some_of_each_kind
from bench.chaos.viewer import Diary

PEOPLE = People(
    ["ann", "bob", "cid", "dan"],
    {"ann": frozenset({"bob"}), "bob": frozenset({"ann"}), "cid": frozenset(), "dan": frozenset()},
    [("ann", "cid")],
)


def row(id: int, author: str, kind: str = "post", friend: str = "", at: float = 0.0) -> Row:
    """A row of the log."""
    body = {"friend": friend} if friend else {"text": str(id)}
    return Row(
        id,
        author,
        kind,
        json.dumps([kind, author, None if friend else 7, body], sort_keys=True),
        at,
    )


def event(row: Row) -> dict[str, object]:
    """What a viewer is given of it."""
    kind, author, post, body = json.loads(row.form)
    return {"id": row.id, "kind": kind, "author": author, "post": post, "body": body}


LOG = [
    row(1, "bob"),
    row(2, "ann"),
    row(3, "ann", "friend", "cid"),
    row(4, "cid"),
    row(5, "ann", "unfriend", "cid", at=100.0),
    row(6, "cid", at=101.0),
    row(7, "dan", at=102.0),
    row(8, "bob", at=103.0),
]


class JudgeTests(SynchronousTestCase):
    """Ann's diary."""

    def complaints(
        self, *answers: list[int], log: list[Row] = LOG, commits: dict[int, Commit] | None = None
    ) -> list[str]:
        """What is said of a diary with these answers."""
        diary, rows = Diary("ann"), {each.id: each for each in log}
        for ids in answers:
            diary.note([event(rows[id]) for id in ids], 200.0, (0.0, 0.0))
        return [
            f"{each.kind} {each.id}"
            for each in judge(Truth(PEOPLE, log, commits or {}, []), [diary], [])
        ]

    def test_good(self) -> None:
        """Everything of friends, once, in order: no complaint."""
        self.assertEqual(self.complaints([1, 2], [3, 4, 5], [8]), [])

    def test_lost(self) -> None:
        """A stable friend's, one's own, and a fickle friend's event are owed."""
        self.assertEqual(self.complaints([1, 3, 5]), ["lost 2", "lost 4", "lost 8"])

    def test_long_open(self) -> None:
        """What was committed late is owed like anything else."""
        self.assertEqual(
            self.complaints([1, 2], [3, 4, 5], commits={8: Commit(103.0, 20.0, True)}), ["lost 8"]
        )

    def test_not_owed(self) -> None:
        """A fickle friend's event just before the end of the friendship may be missing."""
        log = [*LOG[:3], row(4, "cid", at=99.0), *LOG[4:]]
        self.assertEqual(self.complaints([1, 2, 3, 5, 8], log=log), [])

    def test_doubled(self) -> None:
        """The same id in two answers."""
        self.assertEqual(self.complaints([1, 2], [2, 3, 4, 5], [8]), ["doubled 2"])

    def test_disordered(self) -> None:
        """Within an answer ids ascend."""
        self.assertEqual(self.complaints([2, 1], [3, 4, 5], [8]), ["disordered 2"])

    def test_stranger(self) -> None:
        """An event of somebody who was never a friend."""
        self.assertEqual(self.complaints([1, 2], [3, 4, 5], [7, 8]), ["foreign 7"])

    def test_after_unfriend(self) -> None:
        """In a later answer whatever its id, in the same one when its id is higher."""
        self.assertEqual(self.complaints([1, 2, 3, 4, 5], [6, 8]), ["foreign 6"])
        self.assertEqual(self.complaints([1, 2, 3, 4, 5, 6, 8]), ["foreign 6"])
        self.assertEqual(self.complaints([1, 2, 3], [5], [4], [8]), ["foreign 4"])

    def test_before_friend(self) -> None:
        """What a friend said before the friendship is told when it stands, and no earlier."""
        for at, foreign in ((100.0, []), (300.0, ["foreign 1"])):
            log = [row(1, "cid"), row(2, "ann", "friend", "cid", at)]
            self.assertEqual(self.complaints([1, 2], log=log), [])
            self.assertEqual(self.complaints([1], [2], log=log), foreign)

    def test_between_friendships(self) -> None:
        """What a friend said between two friendships is told when the second stands."""
        for at, foreign in ((100.0, []), (300.0, ["foreign 3"])):
            log = [
                row(1, "ann", "friend", "cid"),
                row(2, "ann", "unfriend", "cid", 50.0),
                row(3, "cid", at=60.0),
                row(4, "ann", "friend", "cid", at),
            ]
            self.assertEqual(self.complaints([1, 2], [3], [4], log=log), foreign)

    def test_some_of_each_kind(self) -> None:
        """Many complaints of a kind do not hide those of another one."""
        many = [Complaint("foreign", "ann", id, "") for id in range(5)]
        lost = Complaint("lost", "ann", 9, "")
        self.assertEqual(some_of_each_kind([*many, lost], 2), [*many[:2], lost])

    def test_altered(self) -> None:
        """An event must say what the log says."""
        log = [row(1, "bob")]
        diary = Diary("ann")
        diary.note([event(log[0]) | {"body": "other"}, event(row(2, "bob"))], 200.0, (0.0, 0.0))
        found = judge(Truth(PEOPLE, log, {}, []), [diary], [])
        self.assertEqual(
            [(each.kind, each.id) for each in found], [("altered", 1), ("invented", 2)]
        )

    def test_deleted(self) -> None:
        """The body of a post that was deleted may be missing, that of another post may not."""
        for post, said in ((7, []), (8, [("altered", 1)])):
            log = [
                row(1, "bob"),
                Row(2, "bob", "delete", json.dumps(["delete", "bob", post, {}]), 0.0),
            ]
            diary = Diary("ann")
            diary.note([event(log[0]) | {"body": {}}, event(log[1])], 200.0, (0.0, 0.0))
            found = judge(Truth(PEOPLE, log, {}, []), [diary], [])
            self.assertEqual([(each.kind, each.id) for each in found], said)

    def test_vanished(self) -> None:
        """A post that was answered with 201 is in the log."""
        found = judge(Truth(PEOPLE, LOG, {}, []), [], [1, 9])
        self.assertEqual([(each.kind, each.id) for each in found], [("vanished", 9)])


class LatenessTests(SynchronousTestCase):
    """From when a delivery is late."""

    def late(
        self, excuses: str, used: float, at: float = 20.0, window: tuple[float, float] = (9.0, 18.0)
    ) -> tuple[str, float]:
        """The window and the lateness of an event that was committed at 10."""
        log = [row(1, "bob", at=10.0)]
        diary = Diary("ann")
        diary.note([event(log[0])], at, (used, 0.0))
        delivery = Truth(PEOPLE, log, {}, [Window("fault", (excuses,), *window)]).delivery(
            "ann", diary.given[0]
        )
        return delivery.window, delivery.late

    def test_excused(self) -> None:
        """
        From the end of a fault of what everybody needs, or of the process that the viewer had
        asked.
        """
        self.assertEqual(self.late(EVERYBODY, 0.0), ("fault", 2.0))
        self.assertEqual(self.late("0", 11.0), ("fault", 2.0))
        self.assertEqual(self.late(EVERYBODY, 0.0, at=17.0), ("fault", 0.0))

    def test_not_excused(self) -> None:
        """From the commit when the delivery did without the part."""
        self.assertEqual(self.late(NOBODY, 0.0), ("fault", 10.0))
        self.assertEqual(self.late("0", 9.0), ("fault", 10.0))
        self.assertEqual(self.late("1", 11.0), ("fault", 10.0))

    def test_quiet(self) -> None:
        """A fault that was over long before, or began after, has no part in it."""
        self.assertEqual(self.late(EVERYBODY, 0.0, window=(0.0, 4.0)), (QUIET, 10.0))
        self.assertEqual(self.late(EVERYBODY, 0.0, window=(20.5, 30.0)), (QUIET, 10.0))
