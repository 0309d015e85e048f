"""
Arguments and bodies of requests: bytes become values, or an error that names the argument.

A query's arguments are what twisted.web has parsed: the values of each name, in their order.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import msgspec

from feedd.core.cursor import BadCursor
from feedd.core.event import MAX_DEPTH, MAX_ID, is_deeper, is_user
from feedd.web.errors import BadArgument, BadBody

Arguments = Mapping[bytes, Sequence[bytes]]

_CALLBACK = re.compile(rb"[A-Za-z_$][\w$.]{0,99}\Z", re.ASCII)
_KEY = re.compile(r"[\x21-\x7e]{1,128}\Z")
_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a pair: one character
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.DOTALL,
)

Typed = TypeVar("Typed")


def one(arguments: Arguments, name: str) -> bytes | None:
    """
    The value of `name`, None when it is not there.

    :raises BadArgument: when it is given more than once, for nobody can know which was meant.
    """
    values = arguments.get(name.encode())
    if not values:
        return None
    if len(values) > 1:
        raise BadArgument(name, "given more than once")
    return values[0]


def callback(arguments: Arguments) -> bytes | None:
    """
    The name of the JSONP function, None when there is none.

    :raises BadArgument: when it is not ``[A-Za-z_$][\\w$.]*`` with up to 100 characters.
    """
    name = one(arguments, "callback")
    if name is not None and not is_callback(name):
        raise BadArgument(
            "callback", "must be a function's name: [A-Za-z_$][\\w$.]*, up to 100 characters"
        )
    return name


def is_callback(name: bytes) -> bool:
    """Whether `name` may be that of a JSONP function."""
    return _CALLBACK.match(name) is not None


def whole(arguments: Arguments, name: str, low: int, high: int) -> int | None:
    """
    A whole number from `low` to `high`, None when it is not there.

    :raises BadArgument: when it is anything else.
    """
    text = one(arguments, name)
    if text is None:
        return None
    if not re.fullmatch(rb"[0-9]{1,19}", text) or not low <= int(text) <= high:
        raise BadArgument(name, f"must be a whole number from {low} to {high}")
    return int(text)


def seconds(arguments: Arguments, name: str, longest_seconds: float) -> float:
    """
    A time in seconds, 0 or more; `longest_seconds` when it is not there or is longer.

    :raises BadArgument: when it is no such number.
    """
    text = one(arguments, name)
    if text is None:
        return longest_seconds
    if not re.fullmatch(rb"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        raise BadArgument(name, "must be a number of seconds, 0 or more")
    return min(float(text), longest_seconds)


def cursor(arguments: Arguments) -> str | None:
    """
    The text of a cursor, still to be parsed.

    None when there is none, or an empty one: a page's first poll may come from a template.

    :raises BadCursor: when it is not ASCII.
    """
    text = one(arguments, "cursor")
    if not text:
        return None
    if not text.isascii():
        raise BadCursor("not ASCII")
    return text.decode("ascii")


def user(name: str, value: str) -> str:
    """
    The user in argument `name`.

    :raises BadArgument: when `value` cannot be one.
    """
    if not is_user(value):
        raise BadArgument(name, "must be 1-64 characters of A-Z a-z 0-9 _ -")
    return value


def post_id(text: bytes) -> int | None:
    """The id in the last segment of a URL, None when it cannot be one."""
    id = int(text) if re.fullmatch(rb"[0-9]{1,18}", text) else None
    return id if id is not None and id <= MAX_ID else None


def idempotency_key(header: str | None) -> str | None:
    """
    The Idempotency-Key in `header`, None when there is none.

    :raises BadArgument: when it is not 1-128 visible ASCII characters.
    """
    if header is not None and not _KEY.match(header):
        raise BadArgument("Idempotency-Key", "must be 1-128 visible ASCII characters")
    return header


def body_of(data: bytes, kind: type[Typed]) -> Typed:
    """
    The body `data` as an object of `kind`.

    :raises BadArgument: when a field is missing or of the wrong type, or a number would not arrive
        as it is written.
    :raises BadBody: when it is not JSON in UTF-8.
    """
    try:
        return msgspec.json.Decoder(kind, float_hook=_exact).decode(data)
    except msgspec.ValidationError as error:
        raise BadArgument(*_complaint(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadBody(f"not JSON in UTF-8: {_half_pair(data) or error}") from None


def _exact(text: str) -> float:
    """
    The number that `text` spells; whole numbers do not come here, they may have 4,300 digits.

    :raises ValueError: when a double is another one: it has more than about 17 digits, or is too
        large or too small. JSON would allow it (RFC 8259, section 6), but nobody reads it.
    """
    number = float(text)
    try:
        is_exact = Decimal(text) == Decimal(repr(number))
    except InvalidOperation:  # an exponent of 19 digits
        is_exact = False
    if not is_exact:
        raise ValueError("a number that no double holds; write it as a string")
    return number


def _half_pair(data: bytes) -> str:
    """The complaint about an escape that is half of a surrogate pair; "" without one."""
    halves = (match[1] for match in _ESCAPE.finditer(data) if match[1])
    half = next(halves, b"").decode("ascii")
    return f"{half} is half of a surrogate pair, which is no character" if half else ""


def post_body(value: Any) -> bytes:
    """
    The JSON text of a post's body.

    :raises BadArgument: when `value` is no object, or is nested more than `MAX_DEPTH` deep.
    """
    if not isinstance(value, dict):
        raise BadArgument("body", "must be an object")
    if is_deeper(value, MAX_DEPTH):
        raise BadArgument("body", f"nested more than {MAX_DEPTH} deep")
    return msgspec.json.encode(value)


def _complaint(text: str) -> tuple[str, str]:
    """
    The argument's name, and what is wrong with it, in a message of msgspec.

    A message is ``Expected `str`, got `int` - at `$.add[0].viewer```, or the same without a place.
    """
    found = re.fullmatch(r"(.*) - at `\$\.?(.*?)`", text)
    if found:
        return found[2] or "body", found[1]
    missing = re.search(r"missing required field `(\w+)`", text)
    return (missing[1] if missing else "body"), text
