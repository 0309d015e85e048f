"""The states of a connection on the fast way."""

from twisted.trial.unittest import SynchronousTestCase

from feedd.web.fast.states import (
    ANSWER,
    CLOSE,
    CLOSED,
    EXPECTING,
    HOLD,
    LEAVE,
    LOOK,
    LOOKING,
    PARK,
    PLAIN,
    TRANSITIONS,
    WAITING,
    ImpossibleStep,
    State,
    Step,
)
from tests.fast import FastTestCase
from tests.unit.core import Gate

POLL = "/feed/poll?as=bob&cursor="


class TableTests(SynchronousTestCase):
    """`TRANSITIONS`."""

    def test_impossible(self) -> None:
        """A step that a state does not know raises, and the text names both."""
        for state, step in ((WAITING, PARK), (LOOKING, LOOK), (PLAIN, HOLD), (CLOSED, ANSWER)):
            with self.assertRaises(ImpossibleStep) as caught:
                TRANSITIONS[state][step]
            self.assertEqual(str(caught.exception), f"{step.name} in {state.name}")

    def test_any_time(self) -> None:
        """A connection may end, and twisted.web may take over, in any state but the last."""
        for state in State:
            if state is not CLOSED:
                self.assertEqual(
                    (TRANSITIONS[state][CLOSE], TRANSITIONS[state][LEAVE]), (CLOSED, PLAIN)
                )
        self.assertEqual(TRANSITIONS[CLOSED], {LEAVE: CLOSED})

    def test_reached(self) -> None:
        """Each state is reached, and each step is known to some state."""
        reached = {after for row in TRANSITIONS.values() for after in row.values()}
        self.assertEqual(reached, set(State))
        self.assertEqual({step for row in TRANSITIONS.values() for step in row}, set(Step))


class ConnectionTests(FastTestCase):
    """The states that a connection goes through."""

    def shut_gate(self) -> Gate:
        """A database that answers when it is opened."""
        gate = Gate()
        self.house.store.pace = gate
        gate.shut = True
        return gate

    def test_common(self) -> None:
        """A poll waits, is answered, and waits again."""
        browser = self.browse()
        self.assertIs(browser.state, PLAIN)
        cursor = self.cursor()
        for _ in range(2):
            browser.ask("GET", POLL + cursor)
            self.assertIs(browser.state, WAITING)
            self.post("alice")
            self.assertIs(browser.state, EXPECTING)
            cursor = browser.reply().json["cursor"]
        browser.get("/status")
        self.assertIs(browser.state, PLAIN)

    def test_look(self) -> None:
        """A cold poll is looked for, and then waits."""
        browser = self.browse()
        gate = self.shut_gate()
        browser.ask("GET", POLL + self.cold_cursor())
        self.assertIs(browser.state, LOOKING)
        gate.open()
        self.assertIs(browser.state, WAITING)

    def test_ends(self) -> None:
        """When the connection ends, the state is the last one, wherever it stood."""
        plain, waits, looks = (self.browse() for _ in range(3))
        waits.ask("GET", POLL + self.cursor())
        gate = self.shut_gate()
        looks.ask("GET", POLL + self.cold_cursor())
        for browser in (plain, waits, looks):
            browser.lose()
            self.assertIs(browser.state, CLOSED)
        gate.open()
        self.assertIs(looks.state, CLOSED)

    def test_closed_by_the_site(self) -> None:
        """A connection that the site closes is left to twisted.web, whatever comes on it."""
        self.web.ask("GET", POLL + self.cursor())
        self.post("alice")
        self.house.advance(66)
        self.assertIs(self.web.state, PLAIN)
        self.web.ask("GET", POLL + self.cursor())
        self.assertIs(self.web.state, PLAIN)
