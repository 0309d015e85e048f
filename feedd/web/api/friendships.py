"""``POST /api/friendships`` and ``POST /api/blocks``, for the site's own servers."""

import msgspec

from feedd.feed.ports import Block, Friendship
from feedd.feed.posting import Posting
from feedd.web import arguments
from feedd.web.endpoint import Answer, Endpoint
from feedd.web.errors import BadArgument
from feedd.web.gate import Gate
from feedd.web.server.request import MAX_BODY_BYTES, FeedRequest

MAX_PAIRS = 10_000
MAX_BLOCKS = 1_000
"""Each takes a statement for each direction."""


class _Changes(msgspec.Struct):
    add: list[Friendship] = []
    remove: list[Friendship] = []
    mutual: bool = True


class _Blocks(msgspec.Struct):
    add: list[Block] = []
    remove: list[Block] = []


class FriendshipsEndpoint(Endpoint):
    """
    ``POST /api/friendships``: up to 10,000 pairs to add and as many to remove, in one transaction.
    """

    max_body_bytes = MAX_BODY_BYTES

    def __init__(self, gate: Gate, posting: Posting) -> None:
        super().__init__(gate, {b"POST": self.post})
        self._posting = posting

    async def post(self, request: FeedRequest) -> Answer:
        """
        Begin and end friendships; answers how many rows changed, two for a mutual one, and which
        were not added, as one of the two blocks the other.
        """
        self._gate.check_backend(request)
        changes = arguments.body_of(request.body, _Changes)
        add = _checked("add", changes.add, changes.mutual)
        remove = _checked("remove", changes.remove, changes.mutual)
        events, blocked = await self._posting.change_friends(add, remove)
        return Answer(
            b'{"changed":%d,"blocked":%b}' % (len(events), msgspec.json.encode(blocked))
            if blocked
            else b'{"changed":%d}' % len(events)
        )


class BlocksEndpoint(Endpoint):
    """
    ``POST /api/blocks``: up to 1,000 pairs to block and as many to unblock, in one transaction.
    """

    max_body_bytes = MAX_BODY_BYTES

    def __init__(self, gate: Gate, posting: Posting) -> None:
        super().__init__(gate, {b"POST": self.post})
        self._posting = posting

    async def post(self, request: FeedRequest) -> Answer:
        """Begin and end blocks; answers how many friendships ended: two for a mutual one."""
        self._gate.check_backend(request)
        changes = arguments.body_of(request.body, _Blocks)
        for name, pairs in (("add", changes.add), ("remove", changes.remove)):
            _check(name, [(pair.viewer, pair.author) for pair in pairs], "author", MAX_BLOCKS)
        events = await self._posting.change_blocks(changes.add, changes.remove)
        return Answer(b'{"ended":%d}' % len(events))


def _checked(name: str, pairs: list[Friendship], mutual: bool) -> list[Friendship]:
    _check(name, [(pair.viewer, pair.friend) for pair in pairs], "friend", MAX_PAIRS)
    if not mutual:
        return pairs
    return [*pairs, *(Friendship(pair.friend, pair.viewer) for pair in pairs)]


def _check(name: str, pairs: list[tuple[str, str]], other: str, most: int) -> None:
    if len(pairs) > most:
        raise BadArgument(name, f"more than {most} pairs")
    for index, pair in enumerate(pairs):
        arguments.user(f"{name}[{index}].viewer", pair[0])
        arguments.user(f"{name}[{index}].{other}", pair[1])
