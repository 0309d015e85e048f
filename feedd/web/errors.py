"""The errors of requests, and the one table from an exception to a status and a code."""

from typing import NamedTuple

import msgspec

from feedd.core.cursor import BadCursor
from feedd.core.event import safe_json
from feedd.feed.ports import Forbidden, NotFound, NotYours, Unauthorized, Unavailable


class BadArgument(Exception):
    """
    A query argument or a field of the body is wrong.

    :param name: which one; the text of the exception begins with it.
    """

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name}: {why}")


class BadBody(Exception):
    """The body is not what the endpoint takes."""


class TooLarge(Exception):
    """The body is longer than it may be."""


class Encoded(Exception):
    """The body is compressed, or encoded in another way."""


class NoSuchMethod(Exception):
    """The URL exists, but not with this method."""


class NoSuchURL(Exception):
    """There is nothing at this URL."""


class Refusal(NamedTuple):
    """An error as an answer."""

    status: int
    code: str
    message: str
    retry_after_seconds: int | None = None

    def json(self, with_status: bool) -> bytes:
        """
        ``{"error": {"code", "message"}}``, and ``"retry_after"`` in seconds if there is one.

        :param with_status: put ``"status"`` inside: a JSONP caller cannot see the response's.
        """
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if with_status:
            error["status"] = self.status
        if self.retry_after_seconds is not None:
            error["retry_after"] = self.retry_after_seconds
        return safe_json(msgspec.json.encode({"error": error}))


TABLE: tuple[tuple[type[Exception], int, str], ...] = (
    (BadArgument, 400, "bad_argument"),
    (BadCursor, 400, "bad_cursor"),
    (BadBody, 400, "bad_body"),
    (Unauthorized, 401, "unauthorized"),
    (Forbidden, 403, "forbidden"),
    (NotYours, 404, "not_found"),
    (NotFound, 404, "not_found"),
    (NoSuchURL, 404, "not_found"),
    (NoSuchMethod, 405, "method_not_allowed"),
    (TooLarge, 413, "too_large"),
    (Encoded, 415, "encoded"),
)
"""The status and the code of each error that a request may end with."""

_TEXTS: dict[type[Exception], str] = {
    # Alike: whether a stranger's post exists is nobody's business.
    NotYours: "You have no such post (any more).",
    NotFound: "You have no such post (any more).",
    Encoded: "The body has a Content-Encoding; send it as it is.",
    NoSuchURL: "There is nothing at this URL.",
    NoSuchMethod: "The URL exists, but not with this method.",
}
"""The texts of errors that say the same whatever text of their own they come with."""


def refuse(error: Exception) -> Refusal | None:
    """The refusal that `error` calls for; None for an unexpected one, a mistake of feedd's own."""
    if isinstance(error, Unavailable):
        return Refusal(
            503,
            "unavailable",
            f"{error.part} is away or busy, ask again",
            error.retry_after_seconds,
        )
    for kind, status, code in TABLE:
        if isinstance(error, kind):
            text = _TEXTS.get(kind) or str(error)
            return Refusal(status, code, f"cursor: {text}" if kind is BadCursor else text)
    return None


INTERNAL = Refusal(500, "internal", "Something unexpected happened; it has been logged.")
