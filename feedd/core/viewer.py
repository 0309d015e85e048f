"""
A user with subscriptions in this process: what they poll with, and whom they hear.
"""

from collections import OrderedDict
from collections.abc import Collection
from typing import TYPE_CHECKING

from feedd.core.event import Event
from feedd.core.subscription import Subscription

if TYPE_CHECKING:
    from feedd.core.audience import Audience
    from feedd.core.new_list import NewList

FEW = 8
"""Subscriptions that are kept as a tuple, the smallest form; nearly everybody has fewer."""


class Viewer:
    """
    A user with at least one subscription in this process.

    :ivar own: the audience that the viewer is in for their own events,
    :ivar audiences: and those for the events of others, one for each author whom they hear, sorted
        by author. A sorted list is found in as fast as a dict of this size, and takes a tenth of
        the memory.
    :ivar subscriptions: one for each tab, phone and so on, in the order of their opening.
    :ivar new_list: the friend list that `audiences` is being brought to, or has been; None when
        there is none, or when `audiences` has changed since.
    """

    __slots__ = ("_changed", "audiences", "name", "new_list", "own", "subscriptions")

    def __init__(self, name: str) -> None:
        self.name = name
        self.own: Audience | None = None
        self.audiences: list[Audience] = []
        self.subscriptions: Collection[Subscription] = ()
        self.new_list: NewList | None = None
        self._changed: dict[str, int] | None = None

    def add(self, subscription: Subscription) -> None:
        """Add one more, the newest."""
        mine = self.subscriptions
        if isinstance(mine, tuple) and len(mine) < FEW:
            self.subscriptions = (*mine, subscription)
            return
        if not isinstance(mine, OrderedDict):
            self.subscriptions = mine = OrderedDict.fromkeys(mine)
        mine[subscription] = None

    def remove(self, subscription: Subscription) -> None:
        """Take one out; nothing happens when it has been."""
        mine = self.subscriptions
        if isinstance(mine, OrderedDict):
            mine.pop(subscription, None)
        else:
            self.subscriptions = tuple(other for other in mine if other is not subscription)

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

    def note_change(self, friend: str) -> None:
        """Take note that a change of `friend` has come, which the new list may not know."""
        if self.new_list is not None and not self.new_list.done:
            self.new_list.changed.add(friend)
        else:
            self.new_list = None
