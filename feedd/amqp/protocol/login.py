"""The account of a connection."""

from typing import NamedTuple


class Login(NamedTuple):
    """User, password and virtual host. Its repr does not show the password."""

    user: str
    password: str
    vhost: str

    def __repr__(self) -> str:
        return f"Login({self.user!r}, …, {self.vhost!r})"

    def plain_response(self) -> bytes:
        """The answer to the PLAIN mechanism (RFC 4616)."""
        return b"\0".join((b"", self.user.encode(), self.password.encode()))
