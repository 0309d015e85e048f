"""
What a page loads: the first posts with their cursor, the friends, the read marker.

This module spells answers of the read path. It does not know where they come from.
"""

import msgspec

from feedd.feed.ports import Store
from feedd.feed.reading import FirstPage, Reading
from feedd.web import arguments
from feedd.web.endpoint import Answer, Endpoint
from feedd.web.errors import BadArgument
from feedd.web.gate import Gate
from feedd.web.server.request import FeedRequest

DEFAULT_POSTS = 50
MAX_POSTS = 200


class _Marker(msgspec.Struct):
    post: int


class InitEndpoint(Endpoint):
    """``GET /feed/init``: a page of posts, newest first, and the cursor of the same snapshot."""

    def __init__(self, gate: Gate, reading: Reading) -> None:
        super().__init__(gate, {b"GET": self.get})
        self._reading = reading

    async def get(self, request: FeedRequest) -> Answer:
        """The page before post ``before``, the newest without it."""
        given = request.args or {}
        limit = arguments.whole(given, "limit", 1, MAX_POSTS, DEFAULT_POSTS) or DEFAULT_POSTS
        before = arguments.whole(given, "before", 1, arguments.MAX_ID)
        viewer = await self._gate.user(request)
        return Answer(spell_page(viewer, await self._reading.page(viewer, before, limit)))


class FriendsEndpoint(Endpoint):
    """``GET /feed/friends``: whom the user hears."""

    def __init__(self, gate: Gate, reading: Reading) -> None:
        super().__init__(gate, {b"GET": self.get})
        self._reading = reading

    async def get(self, request: FeedRequest) -> Answer:
        """The names, sorted."""
        friends = await self._reading.friends_of(await self._gate.user(request))
        return Answer(msgspec.json.encode({"friends": friends}))


class MarkerEndpoint(Endpoint):
    """``PUT /feed/marker``: up to which post the user has read; it only moves forward."""

    def __init__(self, gate: Gate, store: Store) -> None:
        super().__init__(gate, {b"PUT": self.put})
        self._store = store

    async def put(self, request: FeedRequest) -> Answer:
        """Move the marker, and say where it stands."""
        viewer = await self._gate.user(request)
        post = arguments.body_of(request.body, _Marker).post
        if not 1 <= post <= arguments.MAX_ID:
            raise BadArgument("post", "must be the id of a post")
        return Answer(b'{"post":%d}' % await self._store.mark(viewer, post))


def spell_page(viewer: str, first: FirstPage) -> bytes:
    """``{"me", "posts", "friends", "cursor", "more"}``; the posts' bytes are not made again."""
    return b'{"me":"%s","posts":[%s],"friends":%s,"cursor":"%s","more":%s}' % (
        viewer.encode("ascii"),
        b",".join(first.page.posts),
        msgspec.json.encode(first.friends),
        first.cursor.encode("ascii"),
        b"true" if first.page.more else b"false",
    )
