"""A user with too many subscriptions, and a subscription that fails, take nothing from others."""

from typing import Any

from feedd.core.owner import HubFull
from feedd.core.position import Position
from tests.unit.core import HubCase, change, post


class PerUserTests(HubCase):
    """The bound of one user."""

    per_user = 2
    max_subscriptions = 1000

    def test_oldest_ends(self) -> None:
        """With one more the oldest ends, and its poll is answered with nothing in the next turn."""
        (first, oldest), (_, other) = self.park("al", "bob"), self.park("al", "bob")
        self.park("eve", "bob")
        issued, (newest, heard) = first.issued, self.park("al", "bob")
        self.assertEqual((first.open, oldest.answers, self.woken), (False, [], 1))
        self.assertIsNone(self.hub.find(first.handle, "al", issued))
        self.flush()
        self.assertEqual(oldest.answers, [([], issued)])
        self.hub.dispatch(post(1))
        self.flush()
        self.assertEqual((other.ids, heard.ids, len(self.hub)), ([1], [1], 3))
        self.assertEqual(self.counters.snapshot(), {"hub_per_user": 1})
        self.assertTrue(newest.open)

    def test_very_many(self) -> None:
        """However often a user comes, they have no more than that; nobody else loses anything."""
        _, other = self.park("eve", "bob")
        for _ in range(500):
            self.subscribe("al", "bob")
        self.flush()
        self.assertEqual((len(self.hub), self.counters["hub_per_user"]), (3, 498))
        self.assertEqual(other.answers, [])

    def test_idle_first(self) -> None:
        """One on which nobody waits ends before one that is older and waited on."""
        (_, waiting), idle = self.park("al", "bob"), self.subscribe("al", "bob")
        self.park("al", "bob")
        self.flush()
        self.assertEqual((idle.open, waiting.answers), (False, []))

    def test_no_chase(self) -> None:
        """
        Clients that come again as soon as they are ended do not end one another: room is made for
        them once a second, and meanwhile they are refused.
        """
        for _ in range(2):
            self.park("al", "bob")
        for second in range(1, 4):
            self.park("al", "bob")
            for _ in range(100):
                self.assertRaises(HubFull, self.hub.open, "al")
            self.park(f"eve{second}", "bob")
            self.assertEqual(self.counters["hub_per_user"], second)
            self.assertEqual(self.counters["hub_per_user_refused"], 100 * second)
            self.hub.expire(float(second), 60.0)

    def test_several_of_one(self) -> None:
        """Of many the oldest ends, in whatever order others were closed."""
        self.hub = self.make_hub(per_user=20)
        tabs = [self.subscribe("al") for _ in range(20)]
        for closed in (tabs[0], tabs[10], tabs[19]):
            self.hub.close(closed)
        tabs += [self.subscribe("al") for _ in range(5)]
        self.assertEqual(
            [number for number, tab in enumerate(tabs) if not tab.open], [0, 1, 2, 10, 19]
        )
        self.hub.close_viewer("al")
        self.assert_empty()


class FailureTests(HubCase):
    """One that fails takes nothing from the others."""

    def setUp(self) -> None:
        """Three viewers of bob, the second of whom is to fail."""
        super().setUp()
        self.first, (self.second, self.ended), self.third = (
            self.park(viewer, "bob") for viewer in ("al", "cy", "dora")
        )

    def check(self) -> None:
        """Those beside it are answered, and it is ended with the cursor it had."""
        self.flush()
        self.flush()
        self.assertEqual((self.first[1].ids, self.third[1].ids), ([1], [1]))
        self.assertEqual(self.failures, ["hub_failed"])
        self.assertEqual((len(self.ended.answers), self.ended.ids, len(self.hub)), (1, [], 2))

    def test_push(self) -> None:
        """An event that cannot be made pending for one subscription is for the others."""
        self.second.position = Broken(self.second.position.text)
        self.hub.dispatch(post(1))
        self.check()

    def test_group(self) -> None:
        """An answer that cannot be worked out for one subscription is for the others."""
        self.hub.dispatch(post(1))
        self.second.position = Broken(self.second.position.text)
        self.check()

    def test_friends(self) -> None:
        """A friend change that fails lets its viewer go on by a cold poll, which has the list."""
        self.recalled = FailingDict()
        self.hub.dispatch(change(1, "friend", "cy", "eve"))
        self.hub.dispatch(post(1))
        self.check()

    def test_job(self) -> None:
        """Long work that fails ends, and the next goes on."""
        self.hub.set_friends("al", [1, "b"], {})  # type: ignore[list-item]
        self.hub.set_friends("cy", ["eve"], {})
        self.assertEqual((self.failures, self.hub.hears("cy", "eve")), (["hub_failed"], True))


class Broken(Position):
    """A position with which nothing can be done."""

    __slots__ = ()

    def __init__(self, text: str) -> None:
        self.text = text


class FailingDict(dict[str, Any]):
    """Fails when something is looked up."""

    def get(self, key: str, default: Any = None) -> Any:
        raise ZeroDivisionError
