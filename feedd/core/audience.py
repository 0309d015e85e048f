"""
The authors who are heard in this process, and the viewers who hear them.
"""

from collections.abc import Iterable
from typing import Protocol

from feedd.core.event import Event
from feedd.core.subscription import Subscription


class Follower(Protocol):
    """A broker, as far as the hub needs one: it brings the events of the authors it follows."""

    def follow(self, author: str) -> None:
        """Begin to bring the events of `author`."""

    def unfollow(self, author: str) -> None:
        """Bring the events of `author` no more; it may take a while."""


class Audience:
    """
    The viewers who hear one author.

    :ivar viewers: those who hear the author, and among them some who have no subscription any more.
        A list, because a set takes five times the memory.
    :ivar listening: how many hear the author.
    """

    __slots__ = ("author", "listening", "viewers")

    def __init__(self, author: str) -> None:
        self.author = author
        self.viewers: list[Viewer] = []
        self.listening = 0

    def remove(self, viewer: "Viewer") -> None:
        """Take out `viewer`, who goes on to hear other authors."""
        self.viewers.remove(viewer)
        self.forget()

    def forget(self) -> None:
        """
        Count one viewer less. Those without a subscription stay in the list until they are half of
        it, and are then taken out together: taking out each one would mean a search for each.
        """
        self.listening -= 1
        if len(self.viewers) > 2 * self.listening + 8:
            self.viewers = [viewer for viewer in self.viewers if viewer.subscriptions]


class Viewer:
    """
    A user with at least one subscription in this process.

    :ivar audiences: those that the viewer is in, one for each author whom they hear.
    :ivar subscriptions: one for each tab, phone and so on.
    """

    __slots__ = ("_changed", "audiences", "name", "subscriptions")

    def __init__(self, name: str) -> None:
        self.name = name
        self.audiences: list[Audience] = []
        self.subscriptions: tuple[Subscription, ...] = ()
        self._changed: dict[str, int] | None = None

    def audience(self, author: str) -> Audience | None:
        """The audience of `author` that this viewer is in."""
        return next((audience for audience in self.audiences if audience.author == author), None)

    def is_news(self, event: Event) -> bool:
        """
        Whether this friend change is the newest one of its pair; the bell and the net may bring two
        in either order.
        """
        assert event.friend is not None
        if self._changed is None:
            self._changed = {}
        if self._changed.get(event.friend, 0) >= event.id:
            return False
        self._changed[event.friend] = event.id
        return True


class Audiences:
    """
    The audience of each author who is heard in this process.
    """

    def __init__(self, follower: Follower) -> None:
        """
        :param follower: follows an author from their first viewer to their last.
        """
        self._follower = follower
        self._by_author: dict[str, Audience] = {}

    def __len__(self) -> int:
        return len(self._by_author)

    def of(self, author: str) -> Audience | None:
        """The audience of `author`; None when nobody hears them."""
        return self._by_author.get(author)

    def hear(self, viewer: Viewer, authors: Iterable[str]) -> None:
        """Let `viewer` hear `authors`, whom they do not hear yet."""
        # One loop without calls: when a crowd comes in, its body is run half a million times.
        by_author, mine = self._by_author, viewer.audiences
        for author in authors:
            audience = by_author.get(author)
            if audience is None:
                audience = by_author[author] = Audience(author)
                self._follower.follow(author)
            audience.viewers.append(viewer)
            audience.listening += 1
            mine.append(audience)

    def unhear(self, viewer: Viewer, author: str) -> None:
        """Let `viewer` hear `author` no more; nothing happens when they do not."""
        audience = viewer.audience(author)
        if audience is not None:
            viewer.audiences.remove(audience)
            audience.remove(viewer)
            self._end_if_empty(audience)

    def forget(self, viewer: Viewer) -> None:
        """Take `viewer`, whose last subscription has ended, out of all audiences."""
        for audience in viewer.audiences:
            audience.forget()
            self._end_if_empty(audience)

    def _end_if_empty(self, audience: Audience) -> None:
        if not audience.listening:
            del self._by_author[audience.author]
            self._follower.unfollow(audience.author)
