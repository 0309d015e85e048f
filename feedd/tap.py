"""
``twistd feedd``: its options and its service. The only place that takes the global reactor.
"""

import gc
import resource
from typing import ClassVar

from twisted.application.service import MultiService
from twisted.python import usage

from feedd.config import load_config
from feedd.feed.settings import BadConfig, Config
from feedd.process import EVENTS_A_TURN, build
from feedd.reactor.turn_limit import limit_turns

COLLECT_AFTER = 10_000
"""
New objects between two looks for garbage in cycles, of which feedd makes little. With Python's own
700 every fan-out pays for several, and now and then one looks at everything that is parked.
"""


class Options(usage.Options):
    """What ``twistd feedd`` takes."""

    synopsis = "[options]"
    longdesc = (
        "A realtime social feed for any website. Without a configuration: SQLite, demo "
        "login, http://127.0.0.1:8080/."
    )
    optParameters: ClassVar = [["config", "c", None, "The configuration, a TOML file."]]

    config: Config

    def postOptions(self) -> None:
        """Read the configuration, or say everything that is wrong with it."""
        try:
            self.config = load_config(self["config"])
        except BadConfig as error:
            raise usage.UsageError("\n".join(error.mistakes)) from None


def makeService(options: Options) -> MultiService:
    """What twistd runs."""
    from twisted.internet import reactor

    _raise_file_limit()
    _calm_collector()
    limit_turns(reactor, EVENTS_A_TURN)
    try:
        return build(options.config, reactor)
    except ValueError as error:  # BadConfig is one; so is what a part says of its URL or key
        raise SystemExit(str(error)) from None


def _calm_collector() -> None:
    """Look for garbage less often, and never again at what has been imported by now."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)


def _raise_file_limit() -> None:
    """A poll is an open file: take as many as the system lets us."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
