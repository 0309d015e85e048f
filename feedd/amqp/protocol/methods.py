"""
The AMQP 0-9-1 methods that feedd speaks, as a txAMQP `Spec`.

txAMQP comes without its method table (an XML file). This one is short and holds RabbitMQ's
extensions too: ``basic.nack``, ``confirm.select``, ``exchange.bind`` and ``connection.blocked``.
Source: the AMQP 0-9-1 specification and RabbitMQ's extended ``amqp0-9-1.xml``.
"""

import re
from collections.abc import Sequence
from typing import Any

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

_TABLE = """
class 10 connection
    10 start version-major:octet version-minor:octet server-properties:table
       mechanisms:longstr locales:longstr
    11 start-ok client-properties:table mechanism:shortstr response:longstr locale:shortstr
    20 secure challenge:longstr
    21 secure-ok response:longstr
    30 tune channel-max:short frame-max:long heartbeat:short
    31 tune-ok channel-max:short frame-max:long heartbeat:short
    40 open virtual-host:shortstr reserved-1:shortstr reserved-2:bit -> open-ok
    41 open-ok reserved-1:shortstr
    50 close reply-code:short reply-text:shortstr class-id:short method-id:short -> close-ok
    51 close-ok
    60 blocked reason:shortstr
    61 unblocked

class 20 channel
    10 open reserved-1:shortstr -> open-ok
    11 open-ok reserved-1:longstr
    20 flow active:bit -> flow-ok
    21 flow-ok active:bit
    40 close reply-code:short reply-text:shortstr class-id:short method-id:short -> close-ok
    41 close-ok

class 40 exchange
    10 declare reserved-1:short exchange:shortstr type:shortstr passive:bit durable:bit
       auto-delete:bit internal:bit nowait:bit arguments:table -> declare-ok
    11 declare-ok
    20 delete reserved-1:short exchange:shortstr if-unused:bit nowait:bit -> delete-ok
    21 delete-ok
    30 bind reserved-1:short destination:shortstr source:shortstr routing-key:shortstr nowait:bit
       arguments:table -> bind-ok
    31 bind-ok

class 50 queue
    10 declare reserved-1:short queue:shortstr passive:bit durable:bit exclusive:bit
       auto-delete:bit nowait:bit arguments:table -> declare-ok
    11 declare-ok queue:shortstr message-count:long consumer-count:long
    20 bind reserved-1:short queue:shortstr exchange:shortstr routing-key:shortstr nowait:bit
       arguments:table -> bind-ok
    21 bind-ok
    40 delete reserved-1:short queue:shortstr if-unused:bit if-empty:bit nowait:bit -> delete-ok
    41 delete-ok message-count:long
    50 unbind reserved-1:short queue:shortstr exchange:shortstr routing-key:shortstr
       arguments:table -> unbind-ok
    51 unbind-ok

class 60 basic content-type:shortstr content-encoding:shortstr headers:table delivery-mode:octet
       priority:octet correlation-id:shortstr reply-to:shortstr expiration:shortstr
       message-id:shortstr timestamp:timestamp type:shortstr user-id:shortstr app-id:shortstr
       cluster-id:shortstr
    20 consume reserved-1:short queue:shortstr consumer-tag:shortstr no-local:bit no-ack:bit
       exclusive:bit nowait:bit arguments:table -> consume-ok
    21 consume-ok consumer-tag:shortstr
    30 cancel consumer-tag:shortstr nowait:bit -> cancel-ok
    31 cancel-ok consumer-tag:shortstr
    40 publish reserved-1:short exchange:shortstr routing-key:shortstr mandatory:bit immediate:bit
       + content
    50 return reply-code:short reply-text:shortstr exchange:shortstr routing-key:shortstr + content
    60 deliver consumer-tag:shortstr delivery-tag:longlong redelivered:bit exchange:shortstr
       routing-key:shortstr + content
    80 ack delivery-tag:longlong multiple:bit
    120 nack delivery-tag:longlong multiple:bit requeue:bit

class 85 confirm
    10 select nowait:bit -> select-ok
    11 select-ok
"""
"""
Each class with its number, name and properties, and below it each of its methods: number, name,
arguments as ``name:type``, ``+ content`` when header and body follow, and ``->`` before the answer.
"""

# The argument that the specification calls no-wait must be called nowait: txAMQP looks for that
# name to know whether to wait.


def _make_spec() -> Spec:
    spec = Spec(0, 9, "")
    for name, number in _CONSTANTS.items():
        spec.constants.add(Constant(spec, name, number, None, []))
    entries = (entry.split() for entry in re.split(r"\n+(?=class| *\d)", _TABLE.strip()))
    answers: dict[Any, str] = {}
    for number_or_class, *words in entries:
        if number_or_class == "class":
            klass = _make_class(spec, *words)
        else:
            method, answer = _make_method(klass, number_or_class, *words)
            answers[method] = answer
    for method, answer in answers.items():
        if answer:
            method.responses = [method.klass.methods.byname[answer]]
            method.responses[0].response = True
    spec.post_load()
    return spec


def _make_class(spec: Spec, number: str, name: str, *properties: str) -> Class:
    klass = Class(spec, name, int(number), name, [])
    _add_fields(klass.fields, properties)
    spec.classes.add(klass)
    return klass


def _make_method(klass: Class, number: str, name: str, *words: str) -> tuple[Method, str]:
    """The method, and the name of the one that answers it, "" for none."""
    answer = words[-1] if "->" in words else ""
    has_content = words[-2:] == ("+", "content")
    method = Method(klass, name, int(number), has_content, [], bool(answer), "", [])
    _add_fields(method.fields, [word for word in words if ":" in word])
    klass.methods.add(method)
    return method, answer


def _add_fields(container: Any, fields: Sequence[str]) -> None:
    for number, field in enumerate(fields):
        name, _, type = field.partition(":")
        container.add(Field(name, number, type, []))


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
