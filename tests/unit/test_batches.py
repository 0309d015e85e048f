"""Many questions asked together: who is in a batch, who waits, and who fails with whom."""

from collections.abc import Sequence

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from feedd.feed.ports import Unavailable
from feedd.reactor.batches import PATIENCE_SECONDS, Batches, Bounds


class Case(SynchronousTestCase):
    """
    Batches of three questions, two at once, five waiting; an answer is the question in capitals.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.begun: list[tuple[list[str], Deferred[None]]] = []
        self.batches: Batches[str, str] = Batches(
            self.answer, lambda: "full", self.clock, Bounds(3, 2, 5)
        )

    async def answer(self, questions: Sequence[str]) -> list[str]:
        go_on: Deferred[None] = Deferred()
        self.begun.append((list(questions), go_on))
        await go_on
        return [question.upper() for question in questions]

    def ask(self, questions: str) -> list[Deferred[str]]:
        return [self.batches.ask(question) for question in questions]

    def go_on(self, number: int) -> None:
        """Let a batch be answered, and the next ones begin."""
        self.begun[number][1].callback(None)
        self.clock.advance(0)

    def fail(self, number: int) -> None:
        self.begun[number][1].errback(Unavailable("database", "away"))
        self.clock.advance(0)

    @property
    def asked(self) -> list[str]:
        return ["".join(questions) for questions, _ in self.begun]


class Together(Case):
    """Who is asked with whom."""

    def test_one_turn(self) -> None:
        """
        What is asked in one turn of the reactor is one batch, in its order, and each has their own
        answer.
        """
        asked = self.ask("ab")
        self.assertEqual(self.asked, [])
        self.clock.advance(0)
        self.assertEqual(self.asked, ["ab"])
        self.go_on(0)
        self.assertEqual([self.successResultOf(each) for each in asked], ["A", "B"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_alone(self) -> None:
        """Nobody waits for a second one to come: the next turn is another batch."""
        for number, question in enumerate("ab"):
            (asked,) = self.ask(question)
            self.clock.advance(0)
            self.go_on(number)
            self.assertEqual(self.successResultOf(asked), question.upper())

    def test_bounded(self) -> None:
        """
        Batches are so long, and so many at once; the others wait their turn, the oldest first, and
        go together.
        """
        asked = self.ask("abcde")
        self.clock.advance(0)
        asked += self.ask("fghij")
        self.clock.advance(0)
        self.assertEqual(self.asked, ["abc", "de"])
        self.assertEqual(len(self.batches), 5)
        self.go_on(1)
        self.assertEqual(self.asked, ["abc", "de", "fgh"])
        self.go_on(0)
        self.assertEqual(self.asked, ["abc", "de", "fgh", "ij"])
        self.go_on(2)
        self.go_on(3)
        self.assertEqual([self.successResultOf(each) for each in asked], list("ABCDEFGHIJ"))

    def test_no_room(self) -> None:
        """
        Who finds no room to wait is told so at once; who waits is not disturbed, and room comes
        with the next batch.
        """
        asked = self.ask("abcdex")
        self.assertEqual(self.successResultOf(asked.pop()), "full")
        self.clock.advance(0)
        asked += self.ask("f")
        self.go_on(0)
        self.go_on(1)
        self.go_on(2)
        self.assertEqual([self.successResultOf(each) for each in asked], list("ABCDEF"))

    def test_asked_by_an_answer(self) -> None:
        """Who asks again when answered is in the next batch, with those who waited."""
        (first,) = self.ask("a")
        self.clock.advance(0)
        again = first.addCallback(lambda _: self.batches.ask("z"))
        self.go_on(0)
        self.assertEqual(self.asked, ["a", "z"])
        self.go_on(1)
        self.assertEqual(self.successResultOf(again), "Z")

    def test_cancelled(self) -> None:
        """Who goes away, before the batch begins or after, takes nobody along."""
        asked = self.ask("abc")
        asked[0].cancel()
        self.clock.advance(0)
        asked[2].cancel()
        self.go_on(0)
        self.failureResultOf(asked[0], CancelledError)
        self.failureResultOf(asked[2], CancelledError)
        self.assertEqual(self.successResultOf(asked[1]), "B")


class Failing(Case):
    """A batch that fails."""

    def test_its_own(self) -> None:
        """
        It fails those who are in it, and nobody else: the next batch is asked, and the error is not
        kept.
        """
        asked = self.ask("abcde")
        self.clock.advance(0)
        later = self.ask("f")
        self.fail(0)
        for each in asked[:3]:
            self.failureResultOf(each, Unavailable)
        self.assertEqual(self.asked, ["abc", "de", "f"])
        self.go_on(1)
        self.go_on(2)
        self.assertEqual([self.successResultOf(each) for each in asked[3:] + later], list("DEF"))

    def test_after_long(self) -> None:
        """
        One that took long to fail fails those too who wait behind it, so that nobody waits for a
        second time limit.
        """
        asked = self.ask("abcde")
        self.clock.advance(0)
        waiting = self.ask("fghi")
        self.clock.advance(PATIENCE_SECONDS + 0.1)
        self.fail(0)
        for each in asked[:3] + waiting:
            self.failureResultOf(each, Unavailable)
        self.assertEqual((len(self.batches), self.asked), (0, ["abc", "de"]))
        (new,) = self.ask("j")
        self.clock.advance(0)
        self.go_on(2)
        self.assertEqual(self.successResultOf(new), "J")
