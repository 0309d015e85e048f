"""
Long work, done in slices: between two of them the process does what others wait for.
"""

from collections import deque
from collections.abc import Callable, Iterator

Job = Iterator[int]
"""Work of which each step says how much it was, in units of a microsecond or two."""


class Slices:
    """
    Jobs that are not over yet; each gets a slice in its turn.

    :param at_once: the units of a slice.
    :param wake: asks for a call of `go_on` soon.
    :param failed: called in the handler of an exception that a job has raised, which ends it.
    :ivar chunk: the units that a step of a job is to have, roughly.
    """

    def __init__(self, at_once: int, wake: Callable[[], None], failed: Callable[[], None]) -> None:
        self.chunk = 1 + at_once // 4
        self._at_once = at_once
        self._wake = wake
        self._failed = failed
        self._jobs: deque[Job] = deque()

    def __bool__(self) -> bool:
        """Whether there is work left."""
        return bool(self._jobs)

    def begin(self, job: Job) -> None:
        """Do the first slice of `job` now, which is all of it as a rule."""
        self._spend(job, self._at_once)

    def put_off(self, job: Job) -> None:
        """Leave `job` to `go_on`."""
        self._jobs.append(job)
        if len(self._jobs) == 1:
            self._wake()

    def go_on(self) -> None:
        """Do one slice of what is left."""
        units = self._at_once
        while units > 0 and self._jobs:
            units = self._spend(self._jobs.popleft(), units)
        if self._jobs:
            self._wake()

    def _spend(self, job: Job, units: int) -> int:
        """Do so much of `job`; returns the units that are left when it is over, or has failed."""
        try:
            for done in job:
                units -= done
                if units <= 0:
                    self.put_off(job)
                    return 0
        except Exception:
            self._failed()
        return units
