"""
Reads the Cookie and the Authorization header.
"""

import re

_VALUE = re.compile(rb"[\x20-\x7e]*\Z")


def cookie_values(header: bytes | None, name: str) -> list[bytes]:
    """
    The values of all cookies `name` in a Cookie header, in their order, without quotes around them.

    A browser has several of one name when they were set for several paths or domains, and does not
    say which is whose (RFC 6265 section 4.2.2). Pairs that are none, or whose value holds other
    than printable ASCII, are passed over (section 4.2.1; a semicolon cannot stand in a value,
    quoted or not).
    """
    values = []
    for pair in (header or b"").split(b";"):
        found, equals, value = pair.partition(b"=")
        value = value.strip()
        if equals and found.strip() == name.encode() and _VALUE.match(value):
            quoted = len(value) > 1 and value[:1] == value[-1:] == b'"'
            values.append(value[1:-1] if quoted else value)
    return values


def cookie_value(header: bytes | None, name: str) -> bytes | None:
    """The first of `cookie_values`; None when there is none."""
    return next(iter(cookie_values(header, name)), None)


def bearer(authorization: bytes | None) -> bytes | None:
    """
    The token in ``Authorization: Bearer <token>`` (RFC 6750); None for no header or another scheme.
    """
    scheme, _, token = (authorization or b"").strip().partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else None
