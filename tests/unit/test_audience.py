"""An event reaches exactly those who hear its author."""

import os
from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from feedd.core.event import Event, make_event
from feedd.core.subscription import Subscription, by_id
from tests.unit.core import HubCase

EXAMPLES = int(os.environ.get("FEEDD_EXAMPLES", "0"))
PROFILE = settings(
    max_examples=EXAMPLES or 100, derandomize=not EXAMPLES, deadline=None, database=None
)


class Ears:
    """
    A plain model of who hears whom: for each viewer who is here, the authors and the subscriptions.
    """

    def __init__(self) -> None:
        self.heard: dict[str, set[str]] = {}
        self.open: defaultdict[str, list[Subscription]] = defaultdict(list)

    def viewers(self, author: str) -> set[str]:
        return {viewer for viewer, authors in self.heard.items() if author in authors}


USERS = ("al", "bob", "cy", *(f"u{number}" for number in range(30)))
users = st.sampled_from(USERS)
deeds = st.one_of(
    st.tuples(st.just("open"), users, st.frozensets(users, max_size=3)),
    st.tuples(
        st.sampled_from(["crowd", "crowd goes"]), st.sampled_from(USERS[:3]), st.integers(1, 30)
    ),
    st.tuples(st.sampled_from(["friend", "unfriend"]), users, users),
    st.tuples(st.sampled_from(["close", "end"]), users, st.none()),
)


class AudienceTests(HubCase):
    """The viewers who hear an author, kept as a list."""

    max_pending = 200
    max_subscriptions = 100_000

    def setUp(self) -> None:
        """An empty hub and an empty model."""
        super().setUp()
        self.ears, self.ids = Ears(), 0

    @PROFILE
    @given(st.lists(deeds, max_size=40))
    def test_same(self, story: list[tuple[str, str, object]]) -> None:
        """
        Whoever comes, goes, befriends and parts, an event reaches exactly those who hear its
        author, once each.
        """
        self.setUp()  # of each example
        for kind, user, more in story:
            self.do(kind, user, more)
            self.check()
        for user in USERS:
            self.do("end", user, None)
        self.assert_empty()
        self.assertEqual(self.reported, [])

    def test_swept(self) -> None:
        """The list is swept as well when it is an unfriend that leaves it too long."""
        self.do("crowd", "bob", 20)
        for number in range(14):
            self.do("end", f"u{number}", None)
        self.do("unfriend", "u14", "bob")
        self.check()

    def test_many_part(self) -> None:
        """However many of an audience unfriend, and befriend again, each is told once."""
        self.do("crowd", "bob", 30)
        for number in (*range(25), *range(0, 25, 2), *range(0, 25, 4)):
            is_heard = "bob" in self.ears.heard[f"u{number}"]
            self.do("unfriend" if is_heard else "friend", f"u{number}", "bob")
            if not number % 5:
                self.check()
        for number in range(0, 30, 3):
            self.do("end", f"u{number}", None)
        self.check()

    def test_part_and_back(self) -> None:
        """Those who unfriend and befriend again before anything is told are told it once."""
        self.do("crowd", "bob", 30)
        for kind, numbers in (("unfriend", range(25)), ("friend", range(25)), ("unfriend", (7,))):
            for number in numbers:
                self.do(kind, f"u{number}", "bob")
        self.check()

    def do(self, kind: str, user: str, more: object) -> None:
        """One thing happens, here and in the model."""
        heard = self.ears.heard
        match kind, more:
            case "open", frozenset():
                self.ears.open[user].append(self.hub.open(user))
                self.hub.set_friends(user, sorted(more), {})
                heard[user] = {user, *more}
            case "crowd", int():
                for viewer in USERS[3 : 3 + more]:
                    self.do("open", viewer, frozenset({user}))
            case "crowd goes", int():
                for viewer in USERS[3 : 3 + more]:
                    self.do("end", viewer, None)
            case "close", _ if self.ears.open[user]:
                self.hub.close(self.ears.open[user].pop(0))
            case "end", _:
                self.assertEqual(self.hub.close_viewer(user), len(self.ears.open.pop(user, ())))
            case (("friend" | "unfriend"), str()) if more != user:
                self.hub.dispatch(self.event(kind, user, b'{"friend":"%s"}' % more.encode()))
                if user in heard:
                    (heard[user].add if kind == "friend" else heard[user].discard)(more)
        if not self.ears.open[user]:
            heard.pop(user, None)

    def event(self, kind: str, author: str, body: bytes = b"{}") -> Event:
        """The next event."""
        self.ids += 1
        return make_event(self.ids, kind, author, None, body, 0)

    def check(self) -> None:
        """
        An event of anybody reaches whom the model says, and no list is much longer than it must be.
        """
        for author in USERS[:4]:
            event = self.event("message", author)
            self.hub.dispatch(event)
            holders = [
                subscription.viewer
                for subscription in self.hub
                if event.id in by_id(subscription.pending)
            ]
            viewers = self.ears.viewers(author)
            self.assertEqual(
                sorted(holders),
                sorted(viewer for viewer in viewers for _ in self.ears.open[viewer]),
            )
            audience = self.hub.audiences.of(author)
            listening = audience.listening if audience else 0
            self.assertEqual(
                (listening, author in self.broker.followed), (len(viewers), bool(viewers))
            )
            self.assertLessEqual(len(audience.viewers) if audience else 0, 2 * listening + 8)
