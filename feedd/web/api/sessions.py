"""``DELETE /api/sessions/<user>``, for the site's own servers."""

from feedd.core.hub import Hub
from feedd.web import arguments
from feedd.web.endpoint import Answer, Endpoint
from feedd.web.gate import Gate
from feedd.web.server.request import FeedRequest


class SessionsEndpoint(Endpoint):
    """``DELETE /api/sessions/<user>``: the user's parked polls in this process end now."""

    def __init__(self, gate: Gate, hub: Hub, user: bytes) -> None:
        super().__init__(gate, {b"DELETE": self.delete})
        self._hub = hub
        self._user = user

    async def delete(self, request: FeedRequest) -> Answer:
        """End the polls; answers how many there were."""
        self._gate.check_backend(request)
        user = arguments.user("user", self._user.decode("latin-1"))
        return Answer(b'{"ended":%d}' % self._hub.close_viewer(user))
