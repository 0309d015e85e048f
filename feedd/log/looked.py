"""
How far the ringer has looked.

Ids become visible in another order than the one in which they are given out. So a look asks for
what is above the highest id that was seen, and for what was missing below it.
"""

from collections.abc import Sequence

from feedd.core.horizon import Horizon
from feedd.core.runs import NO_RUNS, Runs, above, gaps, runs_of

NEAR = 32
"""Runs of missing ids that every look asks for, the newest; most commit within moments."""

EVERY = 5
"""Looks from one that asks for all that is missing to the next."""

MOST = 200
"""Runs of missing ids at most; as many as a horizon has holes."""


class Looked:
    """
    All rows up to an id have been seen, but for those that are missing and may still appear.

    :ivar after: the highest id that has been seen.
    :ivar left_out: how many runs of missing ids were given up, because there were too many; their
        rows are the net's.
    """

    def __init__(self, horizon: Horizon) -> None:
        """:param horizon: a look at the log begins above what is settled, and in its holes."""
        self.left_out = 0
        self.after = horizon.settled
        self._missing = horizon.holes
        self._looks = 0

    def question(self) -> tuple[int, Runs]:
        """What to ask for next: all above an id, and in these holes."""
        self._looks += 1
        missing = self._missing
        if missing.count > NEAR and self._looks % EVERY:
            missing = Runs(missing.bounds[-2 * NEAR :])
        return self.after, missing

    def take(self, ids: Sequence[int], asked: Runs, before: Horizon, is_cut: bool) -> None:
        """
        Take note of the answer.

        :param ids: of the rows that came, ascending.
        :param asked: the holes that were asked for.
        :param before: how far the log was settled when the look began: an id that could not appear
            any more then, and has not come, is not missing any more.
        :param is_cut: there may be more rows.
        """
        if ids:
            newer = [id for id in ids if id > self.after]
            missing = self._missing.but(runs_of(ids)).either(gaps(self.after, newer))
            self.after = max(ids[-1], self.after)
            self._missing = self._bounded(missing)
        # A comparison of all holes takes a tenth of a millisecond, so it is not for every look.
        if asked and not is_cut and self._looks % EVERY == 0:
            may_appear = before.holes.either(above(before.settled))
            self._missing = self._missing.but(asked.but(may_appear))

    def _bounded(self, missing: Runs) -> Runs:
        """The newest `MOST` runs: the older one is, the less likely does it appear."""
        excess = missing.count - MOST
        if excess <= 0:
            return missing
        self.left_out += excess
        return Runs(missing.bounds[2 * excess :]) if missing else NO_RUNS
