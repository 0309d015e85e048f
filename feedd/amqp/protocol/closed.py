"""
Why a channel or a connection is closed: the errors that its users see, and their texts.
"""

from typing import Any

from twisted.python.failure import Failure
from txamqp.client import ChannelClosed, Closed, ConnectionClosed
from txamqp.message import Message

__all__ = ["ChannelClosed", "Closed", "ConnectionClosed", "closed_error", "describe", "reply_code"]


def closed_error(reason: Any) -> Exception:
    """The `Closed` (or TimeoutError) that says why a channel or connection is closed."""
    if isinstance(reason, Message):
        error: Exception = (
            ChannelClosed(reason)
            if reason.method.klass.name == "channel"
            else ConnectionClosed(reason)
        )
        return error
    return reason if isinstance(reason, Closed | TimeoutError) else Closed(describe(reason))


def reply_code(error: BaseException) -> int:
    """
    The code with which the broker closed a channel or connection (404: there is no such exchange);
    0 for any other error.
    """
    reason = error.args[0] if isinstance(error, Closed) and error.args else None
    return int(reason.reply_code) if isinstance(reason, Message) else 0


def describe(reason: Any) -> str:
    """A short text for people: what the broker said, or what happened to the connection."""
    if isinstance(reason, Closed) and reason.args:
        return describe(reason.args[0])
    if isinstance(reason, Message):
        return f"{reason.reply_code} {reason.reply_text[:200].decode('utf-8', 'replace')}"
    if isinstance(reason, Failure):
        return describe(reason.value)
    return str(reason) or type(reason).__name__
