"""The dialect for ``store.url``."""

from feedd.feed.settings import Store as Settings
from feedd.store.database.address import FileAddress, parse_address
from feedd.store.database.dialect import Dialect
from feedd.store.database.mariadb import MariaDB
from feedd.store.database.sqlite import SQLite


def make_dialect(settings: Settings, password: str) -> Dialect:
    """
    Make the dialect of the database behind ``store.url``; a `password` wins over the one in the
    URL.

    :raises BadConfig: when the URL cannot be used.
    """
    address = parse_address(settings.url, password)
    if isinstance(address, FileAddress):
        return SQLite(address, settings.query_seconds)
    return MariaDB(address, settings.query_seconds)
