"""
The formats of friend lists in memcached, and what other clients write in place of a list.

This module knows no server: a value and its flags become users, or a count of what it is instead.
"""

import re
from collections.abc import Callable
from io import BytesIO
from typing import NamedTuple

import msgspec
import phpserialize

from feedd.core.counters import Counters
from feedd.core.event import is_user

MAX_VALUE_BYTES = 1_000_000
"""A longer value is no friend list; memcached's own limit is 1 MiB."""

MAX_SLOW_BYTES = 65_536
"""
A longer ``serialize()`` that is more than a list of plain names and numbers is not read:
phpserialize takes 0.2 ms for a KiB.
"""

_PHP_ITEM = rb'i:\d+;(?:i:(\d{1,64});|s:(\d{1,7}):"([^"]*)";)'
_PHP_LIST = re.compile(rb"a:(\d{1,7}):\{(?:%s)*\}" % _PHP_ITEM)
_PHP_ITEMS = re.compile(_PHP_ITEM)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

COMPRESSED = 0x10
"""php-memcached's flag of a compressed value, beside one of `COMPRESSED_HOW`."""

COMPRESSED_HOW = 0xE0
"""zlib, fastlz, zstd."""

COMPRESSED_OLD = 0x02
"""
php-memcache's flag of a compressed value. Other clients mean a number or JSON by it, so it counts
only for a value that cannot be read.
"""


class Users(NamedTuple):
    """
    The users of a list.

    :ivar left_out: how many other names in it are no user's.
    """

    users: frozenset[str]
    left_out: int


def users_in(value: bytes, flags: int, form: str, counters: Counters) -> Users | None:
    """
    The users that `value` names; None, counted, when it is no list of that format, is compressed,
    is too large, or names nobody but such who cannot be users.

    :param flags: those that the value was stored with.
    :param form: one of `FORMATS`.
    """
    if len(value) > MAX_VALUE_BYTES:
        counters.add("cache_too_large")
        return None
    if flags & COMPRESSED and flags & COMPRESSED_HOW:
        counters.add("cache_compressed")
        return None
    try:
        names = FORMATS[form](value)
    except (ValueError, RecursionError, OverflowError):
        counters.add("cache_compressed" if flags & COMPRESSED_OLD else "cache_unreadable")
        return None
    distinct = frozenset(names)
    all_are = all(map(is_user, distinct))
    users = distinct if all_are else frozenset(filter(is_user, distinct))
    if distinct and not users:  # another format, or other names than feedd's
        counters.add("cache_unreadable")
        return None
    return Users(users, len(distinct) - len(users))


def _json(value: bytes) -> list[str]:
    try:
        return msgspec.json.decode(value, type=list[str])
    except msgspec.ValidationError:  # numbers, perhaps
        return [str(name) for name in msgspec.json.decode(value, type=list[str | int])]


def _php(value: bytes) -> list[str]:
    """
    A list of PHP's ``serialize()``.

    The lists that sites have are read by a pattern: phpserialize goes from character to character,
    and needs 4 ms for a thousand friends where this needs 0.9; a hundred viewers may be answered in
    one turn of the reactor.
    """
    if plain := _PHP_LIST.fullmatch(value):
        items = _PHP_ITEMS.findall(value)
        if int(plain[1]) != len(items):
            raise ValueError("another number of items")
        if not all(length == b"%d" % len(text) for number, length, text in items if not number):
            raise ValueError("another length")
        return [(number or text).decode() for number, _, text in items]
    if len(value) > MAX_SLOW_BYTES or not value.startswith(b"a:"):
        raise ValueError("not a list, or too large")
    stream = BytesIO(value)
    pairs = phpserialize.load(stream, array_hook=list)
    if stream.read(1) or not all(type(key) is int for key, _ in pairs):
        raise ValueError("more than a list")
    return [_php_name(name) for _, name in pairs]


def _php_name(name: object) -> str:
    if isinstance(name, bytes):
        return name.decode()
    if type(name) is int:
        return str(name)
    raise ValueError("neither a string nor a number")


def _comma(value: bytes) -> list[str]:
    text = value.decode()
    if _CONTROL.search(text):
        raise ValueError("a control character")
    return [name.strip(" ") for name in text.split(",")] if text.strip(" ") else []


FORMATS: dict[str, Callable[[bytes], list[str]]] = {
    "json": _json,
    "php": _php,
    "comma": _comma,
}
"""The names in a value, for each ``cache.friends_format``; they raise ValueError."""
