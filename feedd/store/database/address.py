"""
The address of the database: the text of ``store.url`` as a value.

It is ``sqlite:feedd.sqlite``, ``sqlite:/abs/path``, ``mysql://user:password@host:port/database`` or
``mysqls://…`` (TLS, verified; a private CA as ``?ca=/path``).
"""

import os
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from feedd.feed.settings import BadConfig


class FileAddress(NamedTuple):
    """A SQLite database; `path` is absolute, so that a daemon may change its directory."""

    path: str


class ServerAddress(NamedTuple):
    """
    A MariaDB or MySQL database.

    :ivar tls: it is reached by TLS only, and must have a certificate for `host`.
    :ivar ca: the file of the CA that must have signed it; None: one that the system trusts.
    """

    host: str
    port: int
    user: str
    password: str
    database: str
    tls: bool
    ca: str | None

    def __repr__(self) -> str:
        return f"<{self.user} at {self.host}:{self.port}/{self.database}>"


def parse_address(url: str, password: str) -> FileAddress | ServerAddress:
    """
    The address that `url` spells; a `password` wins over the one in the URL.

    :raises BadConfig: when it cannot be used. The text holds no password.
    """
    scheme, _, rest = url.partition(":")
    if scheme == "sqlite":
        return _file(rest)
    if scheme in ("mysql", "mysqls"):
        return _server(url, password)
    raise _bad("starts with neither sqlite:, mysql: nor mysqls:")


def _file(path: str) -> FileAddress:
    if not path or path.startswith((":", "file:")):
        raise _bad("must name a file, as sqlite:feedd.sqlite does")
    return FileAddress(os.path.abspath(path))


def _server(url: str, password: str) -> ServerAddress:
    try:
        parts = urlsplit(url)
        port = parts.port or 3306
    except ValueError:
        raise _bad("is not of the form mysql://user@host:port/database") from None
    database = unquote(parts.path.removeprefix("/"))
    query = dict(parse_qsl(parts.query))
    if (
        not parts.hostname
        or not parts.username
        or not database
        or "/" in database
        or query.keys() - {"ca"}
    ):
        raise _bad("is not of the form mysql://user@host:port/database")
    return ServerAddress(
        host=parts.hostname,
        port=port,
        user=unquote(parts.username),
        password=password or unquote(parts.password or ""),
        database=database,
        tls=parts.scheme == "mysqls",
        ca=query.get("ca"),
    )


def _bad(why: str) -> BadConfig:
    return BadConfig([f"store.url {why}"])
