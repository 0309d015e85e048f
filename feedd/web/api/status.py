"""``GET /status``: whether this process is alive, whether it is ready, and why not."""

from collections.abc import Callable, Mapping

import msgspec

from feedd.core.counters import Counters
from feedd.core.event import safe_json
from feedd.core.hub import Hub
from feedd.web.endpoint import Answer, Endpoint
from feedd.web.gate import Gate
from feedd.web.server.request import FeedRequest

Trouble = Callable[[], str]
"""Tells why a part is away, in a few words without secrets; "" when it is there."""


class StatusEndpoint(Endpoint):
    """
    ``GET /status``: 200 when every part is there, else 503; the answer names the part. Who has the
    backend key is told why, and the rest.

    :param parts: the trouble of each part, by its name.
    :param ringer: tells whether this process is the one that rings, in a word or a few.
    """

    def __init__(
        self,
        gate: Gate,
        parts: Mapping[str, Trouble],
        hub: Hub,
        counters: Counters,
        version: str,
        ringer: Callable[[], str],
    ) -> None:
        super().__init__(gate, {b"GET": self.get})
        self._parts = parts
        self._hub = hub
        self._counters = counters
        self._version = version
        self._ringer = ringer

    async def get(self, request: FeedRequest) -> Answer:
        """The state as the process knows it; nothing is asked over the network for it."""
        troubles = {name: trouble() for name, trouble in self._parts.items()}
        ready = not any(troubles.values())
        parts: dict[str, dict[str, object]] = {
            name: {"up": not trouble} for name, trouble in troubles.items()
        }
        status = {"live": True, "ready": ready, "parts": parts}
        # The words of the servers, and figures of what goes on, are not for strangers.
        if self._gate.is_backend(request):
            for name, trouble in troubles.items():
                parts[name]["trouble"] = trouble
            status |= {
                "version": self._version,
                "polls": self._hub.parked,
                "subscriptions": len(self._hub),
                "ringer": self._ringer(),
                "counters": self._counters.snapshot(),
            }
        return Answer(safe_json(msgspec.json.encode(status)), 200 if ready else 503)
