"""
What the site's own servers ask: friendships, and the end of a user's sessions.

This module checks what they send. It does not know what follows from it.
"""

from typing import Any

import msgspec

from feedd.core.hub import Hub
from feedd.feed.ports import Friendship
from feedd.feed.posting import Posting
from feedd.web import arguments
from feedd.web.endpoint import Answer, Endpoint, Nothing
from feedd.web.errors import BadArgument
from feedd.web.gate import Gate
from feedd.web.server.request import MAX_BODY_BYTES, FeedRequest

MAX_PAIRS = 10_000


class _Changes(msgspec.Struct):
    add: list[Friendship] = []
    remove: list[Friendship] = []
    mutual: bool = True


class FriendshipsEndpoint(Endpoint):
    """
    ``POST /api/friendships``: up to 10,000 pairs to add and as many to remove, in one transaction.
    """

    max_body_bytes = MAX_BODY_BYTES

    def __init__(self, gate: Gate, posting: Posting) -> None:
        super().__init__(gate, {b"POST": self.post})
        self._posting = posting

    async def post(self, request: FeedRequest) -> Answer:
        """Begin and end friendships; answers how many really changed, both directions counted."""
        self._gate.check_backend(request)
        changes = arguments.body_of(request.body, _Changes)
        add = _checked("add", changes.add, changes.mutual)
        remove = _checked("remove", changes.remove, changes.mutual)
        events = await self._posting.change_friends(add, remove)
        return Answer(b'{"changed":%d}' % len(events))


class SessionsFolder(Nothing):
    """``/api/sessions``, and below it the users one by one."""

    def __init__(self, gate: Gate, hub: Hub) -> None:
        super().__init__(gate)
        self._hub = hub

    def getChild(self, path: bytes, request: Any) -> Endpoint:
        """The sessions of the user whom the next segment names."""
        return SessionsEndpoint(self._gate, self._hub, path)


class SessionsEndpoint(Endpoint):
    """
    ``DELETE /api/sessions/<user>``: the user's parked polls and streams in this process end now.
    """

    def __init__(self, gate: Gate, hub: Hub, user: bytes) -> None:
        super().__init__(gate, {b"DELETE": self.delete})
        self._hub = hub
        self._user = user

    async def delete(self, request: FeedRequest) -> Answer:
        """End them; answers how many there were."""
        self._gate.check_backend(request)
        user = arguments.user("user", self._user.decode("latin-1"))
        return Answer(b'{"ended":%d}' % self._hub.close_viewer(user))


def _checked(name: str, pairs: list[Friendship], mutual: bool) -> list[Friendship]:
    if len(pairs) > MAX_PAIRS:
        raise BadArgument(name, f"more than {MAX_PAIRS} pairs")
    for index, pair in enumerate(pairs):
        arguments.user(f"{name}[{index}].viewer", pair.viewer)
        arguments.user(f"{name}[{index}].friend", pair.friend)
    if not mutual:
        return pairs
    return [*pairs, *(Friendship(pair.friend, pair.viewer) for pair in pairs)]
