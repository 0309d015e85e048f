"""
feedd as a site runs it: a JWT for each viewer, RabbitMQ, MariaDB and memcached, a JSONP poll with a
cursor.

The friendships are in the tables before the daemon starts, so that nothing has to settle.
"""

import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

import pymysql

from bench.conversation import Conversation, Served
from feedd.auth.token import make_token
from feedd.config import SECTIONS
from tests.live import servers
from tests.live.daemon import Feedd
from tests.live.server import HOST
from tests.live.test_end_to_end import settings

SECRET = "0123456789abcdef0123456789abcdef"
BACKEND_KEY = "backend"
AUTHOR = "author"
TOKEN_SECONDS = 7200
ROWS_A_STATEMENT = 5000


class BenchedFeedd(Feedd):
    """
    One process with token auth.

    :param shared_port: a port that it listens on beside its own, together with others; 0: none.
    """

    def __init__(self, database: str, http: str = "", more: str = "", shared_port: int = 0) -> None:
        auth = (
            '[auth]\nmode = "token"\nsecret_file = "{folder}/token.key"\nbackend_key_file = '
            '"{folder}/backend.key"\n'
        )
        super().__init__(settings(database) + more + auth, http=http)
        self._shared_port = shared_port

    def migrate(self) -> None:
        """Make the tables, before any process runs."""
        self._prepare()
        feedd = str(Path(sys.executable).with_name("feedd"))
        subprocess.run(
            [feedd, "migrate", "--config", str(self.folder / "feedd.toml")],
            check=True,
            capture_output=True,
        )

    def _prepare(self) -> None:
        (self.folder / "token.key").write_text(SECRET)
        (self.folder / "backend.key").write_text(BACKEND_KEY)
        super()._prepare()
        if self._shared_port:
            file = self.folder / "feedd.toml"
            own, shared = (
                f'"tcp:{self.port}:interface={HOST}"',
                f'"tcp:{self._shared_port}:interface={HOST}"',
            )
            file.write_text(file.read_text().replace(own, f"{own}, {shared}", 1))


class FeeddPeer:
    """
    feedd on real services.

    :param fast: False: every poll goes the plain way through twisted.web.
    :param processes: on one port where ``http.reuse_port`` exists, else on a port each.
    """

    def __init__(self, fast: bool = True, processes: int = 1, name: str = "") -> None:
        self.name = name or ("feedd" if fast else "feedd-plain")
        self._http = f"fast_lane = {str(fast).lower()}\n"
        self._processes = processes

    def missing(self) -> str:
        """Nothing: the servers behind it say themselves what they lack."""
        return ""

    @contextmanager
    def running(self, viewers: int) -> Iterator[Served]:
        """For `viewers` friends of one author."""
        with serving(
            [(f"u{i}", AUTHOR) for i in range(viewers)], self._http, processes=self._processes
        ) as (ports, pids):
            yield Served(ports, pids, conversation(viewers))


def conversation(viewers: int) -> Conversation:
    """JSONP polls of u0, u1, … with a token each, and posts of the author."""
    expires = int(time.time()) + TOKEN_SECONDS
    return Conversation(
        poll="/feed/poll?callback=cb{i}&token={v}&cursor={cursor}",
        publish=f"/feed/posts?token={make_token(SECRET, AUTHOR, expires)}",
        body='{"body":{"t":"{token}"}}',
        cursor_key="cursor",
        variables=tuple(make_token(SECRET, f"u{i}", expires) for i in range(viewers)),
    )


@contextmanager
def serving(
    friendships: Iterable[tuple[str, str]], http: str = "", more: str = "", processes: int = 1
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """The ports and process ids of feedd, whose database holds `friendships` (viewer, friend)."""
    database = servers.mariadb().database()
    BenchedFeedd(database).migrate()
    befriend(database, friendships)
    shared = servers.free_port() if processes > 1 and reuse_port() else 0
    http += "reuse_port = true\n" if shared else ""
    with ExitStack() as running:
        feedds = [BenchedFeedd(database, http, more, shared) for _ in range(processes)]
        for feedd in feedds:
            running.callback(feedd.stop)
            feedd.start()
        ports = (shared,) if shared else tuple(feedd.port for feedd in feedds)
        yield ports, tuple(feedd.pid for feedd in feedds)
    servers.mariadb().execute(f"DROP DATABASE {database.rpartition('/')[2]}")


def reuse_port() -> bool:
    """Whether this feedd has the setting ``http.reuse_port``."""
    return "reuse_port" in SECTIONS["http"].__struct_fields__


def befriend(database: str, friendships: Iterable[tuple[str, str]]) -> None:
    """Write the rows (viewer, friend) into the tables of `database`, a URL."""
    address = urlsplit(database)
    connection = pymysql.connect(
        host=address.hostname,
        port=address.port or 3306,
        user=address.username,
        database=address.path[1:],
        autocommit=True,
    )
    rows = iter(friendships)
    try:
        with connection.cursor() as cursor:
            while batch := list(islice(rows, ROWS_A_STATEMENT)):
                cursor.executemany(
                    "INSERT INTO friendships (viewer, friend) VALUES (%s, %s)", batch
                )
    finally:
        connection.close()
