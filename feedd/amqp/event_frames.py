"""
Packs the frames that publish an event.

What `feedd.amqp.protocol.frames` packs of any method, content and property, field by field, is here
one template for an event: the same bytes at a tenth of the cost. Source: AMQP 0-9-1 sections 2.3.5
and 4.2.6, basic.publish.
"""

import struct

from feedd.amqp.protocol.fields import encode_table
from feedd.amqp.protocol.frames import FRAME_OVERHEAD, Unpackable, pack_frame
from feedd.amqp.protocol.methods import (
    BASIC,
    FRAME_BODY,
    FRAME_END,
    FRAME_HEADER,
    FRAME_METHOD,
    METHODS,
)
from feedd.amqp.seal import HEADER, SEAL_BYTES
from feedd.core.event import Event

TRANSIENT = 1

_PUBLISH = struct.Struct(">BHIHHH")
_HEADER = struct.Struct(">BHIHHQH")
_BODY = struct.Struct(">BHI")
_PUBLISH_ID = METHODS["basic.publish"].id
_NAMES = [field.name for field in BASIC.fields]
_FLAGS = sum(
    1 << (15 - _NAMES.index(name))
    for name in ("content-type", "delivery-mode", "message-id", "type")
)
_SEALED_FLAGS = _FLAGS | 1 << (15 - _NAMES.index("headers"))
_TYPE = b"\x10application/json"
_MODE = bytes((TRANSIENT,))
# A table of one string, whose value follows.
_HEADERS = encode_table({HEADER: bytes(SEAL_BYTES)})[:-SEAL_BYTES]
_SEALED = struct.pack(">H", _SEALED_FLAGS) + _TYPE + _HEADERS
_SEAL = slice(len(_SEALED), len(_SEALED) + SEAL_BYTES)
_END = bytes((FRAME_END,))
_NO_BITS = b"\0" + _END  # neither mandatory nor immediate


def pack_event(
    channel: int, exchange: bytes, event: Event, frame_max: int, seal: bytes = b""
) -> bytes:
    """
    The frames that publish `event` on `exchange`; its author is the routing key.

    :param seal: see `feedd.amqp.seal`; none when it is empty.
    :raises Unpackable: when a name has more than 255 bytes.
    """
    key, kind, number, body = (
        event.author.encode(),
        event.kind.encode(),
        b"%d" % event.id,
        event.json,
    )
    if len(exchange) > 255 or len(key) > 255 or len(kind) > 255:
        raise Unpackable("a short string over 255 bytes")
    if len(body) > frame_max - FRAME_OVERHEAD or not body:
        bodies = _pack_bodies(channel, body, frame_max)
    else:
        bodies = _BODY.pack(FRAME_BODY, channel, len(body)) + body + _END
    flags, first = _FLAGS, _TYPE + _MODE
    if seal:
        flags, first = _SEALED_FLAGS, b"%b%b%b%b" % (_TYPE, _HEADERS, seal, _MODE)
    size = 16 + len(first) + len(number) + len(kind)
    return b"".join(
        (
            _PUBLISH.pack(
                FRAME_METHOD, channel, 9 + len(exchange) + len(key), BASIC.id, _PUBLISH_ID, 0
            ),
            b"%c%b%c%b" % (len(exchange), exchange, len(key), key),
            _NO_BITS,
            _HEADER.pack(FRAME_HEADER, channel, size, BASIC.id, 0, len(body), flags),
            first,
            b"%c%b%c%b" % (len(number), number, len(kind), kind),
            _END,
            bodies,
        )
    )


def seal_in(header: bytes) -> bytes:
    """
    The seal in the property flags and values that `pack_event` has written; b"" when they may be
    anything else.
    """
    return header[_SEAL] if header.startswith(_SEALED) else b""


def _pack_bodies(channel: int, body: bytes, frame_max: int) -> bytes:
    """A body that takes more than one frame, or none."""
    piece = frame_max - FRAME_OVERHEAD
    return b"".join(
        pack_frame(FRAME_BODY, channel, body[start : start + piece])
        for start in range(0, len(body), piece)
    )
