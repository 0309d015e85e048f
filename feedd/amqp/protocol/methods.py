"""
The AMQP 0-9-1 methods that feedd speaks, as a txAMQP `Spec`.

txAMQP comes without its method table (an XML file). This one is short and holds RabbitMQ's
extensions too: ``basic.nack``, ``confirm.select``, ``exchange.bind`` and ``connection.blocked``.
This module knows names, numbers and types; it does not know bytes or connections. Source: the AMQP
0-9-1 specification and RabbitMQ's extended ``amqp0-9-1.xml``.
"""

from typing import Any, NamedTuple

from txamqp.spec import Class, Constant, Field, Method, Spec, pythonize

FRAME_METHOD = 1
FRAME_HEADER = 2
FRAME_BODY = 3
FRAME_HEARTBEAT = 8
FRAME_END = 206

_CONSTANTS = {
    "frame-method": FRAME_METHOD,
    "frame-header": FRAME_HEADER,
    "frame-body": FRAME_BODY,
    "frame-heartbeat": FRAME_HEARTBEAT,
    "frame-end": FRAME_END,
}

_BASIC_PROPERTIES = (
    "content-type:shortstr content-encoding:shortstr headers:table "
    "delivery-mode:octet priority:octet correlation-id:shortstr "
    "reply-to:shortstr expiration:shortstr message-id:shortstr timestamp:timestamp "
    "type:shortstr user-id:shortstr "
    "app-id:shortstr cluster-id:shortstr"
)

_CLOSE = "reply-code:short reply-text:shortstr class-id:short method-id:short"


class _Row(NamedTuple):
    """
    A method. `fields` are ``name:type``; `answers` is how the peer answers it; `content` when
    header and body follow.
    """

    number: int
    name: str
    fields: str = ""
    answers: tuple[str, ...] = ()
    content: bool = False


