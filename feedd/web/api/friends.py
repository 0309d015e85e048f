"""``GET /feed/friends``: the friend list."""

import msgspec

from feedd.feed.reading import Reading
from feedd.web.endpoint import Answer, Endpoint
from feedd.web.gate import Gate
from feedd.web.server.request import FeedRequest


class FriendsEndpoint(Endpoint):
    """``GET /feed/friends``: the users that the user hears."""

    def __init__(self, gate: Gate, reading: Reading) -> None:
        super().__init__(gate, {b"GET": self.get})
        self._reading = reading

    async def get(self, request: FeedRequest) -> Answer:
        """Their names, sorted."""
        friends = await self._reading.friends_of(await self._gate.user(request))
        return Answer(msgspec.json.encode({"friends": friends}))
