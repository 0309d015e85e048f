"""
Packs methods and contents as frames, and unpacks them.

Everything that one call sends is packed before any of it is written, so an error of packing has
sent nothing. Strings that arrive stay bytes, and every length counts bytes. Source: AMQP 0-9-1
sections 2.3.5 (frames), 4.2.4 (methods), 4.2.6 (contents).
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from feedd.amqp.protocol.fields import decode_table, encode_table
from feedd.amqp.protocol.methods import (
    FRAME_BODY,
    FRAME_END,
    FRAME_HEADER,
    FRAME_HEARTBEAT,
    FRAME_METHOD,
    SPEC,
)

FRAME_OVERHEAD = 8
"""The bytes that a frame adds to its payload: type, channel and size in front, one octet behind."""

PROTOCOL_HEADER = b"AMQP\0\0\x09\x01"

_FRAME = struct.Struct(">BHI")
_METHOD = struct.Struct(">HH")
_HEADER = struct.Struct(">HHQ")
_INTEGERS = {
    "octet": struct.Struct(">B"),
    "short": struct.Struct(">H"),
    "long": struct.Struct(">I"),
    "longlong": struct.Struct(">Q"),
    "timestamp": struct.Struct(">Q"),
}
_LONG = _INTEGERS["long"]
_SHORT = _INTEGERS["short"]
_END = bytes((FRAME_END,))


class Unpackable(ValueError):
    """The arguments or properties of a call have no AMQP form; nothing was sent."""


class Unreadable(ValueError):
    """A frame that arrived does not hold what its type promises."""


def pack_frame(kind: int, channel: int, payload: bytes) -> bytes:
    """One frame."""
    return _FRAME.pack(kind, channel, len(payload)) + payload + _END


HEARTBEAT = pack_frame(FRAME_HEARTBEAT, 0, b"")


def pack_method(channel: int, method: Any, args: Sequence[Any]) -> bytes:
    """
    The frame of a call of `method`.

    :raises Unpackable: when an argument is of the wrong type or size.
    """
    if len(args) != len(method.fields.items):
        raise Unpackable(
            f"{method.klass.name}.{method.name} takes {len(method.fields.items)} arguments"
        )
    payload = _METHOD.pack(method.klass.id, method.id) + _pack_fields(method.fields, args)
    return pack_frame(FRAME_METHOD, channel, payload)


def pack_properties(klass: Any, properties: Mapping[str, Any]) -> bytes:
    """
    Property flags and values, as a header frame carries them; spelled as in the specification,
    ``delivery-mode``.

    :raises Unpackable: for an unknown property, or a value of the wrong type or size.
    """
    if unknown := properties.keys() - klass.fields.byname.keys():
        raise Unpackable(f"no such property: {', '.join(sorted(unknown))}")
    flags, values = 0, []
    for number, field in enumerate(klass.fields):
        value = properties.get(field.name)
        if value is not None:
            flags |= 1 << (15 - number)
            values.append(_pack_value(field, value))
    return _SHORT.pack(flags) + b"".join(values)


def pack_content(channel: int, klass: Any, properties: bytes, body: bytes, frame_max: int) -> bytes:
    """
    The header frame and the body frames of a content; `properties` come from `pack_properties`.
    """
    frames = [pack_frame(FRAME_HEADER, channel, _HEADER.pack(klass.id, 0, len(body)) + properties)]
    piece = frame_max - FRAME_OVERHEAD
    for start in range(0, len(body), piece):
        frames.append(pack_frame(FRAME_BODY, channel, body[start : start + piece]))
    return b"".join(frames)


def unpack_method(payload: bytes) -> tuple[Any, tuple[Any, ...]]:
    """
    The method of a method frame and its arguments; strings are bytes.

    :raises Unreadable: when the method is unknown or its arguments do not fit.
    """
    method = method_of(payload)
    try:
        return method, _unpack_fields(method.fields, payload, 4)
    except (struct.error, IndexError):
        raise Unreadable(f"the arguments of {method.klass.name}.{method.name}") from None


def method_of(payload: bytes) -> Any:
    """
    The method of a method frame.

    :raises Unreadable: when it is not in the table.
    """
    try:
        number, name = _METHOD.unpack_from(payload)
        return SPEC.classes.byid[number].methods.byid[name]
    except (struct.error, KeyError):
        raise Unreadable(f"unknown method {payload[:4].hex()}") from None


def unpack_properties(klass: Any, header: bytes) -> dict[str, Any]:
    """The readable properties of a content header, from its flags on. Never raises."""
    properties: dict[str, Any] = {}
    try:
        flags = _SHORT.unpack_from(header)[0]
        at, more = 2, flags
        while more & 1:  # further words of flags, for properties that no class has
            more, at = _SHORT.unpack_from(header, at)[0], at + 2
        for number, field in enumerate(klass.fields):
            if flags & (1 << (15 - number)):
                properties[field.name], at = _unpack_value(field.type, header, at)
    except (struct.error, IndexError):
        pass
    return properties


def _pack_fields(fields: Any, args: Sequence[Any]) -> bytes:
    packed: list[bytes] = []
    bits: list[Any] = []
    for field, value in zip(fields, args, strict=True):
        if field.type == "bit":
            bits.append(value)
            continue
        packed.append(_pack_bits(bits))
        bits = []
        packed.append(_pack_value(field, value))
    packed.append(_pack_bits(bits))
    return b"".join(packed)


def _pack_bits(bits: Sequence[Any]) -> bytes:
    """Neighbouring bits share octets, the first of them in the lowest bit."""
    if not bits:
        return b""
    number = sum(1 << place for place, bit in enumerate(bits) if bit)
    return number.to_bytes((len(bits) + 7) // 8, "little")


def _pack_value(field: Any, value: Any) -> bytes:
    try:
        if field.type in ("shortstr", "longstr"):
            return _pack_string(field.type, value)
        return encode_table(value) if field.type == "table" else _INTEGERS[field.type].pack(value)
    except (struct.error, ValueError, TypeError, AttributeError) as error:
        raise Unpackable(f"{field.name}: {error}") from None


def _pack_string(type: str, value: str | bytes) -> bytes:
    text = value.encode() if isinstance(value, str) else bytes(memoryview(value))
    if type == "longstr":
        return _LONG.pack(len(text)) + text
    if len(text) > 255:
        raise ValueError("a short string over 255 bytes")
    return bytes((len(text),)) + text


def _unpack_fields(fields: Any, payload: bytes, at: int) -> tuple[Any, ...]:
    """The arguments from `at` on; no method has more than eight bits in a row."""
    values: list[Any] = []
    bit = 0
    for field in fields:
        if field.type != "bit":
            at += bit > 0
            bit = 0
            value, at = _unpack_value(field.type, payload, at)
        else:
            value, bit = bool(payload[at] >> bit & 1), bit + 1
        values.append(value)
    return tuple(values)


def _unpack_value(type: str, payload: bytes, at: int) -> tuple[Any, int]:
    if (integer := _INTEGERS.get(type)) is not None:
        return integer.unpack_from(payload, at)[0], at + integer.size
    if type == "shortstr":
        at, length = at + 1, payload[at]
    else:
        at, length = at + 4, _LONG.unpack_from(payload, at)[0]
    if at + length > len(payload):
        raise IndexError
    value = payload[at : at + length]
    return decode_table(value) if type == "table" else value, at + length
