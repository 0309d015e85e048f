"""
The bytes of polls' answers.

A `Rendering` makes once what all listeners of a delivery share; for each of them only the handle of
its cursor is put between. The events' bytes are never made again.
"""

from collections.abc import Callable, Sequence

from feedd.core.delivery import Delivery
from feedd.core.event import Event
from feedd.feed.reading import Reply
from feedd.web.responses import JSON, SCRIPT, Spelling, call


class Renderer:
    """
    Renders answers: ``{"events": […], "cursor": "…"}`` and what else there is to say.

    :param is_degraded: whether events come by the net only.
    """

    def __init__(self, spelling: Spelling, is_degraded: Callable[[], bool]) -> None:
        self.spelling = spelling
        self.is_degraded = is_degraded

    def document(self, reply: Reply) -> bytes:
        """The JSON of an answer to a poll that does not wait."""
        start, end = _around(reply.events, self.is_degraded(), reply.more, reply.gap)
        return start + reply.cursor.encode() + end

    def rendering(self, delivery: Delivery) -> "Rendering":
        """The forms of a delivery."""
        return Rendering(delivery, self.spelling, self.is_degraded())


class Rendering:
    """
    One delivery in the forms that its listeners want.

    Each method takes the handle of the listener's cursor.
    """

    __slots__ = ("_documents", "_end", "_id", "_scripts", "_start")

    def __init__(self, delivery: Delivery, spelling: Spelling, is_degraded: bool) -> None:
        start, self._end = _around(delivery.events, is_degraded)
        self._id = delivery.text.encode() + b"~"
        self._start = start + self._id
        self._documents = spelling.heads(JSON)
        self._scripts = spelling.heads(SCRIPT)

    def document(self, handle: str) -> bytes:
        """The JSON document."""
        return b"%b%b%b" % (self._start, handle.encode(), self._end)

    def response(self, handle: str, callback: bytes | None) -> bytes:
        """The whole response with the document, or with the script that calls `callback`."""
        json = b"%b%b%b" % (self._start, handle.encode(), self._end)
        if callback is None:
            return self._documents[len(json)] + json
        script = call(callback, json)
        return self._scripts[len(script)] + script

    def record(self, handle: str) -> bytes:
        """The event of an event stream, whose id is the cursor (HTML standard, 9.2)."""
        handle_bytes = handle.encode()
        return b"id: %b%b\ndata: %b%b%b\n\n" % (
            self._id,
            handle_bytes,
            self._start,
            handle_bytes,
            self._end,
        )


def _around(
    events: Sequence[Event], is_degraded: bool, more: bool = False, gap: bool = False
) -> tuple[bytes, bytes]:
    """The JSON before and behind the cursor."""
    start = b'{"events":[%b],"cursor":"' % b",".join([event.json for event in events])
    end = b'"%b%b%b}' % (
        b',"gap":true' if gap else b"",
        b',"more":true' if more else b"",
        b',"state":"degraded"' if is_degraded else b"",
    )
    return start, end
