"""
Runs ``twistd`` with a feedd that dies where it is told to: at a step of the post path.

The file that ``FEEDD_CHAOS_ARMED`` names holds the step, one of `steps`. When a post comes to that
step the process is killed as by ``kill -9``. feedd itself knows nothing of this: the parts are
replaced here.
"""

import os
import signal
from pathlib import Path
from typing import Any

from twisted.internet.task import deferLater
from twisted.scripts.twistd import run

from bench.chaos.steps import AFTER_COMMIT, AFTER_PUBLISH, ARMED, BEFORE_COMMIT
from feedd import process
from feedd.feed import feed
from feedd.feed.ports import Stored
from feedd.feed.posting import Posting
from feedd.store.sql import SQLStore
from feedd.store.tables import posts

WRITTEN_SECONDS = 0.005


def die_at(step: str) -> None:
    """End this process at once, when `step` is armed; it is disarmed first."""
    path = Path(os.environ.get(ARMED, ""))
    if path.is_file() and path.read_text() == step:
        path.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


class MortalStore(SQLStore):
    """Dies between COMMIT and the moment when anybody here knows of it."""

    async def add_post(self, author: str, body: bytes, key: str | None) -> Stored:
        """Commit, and perhaps die."""
        stored = await super().add_post(author, body, key)
        die_at(AFTER_COMMIT)
        return stored


class MortalPosting(Posting):
    """Dies when the bell has rung, before the client is answered."""

    async def post(self, author: str, body: bytes, key: str | None) -> Stored:
        """Publish, and perhaps die."""
        from twisted.internet import reactor

        stored = await super().post(author, body, key)
        await deferLater(reactor, WRITTEN_SECONDS)
        die_at(AFTER_PUBLISH)
        return stored


def dying(write: Any) -> Any:
    """`write`, a function that ends with the INSERT of events; perhaps nothing after it happens."""

    def wrapped(*arguments: Any, **named: Any) -> Any:
        result = write(*arguments, **named)
        die_at(BEFORE_COMMIT)
        return result

    return wrapped


if __name__ == "__main__":
    wiring: Any = process
    wiring.SQLStore = MortalStore
    order: Any = feed
    order.Posting = MortalPosting
    posts.add_posts = dying(posts.add_posts)
    run()
