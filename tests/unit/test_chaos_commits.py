"""When the chaos bench takes an event to have been committed."""

import json

from twisted.trial.unittest import SynchronousTestCase

from bench.chaos.account import Commit, Row
from bench.chaos.client import Answer
from bench.chaos.commits import commits_of
from bench.chaos.load import Done


def done(began: float, ended: float) -> Done:
    """An attempt that succeeded."""
    return Done(began, ended, Answer(200, b""))


class CommitTests(SynchronousTestCase):
    """Answers and rows."""

    def test_answered(self) -> None:
        """An event that the answered attempt wrote was known then."""
        rows = [Row(1, "ann", "post", '["post", "ann", 7, {}]', 10.0)]
        self.assertEqual(commits_of(rows, {1: done(9.9, 10.4)}, []), {1: Commit(10.4, 0.0, False)})

    def test_answered_late(self) -> None:
        """An event that an earlier attempt wrote was committed before anybody knew of it."""
        rows = [
            Row(1, "ann", "post", '["post", "ann", 7, {}]', 10.0),
            Row(2, "ann", "edit", '["edit", "ann", 7, {}]', 10.0),
        ]
        self.assertEqual(commits_of(rows, {1: done(11.0, 11.1)}, []), {})

    def test_friends(self) -> None:
        """Both events of a friend change belong to the answer for the pair at that time."""
        rows = [
            Row(1, *each)
            for each in (
                ("ann", "friend", json.dumps(["friend", "ann", None, {"friend": "bob"}]), 10.0),
            )
        ]
        changed = [
            (("ann", "cid"), done(9.9, 10.1)),
            (("bob", "ann"), done(9.0, 9.1)),
            (("bob", "ann"), done(9.9, 10.2)),
        ]
        self.assertEqual(commits_of(rows, {}, changed), {1: Commit(10.2, 0.0, False)})
