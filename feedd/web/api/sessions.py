"""``DELETE /api/sessions/<user>``, for the site's own servers."""

from feedd.core.event import at_of
from feedd.core.hub import Hub
from feedd.feed.posting import Posting
from feedd.web import arguments
from feedd.web.endpoint import Answer, Endpoint
from feedd.web.gate import Gate
from feedd.web.server.request import FeedRequest


class SessionsEndpoint(Endpoint):
    """
    ``DELETE /api/sessions/<user>``: the user's polls end, in every process, and what proved who
    they are before is refused.
    """

    def __init__(self, gate: Gate, posting: Posting, hub: Hub, user: bytes) -> None:
        super().__init__(gate, {b"DELETE": self.delete})
        self._hub = hub
        self._posting = posting
        self._user = user

    async def delete(self, request: FeedRequest) -> Answer:
        """
        Log the user out; answers how many of their clients were here, and when it was: tokens that
        are issued from this second on are good.
        """
        self._gate.check_backend(request)
        user = arguments.user("user", self._user.decode("latin-1"))
        ended = self._hub.clients_of(user)
        event = await self._posting.log_out(user)
        return Answer(b'{"ended":%d,"event":%d,"at":%d}' % (ended, event.id, at_of(event)))
