"""
Field tables: the typed dictionaries in AMQP headers and arguments, for every type that RabbitMQ
sends.

What arrives was put there by strangers, so decoding never raises: it keeps what came before the
first unreadable value. What we send is ours, so encoding raises. Lengths count bytes. Source:
section 4.2.1 of AMQP 0-9-1, and RabbitMQ's errata for what the type letters really mean.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

MAX_DEPTH = 32
"""Tables and arrays may be nested this deep; RabbitMQ has no limit, our stack has."""

Table = dict[str, Any]


class _Unreadable(Exception):
    """The rest of a table cannot be read: cut off, of an unknown type, or nested too deeply."""


_NUMBERS = {
    ord(letter): struct.Struct(">" + format)
    for letter, format in {
        "b": "b",
        "B": "B",
        "s": "h",
        "U": "h",
        "u": "H",
        "I": "i",
        "i": "I",
        "l": "q",
        "L": "q",
        "f": "f",
        "d": "d",
        "T": "Q",
    }.items()
}
_LENGTH = struct.Struct(">I")
_DECIMAL = struct.Struct(">Bi")


def encode_table(table: Mapping[str, Any]) -> bytes:
    """
    The table with its length in front, fit to be a field of a method or a property.

    str and bytes travel as S, bool as t, int as I or l, float as d, Decimal as D, datetime as T,
    None as V, a list as A, a mapping as F.

    :raises ValueError: for a value of another type or out of range, or a name over 255 bytes.
    """
    body = b"".join(_encode_name(name) + _encode_value(value) for name, value in table.items())
    return _LENGTH.pack(len(body)) + body


def decode_table(data: bytes) -> Table:
    """
    The readable part of a table whose bytes, without the length in front, are `data`. Never raises.

    S and x become bytes, T the number of seconds since 1970, D a Decimal.
    """
    return _decode_pairs(data, 0, len(data), 0)


def _encode_name(name: str) -> bytes:
    encoded = name.encode()
    if len(encoded) > 255:
        raise ValueError("a field name over 255 bytes")
    return bytes((len(encoded),)) + encoded


def _sized(letter: bytes, body: bytes) -> bytes:
    return letter + _LENGTH.pack(len(body)) + body


def _encode_int(value: int) -> bytes:
    if -(2**31) <= value < 2**31:
        return b"I" + value.to_bytes(4, "big", signed=True)
    if -(2**63) <= value < 2**63:
        return b"l" + value.to_bytes(8, "big", signed=True)
    raise ValueError("an integer over 64 bits")


def _encode_decimal(value: Decimal) -> bytes:
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int) or not -255 <= exponent <= 0:
        raise ValueError("a decimal without an AMQP form")
    unscaled = int("".join(map(str, digits))) * (-1 if sign else 1)
    if not -(2**31) <= unscaled < 2**31:
        raise ValueError("a decimal over 32 bits")
    return b"D" + _DECIMAL.pack(-exponent, unscaled)


# bool comes before int, of which it is a subclass.
_ENCODERS: tuple[tuple[Any, Callable[[Any], bytes]], ...] = (
    (bool, lambda value: b"t\1" if value else b"t\0"),
    (int, _encode_int),
    (str, lambda value: _sized(b"S", value.encode())),
    (bytes, lambda value: _sized(b"S", value)),
    (float, lambda value: b"d" + struct.pack(">d", value)),
    (type(None), lambda value: b"V"),
    (Mapping, lambda value: b"F" + encode_table(value)),
    (Sequence, lambda value: _sized(b"A", b"".join(map(_encode_value, value)))),
    (Decimal, _encode_decimal),
    (datetime, lambda value: b"T" + struct.pack(">Q", int(value.timestamp()))),
)


def _encode_value(value: Any) -> bytes:
    for kind, encode in _ENCODERS:
        if isinstance(value, kind):
            try:
                return encode(value)
            except struct.error as error:
                raise ValueError(f"out of range: {error}") from None
    raise ValueError(f"a {type(value).__name__} has no AMQP form")


def _decode_pairs(data: bytes, at: int, end: int, depth: int) -> Table:
    table: Table = {}
    try:
        while at < end:
            start = at + 1
            at = start + data[at]
            if at >= end:
                break
            name = data[start:at].decode("utf-8", "replace")
            table[name], at = _decode_value(data, at, end, depth)
    except _Unreadable:
        pass
    return table


def _decode_items(data: bytes, at: int, end: int, depth: int) -> list[Any]:
    items: list[Any] = []
    try:
        while at < end:
            value, at = _decode_value(data, at, end, depth)
            items.append(value)
    except _Unreadable:
        pass
    return items


def _decode_value(data: bytes, at: int, end: int, depth: int) -> tuple[Any, int]:
    """The value whose type letter is at `at`, and where it stops."""
    letter, at = data[at], at + 1
    if (number := _NUMBERS.get(letter)) is not None:
        return number.unpack_from(data, _within(at, number.size, end))[0], at + number.size
    if letter == 0x74:  # t
        return data[_within(at, 1, end)] != 0, at + 1
    if letter in b"Vn":
        return None, at
    if letter == 0x44:  # D
        scale, unscaled = _DECIMAL.unpack_from(data, _within(at, 5, end))
        return Decimal(unscaled).scaleb(-scale), at + 5
    return _decode_sized(letter, data, at, end, depth)


def _decode_sized(letter: int, data: bytes, at: int, end: int, depth: int) -> tuple[Any, int]:
    if letter not in b"SxAF" or depth >= MAX_DEPTH:
        raise _Unreadable
    length = _LENGTH.unpack_from(data, _within(at, 4, end))[0]
    at = _within(at + 4, length, end)
    stop = at + length
    if letter in b"Sx":
        return data[at:stop], stop
    decode = _decode_items if letter == 0x41 else _decode_pairs
    return decode(data, at, stop, depth + 1), stop


def _within(at: int, length: int, end: int) -> int:
    """`at`, when `length` bytes from there lie before `end`."""
    if at + length > end:
        raise _Unreadable
    return at
