"""
The fast way against the plain one, with whatever may come in: nobody can tell them apart.

FEEDD_EXAMPLES=5000 makes it long, and different every time.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from feedd.web.fast.request import START
from feedd.web.fast.states import PLAIN
from tests.requests import GOOD, OTHERS, breaths, odd_polls, poll, who_asks
from tests.sides import Side

EXAMPLES = int(os.environ.get("FEEDD_EXAMPLES", "0"))
PROFILE = settings(
    max_examples=EXAMPLES or 80,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
CONNECTIONS = 3

indexes = st.integers(0, CONNECTIONS - 1)
steps = st.one_of(
    st.tuples(st.just("send"), indexes, breaths()),
    st.tuples(st.just("send"), indexes, breaths()),
    st.tuples(st.just("send"), indexes, breaths()),
    st.tuples(
        st.just("post"),
        st.sampled_from(["alice", "alice", "bob", "carol"]),
        st.sampled_from([1, 1, 1, 2, 5]),
    ),
    st.tuples(st.just("advance"), st.sampled_from([0, 0, 0, 0.5, 5, 16, 51, 66]), st.none()),
    st.tuples(st.just("again"), indexes, st.sampled_from([b"", b"", b"", b"G", b"\r\n"])),
    st.tuples(st.just("talk"), indexes, st.integers(2, 4)),
    st.tuples(st.just("lose"), indexes, st.none()),
    st.tuples(st.sampled_from(["settle", "degrade", "mend", "end sessions"]), st.none(), st.none()),
)


class Proof:
    """Both sides, and the cursors that they have given out."""

    def __init__(self, sockets: bool) -> None:
        self.sides = [Side(False, sockets), Side(True, sockets)]
        self.cursors: list[bytes] = []
        self.asked: dict[int, bytes] = {}
        self.told: dict[int, bytes] = {}
        for side in self.sides:
            for index in range(CONNECTIONS):
                side.connect(index)
        self.do("send", 0, [b"GET /feed/poll?wait=0&token=%s HTTP/1.1\r\n\r\n" % GOOD])

    def do(self, kind: str, what: Any, more: Any) -> None:
        """One step on both sides, and compare; of a talk, each of its steps."""
        if kind == "talk":
            for _ in range(more):
                self.do("again", what, b"")
                self.do("post", "alice", 1)
            return
        if kind == "again":
            kind, more = (
                "send",
                [self.asked.get(what, poll()).replace(b"{0}", self.told.get(what, b"k1.0")) + more],
            )
        elif kind == "send":
            self.asked.update((what, read) for read in more if read.startswith(START))
            more = [self.filled(read) for read in more]
        for side in self.sides:
            self.do_on(side, kind, what, more)
            side.deliver()
        self.compare(f"{kind} {what} {more}")

    def filled(self, read: bytes) -> bytes:
        """`read` with the cursors for which ``{0}`` stands."""
        for number in range(6):
            cursor = self.cursors[-1 - number] if number < len(self.cursors) else b"k1.0"
            read = read.replace(b"{%d}" % number, cursor)
        return read

    def do_on(self, side: Side, kind: str, what: Any, more: Any) -> None:
        house = side.house
        match kind:
            case "send":
                side.inboxes[what] += more
            case "post":
                transaction = house.store.begin()
                for _ in range(more):
                    house.store.insert_post(transaction, what, b'{"text":"hi"}')
                for event in transaction.commit():
                    house.log.offer(event)
            case "advance":
                house.advance(what)
                house.clock.advance(0)
            case "lose":
                side.browsers[what].lose()
                side.connect(what)
            case "settle":
                house.settle()
            case "end sessions":
                house.hub.close_viewer("bob")
            case _:
                house.troubles["broker"] = "away" if kind == "degrade" else ""

    def compare(self, step: str) -> None:
        """Both sides have written the same, and keep the same."""
        plain, fast = (side.outputs() for side in self.sides)
        assert plain == fast, f"{step}:\n{plain}\n{fast}"
        first, second = (side.state() for side in self.sides)
        assert first == second, f"{step}:\n{first}\n{second}"
        for browser in self.sides[1].browsers if self.sides[1].sockets else ():
            assert browser.state is not PLAIN or not browser.wire.is_batched, step
        for index, (written, closed) in enumerate(plain):
            told = re.findall(rb'"cursor":"([^"]*)"', written)
            self.cursors += told
            self.told.update((index, cursor) for cursor in told)
            for side in self.sides if closed else ():
                self.do_on(side, "lose", index, None)

    def end(self) -> tuple[int, int]:
        """
        Everybody goes; nothing is left of them. Returns how many polls took the fast way, and how
        many of these were repeats.
        """
        first, second = (side.end() for side in self.sides)
        assert first == second, f"{first}\n{second}"
        empty = {
            "subscriptions": [],
            "idle": [],
            "ready": [],
            "wheels": [Counter(), Counter()],
            "followed": set(),
            "connections": 0,
            "timers": [],
        }
        assert {name: second[name] for name in empty} == empty, second
        tally = self.sides[1].tally
        return tally.taken, tally.repeated


class ProofTests(SynchronousTestCase):
    """The same requests, the same bytes, the same house."""

    def each(self, reads: Iterable[Sequence[bytes]]) -> tuple[int, int]:
        """
        Send each to a new pair, and a poll behind it; events come. Returns how many there were, and
        how many took it.
        """
        count = taken = 0
        for count, parts in enumerate(reads, 1):
            proof = Proof(sockets=count % 2 == 0)
            proof.do("send", 1, parts)
            proof.do("send", 1, [poll()])
            for seconds in (0, 6):
                proof.do("advance", seconds, None)
                proof.do("post", "alice", 1)
            taken += proof.end()[0]
        return count, taken

    def test_one_odd_thing(self) -> None:
        """A common poll with any one thing odd."""
        count, taken = self.each([odd] for odd in odd_polls())
        self.assertGreater(count, 1000)
        self.assertGreater(taken, 300)

    def test_who_asks(self) -> None:
        """Every proof of who asks, from every page."""
        count, taken = self.each([request] for request in who_asks())
        self.assertEqual(count, 360)
        self.assertGreater(taken, 180)

    def test_neighbours(self) -> None:
        """A common poll before, between and behind anything else."""
        count, taken = self.each(
            [first, poll(), second, poll()] for first in OTHERS for second in OTHERS
        )
        self.assertEqual(count, len(OTHERS) ** 2)
        self.assertGreater(taken, 0)

    def test_split(self) -> None:
        """
        A common poll, and two, in two pieces of any size; only a cut between two leaves one of them
        for the fast way.
        """
        for whole in (poll(), poll(lines=()) * 2):
            count, taken = self.each([whole[:cut], whole[cut:]] for cut in range(1, len(whole), 3))
            self.assertLessEqual(taken, count + 1)  # and each time the poll behind it

    def test_same(self) -> None:
        """
        Whatever comes in, in whatever pieces, both write the same and keep the same; and the fast
        way is taken.
        """
        taken = repeated = examples = 0

        @PROFILE
        @given(st.booleans(), st.lists(steps, min_size=8, max_size=40))
        def prove(sockets: bool, story: list[tuple[str, Any, Any]]) -> None:
            nonlocal taken, repeated, examples
            proof = Proof(sockets)
            for step in story:
                proof.do(*step)
            took, again = proof.end()
            taken, repeated, examples = taken + took, repeated + again, examples + 1

        prove()
        self.assertGreater(taken, examples)
        self.assertGreater(repeated, examples / 4)
