"""``PUT /feed/marker``: the read marker."""

import msgspec

from feedd.core.event import MAX_ID
from feedd.feed.ports import Store
from feedd.web import arguments
from feedd.web.endpoint import Answer, Endpoint
from feedd.web.errors import BadArgument
from feedd.web.gate import Gate
from feedd.web.server.request import FeedRequest


class _Marker(msgspec.Struct):
    post: int


class MarkerEndpoint(Endpoint):
    """``PUT /feed/marker``: the last post that the user has read; it only moves forward."""

    def __init__(self, gate: Gate, store: Store) -> None:
        super().__init__(gate, {b"PUT": self.put})
        self._store = store

    async def put(self, request: FeedRequest) -> Answer:
        """Move the marker, and answer where it stands."""
        viewer = await self._gate.user(request)
        post = arguments.body_of(request.body, _Marker).post
        if not 1 <= post <= MAX_ID:
            raise BadArgument("post", "must be the id of a post")
        return Answer(b'{"post":%d}' % await self._store.mark(viewer, post))
