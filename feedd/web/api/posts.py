"""Posts: new, edited, deleted; by their author, or by the site on an author's behalf."""

from typing import Any

import msgspec

from feedd.feed.posting import Posting
from feedd.web import arguments
from feedd.web.endpoint import Answer, Endpoint, Nothing
from feedd.web.gate import Gate
from feedd.web.server.request import FeedRequest


class _Post(msgspec.Struct):
    body: Any


class _AuthoredPost(msgspec.Struct):
    author: str
    body: Any


class PostsEndpoint(Endpoint):
    """``POST /feed/posts``, and below it each post."""

    isLeaf = False

    def __init__(self, gate: Gate, posting: Posting) -> None:
        super().__init__(gate, {b"POST": self.post})
        self._posting = posting

    def getChild(self, path: bytes, request: Any) -> Any:
        """The post whose id is the next segment."""
        id = arguments.post_id(path)
        if id is None:
            return Nothing(self._gate)
        return PostEndpoint(self._gate, self._posting, id)

    async def post(self, request: FeedRequest) -> Answer:
        """Publish a post of the user who asks."""
        author = await self._gate.user(request)
        body = _body_of(request)
        return await publish(self._posting, request, author, body)


class PostEndpoint(Endpoint):
    """``PATCH`` and ``DELETE /feed/posts/<id>``: the author's own only."""

    def __init__(self, gate: Gate, posting: Posting, id: int) -> None:
        super().__init__(gate, {b"PATCH": self.patch, b"DELETE": self.delete})
        self._posting = posting
        self._id = id

    async def patch(self, request: FeedRequest) -> Answer:
        """Give the post a new body."""
        author = await self._gate.user(request)
        body = _body_of(request)
        event = await self._posting.edit(author, self._id, body)
        return Answer(b'{"event":%d}' % event.id)

    async def delete(self, request: FeedRequest) -> Answer:
        """Take the post back."""
        author = await self._gate.user(request)
        event = await self._posting.delete(author, self._id)
        return Answer(b'{"event":%d}' % event.id)


class AuthoredPostsEndpoint(Endpoint):
    """``POST /api/posts``: the site posts on behalf of a user."""

    def __init__(self, gate: Gate, posting: Posting) -> None:
        super().__init__(gate, {b"POST": self.post})
        self._posting = posting

    async def post(self, request: FeedRequest) -> Answer:
        """Publish a post of the author whom the body names."""
        self._gate.check_backend(request)
        given = arguments.body_of(request.body, _AuthoredPost)
        return await publish(
            self._posting,
            request,
            arguments.user("author", given.author),
            arguments.post_body(given.body),
        )


async def publish(posting: Posting, request: FeedRequest, author: str, body: bytes) -> Answer:
    """
    Publish, and answer 201 with the ids of the post and its event.

    A repeated Idempotency-Key gets the first answer.
    """
    key = arguments.idempotency_key(request.header("idempotency-key"))
    stored = await posting.post(author, body, key)
    return Answer(b'{"post":%d,"event":%d}' % (stored.post, stored.event.id), 201)


def _body_of(request: FeedRequest) -> bytes:
    return arguments.post_body(arguments.body_of(request.body, _Post).body)
