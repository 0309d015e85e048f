"""
The moment in which each event of the load was committed, as far as the client can know.
"""

from collections.abc import Iterable, Mapping

from bench.chaos.account import Commit, Row
from bench.chaos.load import Done
from bench.chaos.people import Pair

ROUNDING_SECONDS = 0.002


def commits_of(
    rows: Iterable[Row], acknowledged: Mapping[int, Done], changed: Iterable[tuple[Pair, Done]]
) -> dict[int, Commit]:
    """
    The commits of the events that were answered by the attempt which wrote them: they were known
    when the answer was here.

    An event that an earlier attempt wrote, whose answer was lost, is left out: its row tells when
    it was written.
    """
    changes = [(frozenset(pair), done) for pair, done in changed]
    commits = {}
    for row in rows:
        done = acknowledged.get(row.id)
        if row.friend:
            pair = frozenset((row.author, row.friend))
            done = next(
                (
                    each
                    for changed_pair, each in changes
                    if changed_pair == pair and _within(row, each)
                ),
                None,
            )
        if done is not None and _within(row, done):
            commits[row.id] = Commit(done.ended, 0.0, False)
    return commits


def _within(row: Row, done: Done) -> bool:
    return done.began - ROUNDING_SECONDS <= row.at <= done.ended
