"""``POST /api/friendships``, for the site's own servers."""

import msgspec

from feedd.feed.ports import Friendship
from feedd.feed.posting import Posting
from feedd.web import arguments
from feedd.web.endpoint import Answer, Endpoint
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
        """Begin and end friendships; answers how many rows changed: two for a mutual one."""
        self._gate.check_backend(request)
        changes = arguments.body_of(request.body, _Changes)
        add = _checked("add", changes.add, changes.mutual)
        remove = _checked("remove", changes.remove, changes.mutual)
        events = await self._posting.change_friends(add, remove)
        return Answer(b'{"changed":%d}' % len(events))


def _checked(name: str, pairs: list[Friendship], mutual: bool) -> list[Friendship]:
    if len(pairs) > MAX_PAIRS:
        raise BadArgument(name, f"more than {MAX_PAIRS} pairs")
    for index, pair in enumerate(pairs):
        arguments.user(f"{name}[{index}].viewer", pair.viewer)
        arguments.user(f"{name}[{index}].friend", pair.friend)
    if not mutual:
        return pairs
    return [*pairs, *(Friendship(pair.friend, pair.viewer) for pair in pairs)]
