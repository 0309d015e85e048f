"""
The surroundings of a hub: the feed that it belongs to, and its bounds.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from feedd.core.delivery import Delivery
from feedd.core.event import Event


class HubFull(Exception):
    """There are as many subscriptions as there may be, in all or of this user."""


class HubOwner(Protocol):
    """The feed that a hub belongs to, as far as the hub needs it."""

    def wake(self) -> None:
        """Call `Hub.flush` and `Hub.go_on` soon."""

    def failed(self, counter: str, what: str) -> None:
        """Count, and log from time to time, the exception that is being handled."""

    def friends_changed(self, viewers: Collection[str]) -> None:
        """Take note that the friends of `viewers` have changed."""

    def logged_out(self, event: Event) -> None:
        """Refuse what the author of this ``logout`` could prove with before it."""

    def recall(self, since: int, author: str) -> list[Event] | None:
        """The events of `author` after event `since`; None when that is too long ago."""

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Answer the listeners of `deliveries`, who do not wait any more."""


class HubLimits(NamedTuple):
    """
    The bounds of a hub.

    :ivar pending: events on one subscription; with more it overflows, and is ended.
    :ivar subscriptions: subscriptions in all.
    :ivar per_user: subscriptions of one user; for one more an old one is ended.
    :ivar at_once: the units of work that one call does at most, see `feedd.core.slices`.
    """

    pending: int
    subscriptions: int
    per_user: int
    at_once: int
