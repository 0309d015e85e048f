"""
The authors who are heard in this process, and the viewers who hear them.
"""

from bisect import bisect_left
from collections.abc import Iterable
from operator import attrgetter
from typing import Protocol

from feedd.core.viewer import Viewer


class Follower(Protocol):
    """A broker, as far as the hub needs one: it brings the events of the authors it follows."""

    def follow(self, author: str) -> None:
        """Begin to bring the events of `author`."""

    def unfollow(self, author: str) -> None:
        """Bring the events of `author` no more; it may take a while."""


class Audience:
    """
    The viewers who hear one author.

    Whoever stops to hear the author stays in the list at first, since finding one in it would cost
    a search. A little is swept for each who stops, so that such viewers are never more than half of
    the list, and no call is long.

    :ivar viewers: those who hear the author, and among them some who have no subscription any more
        or have unfriended the author. A list, because a set takes five times the memory. Who is to
        be told is in `present`.
    :ivar listening: how many hear the author.
    :ivar gone: those in the list who have subscriptions and do not hear the author; None for none.
    """

    __slots__ = ("_next", "author", "gone", "listening", "viewers")

    def __init__(self, author: str) -> None:
        self.author = author
        self.viewers: list[Viewer] = []
        self.listening = 0
        self.gone: set[Viewer] | None = None
        self._next = 0

    def present(self) -> list[Viewer]:
        """Those who hear the author, and perhaps some who have no subscription any more."""
        gone = self.gone
        if gone:
            self.viewers = [viewer for viewer in self.viewers if viewer not in gone]
            self.gone = None
        return self.viewers

    def remove(self, viewer: Viewer) -> None:
        """Take out `viewer`, who goes on to hear other authors."""
        if self.gone is None:
            self.gone = set()
        self.gone.add(viewer)
        self.forget()

    def forget(self) -> None:
        """Count one viewer less, who is `gone` or whose last subscription has ended."""
        self.listening -= 1
        if len(self.viewers) > self.listening + self.listening // 2 + 8:
            self._sweep()

    def _sweep(self) -> None:
        """
        Look at the next four in the list, and put the last one in the place of each who is to go.

        The list holds at most twice as many as hear the author: a look begins when a third are to
        go, and a sixth more may stop hearing before it has passed all who stay.
        """
        viewers, gone = self.viewers, self.gone
        for _ in range(4):
            if self._next >= len(viewers):
                self._next = 0
            viewer = viewers[self._next]
            if viewer.subscriptions and not (gone and viewer in gone):
                self._next += 1
                continue
            last = viewers.pop()
            if last is not viewer:
                viewers[self._next] = last
            if gone:
                gone.discard(viewer)


author_of = attrgetter("author")
"""The author of an audience, by which those of a viewer are sorted."""


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

    def join(self, viewer: Viewer, authors: Iterable[str]) -> list[Audience]:
        """
        Put `viewer` into the audiences of `authors`, whom they do not hear yet. The caller puts the
        audiences, which are returned, into ``viewer.audiences``.
        """
        # One loop without calls: when a crowd comes in, its body is run half a million times.
        by_author, joined = self._by_author, []
        for author in authors:
            audience = by_author.get(author)
            if audience is None:
                audience = by_author[author] = Audience(author)
                self._follower.follow(author)
            if audience.gone and viewer in audience.gone:
                audience.gone.discard(viewer)
            else:
                audience.viewers.append(viewer)
            audience.listening += 1
            joined.append(audience)
        return joined

    def leave(self, viewer: Viewer, audience: Audience) -> None:
        """
        Take `viewer`, who goes on to hear others, out of an audience. The caller takes it out of
        ``viewer.audiences``.
        """
        audience.remove(viewer)
        self._end_if_empty(audience)

    def hear(self, viewer: Viewer, author: str) -> None:
        """Let `viewer` hear `author`; nothing happens when they do."""
        place = _place(viewer, author)
        if not _is_at(viewer, place, author):
            viewer.audiences[place:place] = self.join(viewer, (author,))

    def unhear(self, viewer: Viewer, author: str) -> None:
        """Let `viewer` hear `author` no more; nothing happens when they do not."""
        place = _place(viewer, author)
        if _is_at(viewer, place, author):
            self.leave(viewer, viewer.audiences.pop(place))

    def hears(self, viewer: Viewer, author: str) -> bool:
        """Whether `viewer` hears `author`; everybody hears themselves."""
        return author == viewer.name or _is_at(viewer, _place(viewer, author), author)

    def forget(self, audience: Audience) -> None:
        """Take a viewer, whose last subscription has ended, out of an audience."""
        audience.forget()
        self._end_if_empty(audience)

    def _end_if_empty(self, audience: Audience) -> None:
        if not audience.listening:
            del self._by_author[audience.author]
            self._follower.unfollow(audience.author)


def _place(viewer: Viewer, author: str) -> int:
    """Where the audience of `author` is in the viewer's list, or would be."""
    return bisect_left(viewer.audiences, author, key=author_of)


def _is_at(viewer: Viewer, place: int, author: str) -> bool:
    mine = viewer.audiences
    return place < len(mine) and mine[place].author == author
