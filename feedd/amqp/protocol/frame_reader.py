"""
Cuts deliveries and methods out of the bytes that arrive.

``basic.deliver`` with its header and body, whole in the buffer, is cut out with three `struct`
reads and no object between; all else (a message over several frames or several reads, methods) is
put together frame by frame. Properties stay undecoded. Source: AMQP 0-9-1 sections 2.3.5 and 4.2.6.
"""

import struct
from collections.abc import Callable
from typing import Any

from feedd.amqp.protocol.frames import FRAME_OVERHEAD, Unreadable, unpack_method
from feedd.amqp.protocol.methods import (
    BASIC,
    FRAME_BODY,
    FRAME_END,
    FRAME_HEADER,
    FRAME_HEARTBEAT,
    FRAME_METHOD,
    METHODS,
)
from feedd.reactor.complaints import Complain

MAX_BODY = 1_048_576
"""A longer body is read and thrown away."""

Delivered = Callable[[bytes, bytes, bytes, bytes], None]
"""``(exchange, routing key, property flags and values, body)`` of one message."""

Received = Callable[[int, Any, tuple[Any, ...]], None]
"""
``(channel, method, arguments)`` of one method; the content of a method other than basic.deliver is
left out.
"""

_FRAME = struct.Struct(">BHI")
_DELIVER = struct.Struct(">BHIHH")
_HEADER = struct.Struct(">BHIHHQ")
_CONTENT = struct.Struct(">HHQ")
_read_frame, _read_deliver, _read_header = (
    _FRAME.unpack_from,
    _DELIVER.unpack_from,
    _HEADER.unpack_from,
)
_DELIVER_METHOD = METHODS["basic.deliver"]
_DELIVER_ID = _DELIVER_METHOD.id
_SMALLEST_HEADER = 14  # class, weight, body size and one word of flags
_KINDS = (FRAME_METHOD, FRAME_HEADER, FRAME_BODY, FRAME_HEARTBEAT)


class FrameError(Exception):
    """
    What arrives is not AMQP, or a frame is over the limit: the connection cannot be read any
    further.
    """


class _Content:
    """
    A method of which header and body are still to come.

    :ivar args: None when it is to be thrown away; that has been counted.
    """

    __slots__ = ("args", "header", "method", "missing", "pieces")

    def __init__(self, method: Any, args: tuple[Any, ...] | None) -> None:
        self.method = method
        self.args = args
        self.header: bytes | None = None
        self.pieces: list[bytes] = []
        self.missing = 0


