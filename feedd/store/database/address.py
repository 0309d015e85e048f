"""
Where the database is: the text of ``store.url`` as a value.

``sqlite:feedd.sqlite``, ``sqlite:/abs/path``, ``mysql://user:password@host:port/database`` and
``mysqls://`` (TLS, verified; a CA of one's own as ``?ca=/path``). This module knows no driver and
opens nothing.
"""

import os
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from feedd.feed.settings import BadConfig


class File(NamedTuple):
    """A SQLite database; `path` is absolute, so that a daemon may change its directory."""

    path: str


class Server(NamedTuple):
    """
    A MariaDB or MySQL database. `tls`: only by TLS, with a certificate for `host`; `ca`: the file
    of the CA to believe.
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


def parse_address(url: str, password: str) -> File | Server:
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


def _file(path: str) -> File:
    if not path or path.startswith((":", "file:")):
        raise _bad("must name a file, as sqlite:feedd.sqlite does")
    return File(os.path.abspath(path))


def _server(url: str, password: str) -> Server:
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
    return Server(
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
