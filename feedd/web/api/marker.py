"""``PUT /feed/marker`` and ``PUT /api/markers/<user>``: the read marker."""

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
        return Answer(b'{"post":%d}' % await self._store.mark(viewer, _post_of(request, 1)))


class UserMarkerEndpoint(Endpoint):
    """``PUT /api/markers/<user>``: the site's own servers put it anywhere, also back."""

    def __init__(self, gate: Gate, store: Store, user: bytes) -> None:
        super().__init__(gate, {b"PUT": self.put})
        self._store = store
        self._user = user

    async def put(self, request: FeedRequest) -> Answer:
        """Set the marker; 0 is before the first post."""
        self._gate.check_backend(request)
        viewer = arguments.user("user", self._user.decode("latin-1"))
        post = _post_of(request, 0)
        await self._store.set_mark(viewer, post)
        return Answer(b'{"post":%d}' % post)


def _post_of(request: FeedRequest, least: int) -> int:
    post = arguments.body_of(request.body, _Marker).post
    if not least <= post <= MAX_ID:
        raise BadArgument("post", f"must be the id of a post, from {least} to {MAX_ID}")
    return post