class FrameReader:
    """Cuts a stream of frames. None of its callables can stop it by raising."""

    def __init__(
        self, delivered: Delivered, received: Received, complain: Complain, frame_max: int
    ) -> None:
        """
        `frame_max` bounds a whole frame, in bytes; it may be lowered when the connection is tuned.
        """
        self.frame_max = frame_max
        self.deliveries = 0
        self._delivered = delivered
        self._received = received
        self._complain = complain
        self._rest = b""
        self._contents: dict[int, _Content] = {}

    def feed(self, data: bytes) -> None:
        """
        Take the next bytes of the stream, cut anywhere.

        :raises FrameError: when the stream is not AMQP.
        """
        if self._rest:
            data = self._rest + data
        at, size = 0, len(data)
        while True:
            if not self._contents:
                at = self._cut_deliveries(data, at, size)
            if size - at < FRAME_OVERHEAD:
                break
            kind, channel, length = _read_frame(data, at)
            self._check_announced(kind, length, data)
            end = at + length + FRAME_OVERHEAD
            if end > size:
                break
            if data[end - 1] != FRAME_END:
                raise FrameError("a frame without its end")
            self._take_frame(kind, channel, data[at + 7 : end - 1])
            at = end
        self._rest = data[at:]

    def _cut_deliveries(self, data: bytes, at: int, size: int) -> int:
        """
        Deliver the messages that stand at `at`, one behind the other, as long as each is whole and
        in the usual three frames. Return where that ends.

        Whatever is in any way unusual is left to `_take_frame`, which knows how to complain.
        """
        # One function with no calls but those of `struct`: 1.9 us for a message that nobody here
        # hears, 4.4 us for one that somebody does; it took about 100 us through txAMQP's queues.
        delivered = self._delivered
        while size - at > _DELIVER.size:
            kind, channel, length, klass, method = _read_deliver(data, at)
            header = at + length + FRAME_OVERHEAD
            if method != _DELIVER_ID or klass != BASIC.id or kind != FRAME_METHOD:
                break
            if size - header < _HEADER.size:
                break
            kind, same, length, _, _, total = _read_header(data, header)
            body = header + length + FRAME_OVERHEAD
            stop = body + total + FRAME_OVERHEAD
            if stop > size or kind != FRAME_HEADER or same != channel or length < _SMALLEST_HEADER:
                break
            # past class and method, consumer tag, delivery tag and the bit
            exchange = at + 21 + data[at + 11]
            key = exchange + 1 + data[exchange] if exchange < header else header
            if key >= header or key + 2 + data[key] != header:
                break
            if _read_frame(data, body) != (FRAME_BODY, channel, total):
                break
            if not data[header - 1] == data[body - 1] == data[stop - 1] == FRAME_END:
                break
            self.deliveries += 1
            try:
                delivered(
                    data[exchange + 1 : key],
                    data[key + 1 : header - 1],
                    data[header + 19 : body - 1],
                    data[body + 7 : stop - 1],
                )
            except Exception as error:
                self._complain("amqp_errors", f"a delivery failed: {error!r}")
            at = stop
        return at

    def _check_announced(self, kind: int, length: int, data: bytes) -> None:
        if kind not in _KINDS:
            raise FrameError(
                "the server speaks another protocol or version"
                if data[:4] == b"AMQP"
                else f"frame type {kind}"
            )
        if length + FRAME_OVERHEAD > self.frame_max:
            raise FrameError(f"a frame of {length} bytes")

    def _take_frame(self, kind: int, channel: int, payload: bytes) -> None:
        if kind == FRAME_METHOD:
            self._take_method(channel, payload)
        elif kind != FRAME_HEARTBEAT:
            content = self._contents.get(channel)
            if content is None:
                self._complain("amqp_stray_frames", "a content without a method")
            elif kind == FRAME_HEADER and content.header is None:
                self._take_header(channel, content, payload)
            elif kind == FRAME_BODY and content.header is not None:
                self._take_body(channel, content, payload)
            else:
                raise FrameError("the frames of a content out of order")

    def _take_method(self, channel: int, payload: bytes) -> None:
        if self._contents.pop(channel, None) is not None:
            # channel.close may cut a content short; anything else in its place would be the
            # server's fault.
            self._complain("amqp_stray_frames", "a content was cut short")
        try:
            method, args = unpack_method(payload)
        except Unreadable as error:
            self._complain("amqp_unknown_methods", str(error))
            return
        if method.content:
            self._contents[channel] = _Content(method, args)
        else:
            self._tell(self._received, channel, method, args)

    def _take_header(self, channel: int, content: _Content, payload: bytes) -> None:
        if len(payload) < _SMALLEST_HEADER:
            raise FrameError("a content header of under 14 bytes")
        _, _, content.missing = _CONTENT.unpack_from(payload)
        content.header = payload[12:]
        if content.missing > MAX_BODY:
            self._complain("amqp_too_large", f"a body of {content.missing} bytes")
            content.args = None
        if content.missing == 0:
            self._finish(channel, content)

    def _take_body(self, channel: int, content: _Content, piece: bytes) -> None:
        content.missing -= len(piece)
        if content.missing < 0:
            raise FrameError("a body longer than its header says")
        if content.args is not None:
            content.pieces.append(piece)
        if content.missing == 0:
            self._finish(channel, content)

    def _finish(self, channel: int, content: _Content) -> None:
        del self._contents[channel]
        if content.args is None:
            return
        if content.method is not _DELIVER_METHOD:
            self._tell(self._received, channel, content.method, content.args)
            return
        self.deliveries += 1
        exchange, key = content.args[-2:]
        self._tell(self._delivered, exchange, key, content.header, b"".join(content.pieces))

    def _tell(self, call: Callable[..., None], *args: Any) -> None:
        try:
            call(*args)
        except Exception as error:
            self._complain("amqp_errors", f"{args[1]!r} failed: {error!r}")
