"""``GET /feed/init``: the first thing that a page loads."""

import msgspec

from feedd.core.event import MAX_ID
from feedd.feed.reading import FirstPage, Reading
from feedd.web import arguments
from feedd.web.endpoint import Answer, Endpoint
from feedd.web.gate import Gate
from feedd.web.server.request import FeedRequest

DEFAULT_POSTS = 50
MAX_POSTS = 200


class InitEndpoint(Endpoint):
    """``GET /feed/init``: a page of posts, newest first, and the cursor of the same snapshot."""

    def __init__(self, gate: Gate, reading: Reading) -> None:
        super().__init__(gate, {b"GET": self.get})
        self._reading = reading

    async def get(self, request: FeedRequest) -> Answer:
        """The posts before post ``before``, else the newest."""
        given = request.args or {}
        limit = arguments.whole(given, "limit", 1, MAX_POSTS) or DEFAULT_POSTS
        before = arguments.whole(given, "before", 1, MAX_ID)
        viewer = await self._gate.user(request)
        return Answer(spell_page(viewer, await self._reading.page(viewer, before, limit)))


def spell_page(viewer: str, first: FirstPage) -> bytes:
    """``{"me", "posts", "friends", "cursor", "more"}``, around the bytes that the posts are."""
    return b'{"me":"%s","posts":[%s],"friends":%s,"cursor":"%s","more":%s}' % (
        viewer.encode("ascii"),
        b",".join(first.page.posts),
        msgspec.json.encode(first.friends),
        first.cursor.encode("ascii"),
        b"true" if first.page.more else b"false",
    )
