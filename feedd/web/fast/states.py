"""
The states of a connection on the fast way, and the steps from one to the next.

`TRANSITIONS` is the whole of it, in the manner of h11. A step that is not in the row of a state is
a mistake of ours, and raises `ImpossibleStep`.
"""

from enum import IntEnum


class State(IntEnum):
    """
    :cvar PLAIN: twisted.web reads; nothing is known of what comes next.
    :cvar EXPECTING: a poll was answered, and the same poll with the answer's cursor may come.
    :cvar WAITING: a poll is parked.
    :cvar LOOKING: the answer to a poll is being found.
    :cvar CLOSED: the connection is gone.
    """

    PLAIN = 0
    EXPECTING = 1
    WAITING = 2
    LOOKING = 3
    CLOSED = 4


class Step(IntEnum):
    """
    :cvar PARK: a poll is parked.
    :cvar LOOK: the answer to a poll has to be found first.
    :cvar HOLD: bytes came, and are kept until the poll before them has been answered.
    :cvar ANSWER: a poll is answered, and its client is expected to go on from there.
    :cvar LEAVE: what comes next is for twisted.web: anything but a poll of the fast way came, or a
        poll was answered and has no next one.
    :cvar CLOSE: the connection is gone.
    """

    PARK = 0
    LOOK = 1
    HOLD = 2
    ANSWER = 3
    LEAVE = 4
    CLOSE = 5


class ImpossibleStep(Exception):
    """The state knows no such step."""


class Row(dict[Step, State]):
    """The steps that one state knows."""

    def __init__(self, state: State, steps: dict[Step, State]) -> None:
        super().__init__(steps)
        self._state = state

    def __missing__(self, step: Step) -> State:
        raise ImpossibleStep(f"{step.name} in {self._state.name}")


PLAIN, EXPECTING, WAITING, LOOKING, CLOSED = State
PARK, LOOK, HOLD, ANSWER, LEAVE, CLOSE = Step

TRANSITIONS: dict[State, Row] = {
    state: Row(state, steps)
    for state, steps in {
        PLAIN: {
            PARK: WAITING,
            LOOK: LOOKING,
            ANSWER: EXPECTING,
            LEAVE: PLAIN,
            CLOSE: CLOSED,
        },
        EXPECTING: {
            PARK: WAITING,
            LOOK: LOOKING,
            ANSWER: EXPECTING,
            LEAVE: PLAIN,
            CLOSE: CLOSED,
        },
        WAITING: {
            HOLD: WAITING,
            ANSWER: EXPECTING,
            LEAVE: PLAIN,
            CLOSE: CLOSED,
        },
        LOOKING: {
            PARK: WAITING,
            HOLD: LOOKING,
            ANSWER: EXPECTING,
            LEAVE: PLAIN,
            CLOSE: CLOSED,
        },
        # twisted.web may still close a connection that is gone
        CLOSED: {LEAVE: CLOSED},
    }.items()
}
