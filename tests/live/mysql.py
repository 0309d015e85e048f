"""Stores on Oracle's MySQL, for the tests of what they do there."""

from tests.live import servers
from tests.live.mariadb import MariaDB


class MySQL(MariaDB):
    """A database of its own for each test, on the server of all."""

    def new_url(self) -> str:
        return servers.mysql().database()