# The field that the specification calls no-wait must be called nowait: txAMQP looks for that name
# to know whether to wait.
_CLASSES: dict[tuple[int, str, str], tuple[_Row, ...]] = {
    (10, "connection", ""): (
        _Row(
            10,
            "start",
            "version-major:octet version-minor:octet server-properties:table "
            "mechanisms:longstr locales:longstr",
        ),
        _Row(
            11,
            "start-ok",
            "client-properties:table mechanism:shortstr response:longstr locale:shortstr",
        ),
        _Row(20, "secure", "challenge:longstr"),
        _Row(21, "secure-ok", "response:longstr"),
        _Row(30, "tune", "channel-max:short frame-max:long heartbeat:short"),
        _Row(31, "tune-ok", "channel-max:short frame-max:long heartbeat:short"),
        _Row(40, "open", "virtual-host:shortstr reserved-1:shortstr reserved-2:bit", ("open-ok",)),
        _Row(41, "open-ok", "reserved-1:shortstr"),
        _Row(50, "close", _CLOSE, ("close-ok",)),
        _Row(51, "close-ok"),
        _Row(60, "blocked", "reason:shortstr"),
        _Row(61, "unblocked"),
    ),
    (20, "channel", ""): (
        _Row(10, "open", "reserved-1:shortstr", ("open-ok",)),
        _Row(11, "open-ok", "reserved-1:longstr"),
        _Row(20, "flow", "active:bit", ("flow-ok",)),
        _Row(21, "flow-ok", "active:bit"),
        _Row(40, "close", _CLOSE, ("close-ok",)),
        _Row(41, "close-ok"),
    ),
    (40, "exchange", ""): (
        _Row(
            10,
            "declare",
            "reserved-1:short exchange:shortstr type:shortstr passive:bit durable:bit "
            "auto-delete:bit internal:bit nowait:bit "
            "arguments:table",
            ("declare-ok",),
        ),
        _Row(11, "declare-ok"),
        _Row(
            20,
            "delete",
            "reserved-1:short exchange:shortstr if-unused:bit nowait:bit",
            ("delete-ok",),
        ),
        _Row(21, "delete-ok"),
        _Row(
            30,
            "bind",
            "reserved-1:short destination:shortstr source:shortstr routing-key:shortstr "
            "nowait:bit arguments:table",
            ("bind-ok",),
        ),
        _Row(31, "bind-ok"),
    ),
    (50, "queue", ""): (
        _Row(
            10,
            "declare",
            "reserved-1:short queue:shortstr passive:bit durable:bit exclusive:bit "
            "auto-delete:bit nowait:bit arguments:table",
            ("declare-ok",),
        ),
        _Row(11, "declare-ok", "queue:shortstr message-count:long consumer-count:long"),
        _Row(
            20,
            "bind",
            "reserved-1:short queue:shortstr exchange:shortstr routing-key:shortstr "
            "nowait:bit arguments:table",
            ("bind-ok",),
        ),
        _Row(21, "bind-ok"),
        _Row(
            40,
            "delete",
            "reserved-1:short queue:shortstr if-unused:bit if-empty:bit nowait:bit",
            ("delete-ok",),
        ),
        _Row(41, "delete-ok", "message-count:long"),
        _Row(
            50,
            "unbind",
            "reserved-1:short queue:shortstr exchange:shortstr routing-key:shortstr "
            "arguments:table",
            ("unbind-ok",),
        ),
        _Row(51, "unbind-ok"),
    ),
    (60, "basic", _BASIC_PROPERTIES): (
        _Row(
            20,
            "consume",
            "reserved-1:short queue:shortstr consumer-tag:shortstr no-local:bit no-ack:bit "
            "exclusive:bit nowait:bit "
            "arguments:table",
            ("consume-ok",),
        ),
        _Row(21, "consume-ok", "consumer-tag:shortstr"),
        _Row(30, "cancel", "consumer-tag:shortstr nowait:bit", ("cancel-ok",)),
        _Row(31, "cancel-ok", "consumer-tag:shortstr"),
        _Row(
            40,
            "publish",
            "reserved-1:short exchange:shortstr routing-key:shortstr mandatory:bit immediate:bit",
            content=True,
        ),
        _Row(
            50,
            "return",
            "reply-code:short reply-text:shortstr exchange:shortstr routing-key:shortstr",
            content=True,
        ),
        _Row(
            60,
            "deliver",
            "consumer-tag:shortstr delivery-tag:longlong redelivered:bit exchange:shortstr "
            "routing-key:shortstr",
            content=True,
        ),
        _Row(80, "ack", "delivery-tag:longlong multiple:bit"),
        _Row(120, "nack", "delivery-tag:longlong multiple:bit requeue:bit"),
    ),
    (85, "confirm", ""): (
        _Row(10, "select", "nowait:bit", ("select-ok",)),
        _Row(11, "select-ok"),
    ),
}


def _add_fields(container: Any, text: str) -> None:
    for number, field in enumerate(text.split()):
        name, _, type = field.partition(":")
        container.add(Field(name, number, type, []))


def _make_class(
    spec: Spec, number: int, name: str, properties: str, rows: tuple[_Row, ...]
) -> Class:
    klass = Class(spec, name, number, name, [])
    _add_fields(klass.fields, properties)
    for row in rows:
        method = Method(klass, row.name, row.number, row.content, [], bool(row.answers), "", [])
        _add_fields(method.fields, row.fields)
        klass.methods.add(method)
    for row in rows:
        klass.methods.byname[row.name].responses = [
            klass.methods.byname[answer] for answer in row.answers
        ]
        for answer in row.answers:
            klass.methods.byname[answer].response = True
    return klass


def _make_spec() -> Spec:
    spec = Spec(0, 9, "")
    for name, number in _CONSTANTS.items():
        spec.constants.add(Constant(spec, name, number, None, []))
    for (number, name, properties), rows in _CLASSES.items():
        spec.classes.add(_make_class(spec, number, name, properties, rows))
    spec.post_load()
    return spec


SPEC = _make_spec()
"""Built once and never changed, so every connection may share it."""

BASIC: Any = SPEC.classes.byname["basic"]

METHODS: dict[str, Any] = {
    f"{klass.name}.{method.name}": method for klass in SPEC.classes for method in klass.methods
}
"""Every method by its name in the specification, for example ``exchange.declare``."""

SIGNATURES: dict[str, tuple[tuple[str, Any], ...]] = {
    name: tuple((pythonize(field.name), Method.DEFAULTS[field.type]) for field in method.fields)
    for name, method in METHODS.items()
}
"""The arguments of every method as Python spells them, each with its default."""
