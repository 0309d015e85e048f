"""
Stores on SQL, for the contracts that they have beside those of every store.

A test writes with a connection of its own, past feedd.
"""

import time
from collections.abc import Sequence
from typing import Any

from twisted.internet.task import deferLater

from feedd.core.counters import Counters
from feedd.feed.settings import Store as Settings
from feedd.store.database.dialect import Dialect
from feedd.store.database.dialects import make_dialect
from feedd.store.sql import SQLStore
from tests.contracts.store import Contract


class SQL(Contract):
    """
    Stores that are started, and stopped after the test.

    :ivar url: of this test's database.
    """

    store: SQLStore
    url: str

    def new_url(self) -> str:
        """The URL of a new, empty database."""
        raise NotImplementedError

    def write(self, statement: str, values: Sequence[Any] = ()) -> None:
        """Run a statement past feedd and commit it; a value is a ``?``."""
        raise NotImplementedError

    async def make_store(self) -> SQLStore:
        self.url = self.new_url()
        store = self.started()
        await store.prepare()
        return store

    def make_dialect(self, settings: Settings, password: str) -> Dialect:
        """The dialect of a store of this test."""
        return make_dialect(settings, password)

    def started(self, url: str = "", password: str = "", **named: Any) -> SQLStore:
        """A store that has been started and not prepared."""
        from twisted.internet import reactor

        self.counters = Counters()
        defaults = {"url": url or self.url, "threads": 6, "query_seconds": 2.0}
        settings = Settings(**(defaults | named))
        dialect = self.make_dialect(settings, password)
        store = SQLStore(reactor, settings, dialect, self.counters, lambda: int(time.time() * 1000))
        store.startService()
        self.addCleanup(store.stopService)
        return store

    async def pause(self, seconds: float) -> None:
        """Let the reactor run for a while."""
        from twisted.internet import reactor

        await deferLater(reactor, seconds, lambda: None)

    async def reached(self, **settings: Any) -> SQLStore:
        """A store on this test's database that has been prepared."""
        store = self.started(**settings)
        await store.prepare()
        return store
