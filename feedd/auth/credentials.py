"""
Reads the Cookie and the Authorization header.
"""

import re

_VALUE = re.compile(rb"[\x20-\x7e]*\Z")


def cookie_value(header: bytes | None, name: str) -> bytes | None:
    """
    The value of the first cookie `name` in a Cookie header, without quotes around it; None when
    there is none.

    Pairs that are none, or whose value holds other than printable ASCII, are passed over (RFC 6265
    section 4.2.1; a semicolon cannot stand in a value, quoted or not).
    """
    for pair in (header or b"").split(b";"):
        found, equals, value = pair.partition(b"=")
        value = value.strip()
        if equals and found.strip() == name.encode() and _VALUE.match(value):
            return value[1:-1] if len(value) > 1 and value[:1] == value[-1:] == b'"' else value
    return None


def bearer(authorization: bytes | None) -> bytes | None:
    """
    The token in ``Authorization: Bearer <token>`` (RFC 6750); None for no header or another scheme.
    """
    scheme, _, token = (authorization or b"").strip().partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else None
