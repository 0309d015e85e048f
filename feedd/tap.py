"""
The options and the service of ``twistd feedd``.

This is the only module that takes the global reactor.
"""

import gc
import resource
import time
from typing import ClassVar

from twisted.application.service import MultiService
from twisted.python import usage

from feedd.config import load_config
from feedd.feed.settings import BadConfig, Config
from feedd.process import build
from feedd.reactor.insides import wait_by
from feedd.reactor.turn_limit import limit_turns
from feedd.web.fanout import EVENTS_A_TURN

COLLECT_AFTER = 10_000
"""
New objects between two runs of the collector of cycles, of which feedd makes few. With Python's
own 700 every fan-out pays for several runs, and now and then one looks at all that is parked.
"""


class Options(usage.Options):
    """The options of ``twistd feedd``."""

    synopsis = "[options]"
    longdesc = (
        "A realtime social feed for any website. Without a configuration: SQLite, demo "
        "login, http://127.0.0.1:8080/."
    )
    optParameters: ClassVar = [["config", "c", None, "The configuration, a TOML file."]]

    config: Config

    def postOptions(self) -> None:
        """Read the configuration. Raises `usage.UsageError` with all that is wrong with it."""
        try:
            self.config = load_config(self["config"])
        except BadConfig as error:
            raise usage.UsageError("\n".join(error.mistakes)) from None


def makeService(options: Options) -> MultiService:
    """The service that twistd runs."""
    from twisted.internet import reactor

    _raise_file_limit()
    _calm_collector()
    wait_by(reactor, time.monotonic)
    limit_turns(reactor, EVENTS_A_TURN)
    try:
        return build(options.config, reactor)
    except ValueError as error:  # BadConfig is one; so is what a part says of its URL or key
        raise SystemExit(str(error)) from None


def _calm_collector() -> None:
    """Collect cycles less often, and never look again at what has been imported by now."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)


def _raise_file_limit() -> None:
    """Raise the limit of open files, of which a poll is one, as far as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
