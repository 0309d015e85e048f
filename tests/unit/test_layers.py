"""The project keeps the rules of `tests.layers`, and those rules catch what they are for."""

from pathlib import Path, PurePosixPath

from twisted.trial.unittest import SynchronousTestCase

from tests.layers import violations

ROOT = Path(__file__).parents[2]


class ProjectTests(SynchronousTestCase):
    """The project itself."""

    def test_every_file_keeps_the_rules(self) -> None:
        """No file of the project imports what it must not, and none is too long."""
        found = []
        for folder in ("feedd", "tests", "bench", "twisted"):
            for path in sorted((ROOT / folder).rglob("*.py")):
                found += violations(PurePosixPath(path.relative_to(ROOT)), path.read_text())
        self.assertEqual(found, [])

    def test_the_rules_see_the_files(self) -> None:
        """The search above finds the source, wherever the tests are started."""
        self.assertTrue((ROOT / "feedd" / "core" / "event.py").exists())

    def test_twisted_is_not_shadowed(self) -> None:
        """Neither folder above the plug-in is a package, for it would hide Twisted itself."""
        self.assertEqual(
            sorted(path.name for path in (ROOT / "twisted").rglob("*.py")), ["feedd_plugin.py"]
        )


class RuleTests(SynchronousTestCase):
    """What each rule refuses and allows."""

    def refused(self, path: str, source: str, reason: str) -> None:
        """Check that the rules refuse one thing in `source`, for `reason`."""
        found = violations(PurePosixPath(path), source)
        self.assertEqual(len(found), 1, found)
        self.assertIn(reason, found[0])

    def allowed(self, path: str, source: str) -> None:
        """Check that the rules have nothing to say."""
        self.assertEqual(violations(PurePosixPath(path), source), [])

    def test_the_core_knows_no_clock_socket_or_log(self) -> None:
        """The pure floors import only the pure part of the standard library."""
        for module in (
            "time",
            "socket",
            "logging",
            "asyncio",
            "random",
            "os",
            "threading",
            "twisted.logger",
        ):
            top = module.partition(".")[0]
            self.refused("feedd/core/hub.py", f"import {module}\n", f"core may not know {top}")
            self.refused("feedd/feed/posting.py", f"import {module}\n", f"feed may not know {top}")
        self.allowed(
            "feedd/core/hub.py", "import re\nimport msgspec\nfrom collections.abc import Mapping\n"
        )

    def test_no_import_runs_upwards(self) -> None:
        """From any floor to the next."""
        self.refused(
            "feedd/core/hub.py", "from feedd.feed.ports import Store\n", "core may not know feed"
        )
        self.refused(
            "feedd/feed/ports.py",
            "from feedd.reactor.batches import Batches\n",
            "feed may not know reactor",
        )
        self.refused(
            "feedd/web/gate.py",
            "from feedd.config import parse_config\n",
            "web may not know config",
        )
        self.allowed(
            "feedd/feed/posting.py",
            "from feedd.feed.ports import Store\nfrom feedd.core.event import Event\n",
        )
        self.allowed("feedd/web/gate.py", "from feedd.feed.settings import HTTP\n")

    def test_the_twisted_parts_know_only_counters(self) -> None:
        """Nothing of a feed, so that they could be a library of their own."""
        self.refused(
            "feedd/reactor/link.py",
            "from feedd.core.event import Event\n",
            "reactor may not know core",
        )
        self.refused(
            "feedd/reactor/link.py",
            "from feedd.feed.ports import Unavailable\n",
            "reactor may not know feed",
        )
        self.allowed(
            "feedd/reactor/link.py",
            "from feedd.core.counters import Counters\nfrom twisted.logger import Logger\n",
        )

    def test_parts_of_one_floor_do_not_know_each_other(self) -> None:
        """Neither directly nor by a relative import."""
        for source in (
            "from feedd.store.sql import SQLStore\n",
            "from feedd import store\n",
            "from ...store import sql\n",
        ):
            self.refused("feedd/web/api/poll.py", source, "web may not know store")
        self.refused(
            "feedd/log/tail.py", "from feedd.store.sql import SQLStore\n", "log may not know store"
        )
        self.refused("feedd/web/__init__.py", "from ..store import sql\n", "web may not know store")
        self.allowed(
            "feedd/web/api/poll.py",
            "from feedd.web.errors import refuse\nfrom ..errors import refuse\n",
        )

    def test_a_folder_inside_a_part_knows_those_below_it(self) -> None:
        """The databases know no tables, the protocol knows no bell and no event."""
        self.refused(
            "feedd/store/database/mariadb.py",
            "from feedd.store.tables import posts\n",
            "store.database may not know",
        )
        self.refused(
            "feedd/store/running/pool.py",
            "from feedd.store.sql import SQLStore\n",
            "store.running may not know",
        )
        self.refused(
            "feedd/amqp/protocol/client.py",
            "from feedd.amqp.hosts import Login\n",
            "amqp.protocol may not know",
        )
        self.refused(
            "feedd/amqp/protocol/client.py",
            "from feedd.core.event import Event\n",
            "amqp.protocol may not know",
        )
        self.allowed(
            "feedd/store/tables/posts.py",
            "from feedd.store.running.transaction import Transaction\n",
        )
        self.allowed("feedd/amqp/broker.py", "from feedd.amqp.protocol.client import Client\n")

    def test_only_the_top_floor_takes_the_global_reactor(self) -> None:
        """In none of the spellings; the interfaces are free."""
        for source in (
            "from twisted.internet import reactor\n",
            "import twisted.internet.reactor\n",
            "from twisted.internet.reactor import callLater\n",
            "def late():\n    from twisted.internet import reactor\n",
            "import importlib\nimportlib.import_module('twisted.internet.reactor')\n",
        ):
            self.refused(
                "feedd/amqp/broker.py", source, "the global reactor is for the top floor only"
            )
        self.allowed(
            "feedd/amqp/broker.py", "from twisted.internet.interfaces import IReactorTime\n"
        )
        self.allowed("feedd/tap.py", "from twisted.internet import reactor\n")

    def test_a_vendor_has_one_folder(self) -> None:
        """Its name elsewhere, even in the wiring, is refused."""
        self.refused("feedd/web/api/poll.py", "import treq\n", "treq belongs to auth")
        self.refused("feedd/store/sql.py", "import pymysql\n", "pymysql belongs to store.database")
        self.refused("feedd/cli.py", "import jwt\n", "jwt belongs to auth")
        self.refused("feedd/web/api/poll.py", "import requests\n", "requests has no folder")
        self.allowed("feedd/auth/token.py", "import jwt\n")
        self.allowed("feedd/store/database/mariadb.py", "import pymysql\n")

    def test_the_top_floor_has_an_order(self) -> None:
        """
        The commands know the wiring, which knows the configuration; nobody below knows any of them.
        """
        self.refused("feedd/web/api/poll.py", "import feedd.tap\n", "web may not know tap")
        self.refused("feedd/feed/posting.py", "from feedd import tap\n", "feed may not know tap")
        self.refused(
            "feedd/process.py", "from feedd.tap import Options\n", "process may not know tap"
        )
        self.refused("feedd/tap.py", "from feedd.cli import main\n", "tap may not know cli")
        self.allowed("feedd/cli.py", "from feedd.process import make_store\n")
        self.allowed(
            "feedd/tap.py",
            "from feedd.process import build\nfrom feedd.reactor.watchdog import Watchdog\n",
        )

    def test_a_new_part_needs_a_floor(self) -> None:
        """A file that the table does not name is refused."""
        self.refused("feedd/helpers.py", "", "helpers has no floor")

    def test_long_files_and_functions_are_refused(self) -> None:
        """At 401 lines, and at 51 lines."""
        self.refused("tests/unit/test_x.py", "x = 1\n" * 401, "more than 400")
        self.allowed("tests/unit/test_x.py", "x = 1\n" * 400)
        self.refused("feedd/core/hub.py", "def f():\n" + "    x = 1\n" * 50, "f has 51 lines")
        self.allowed("feedd/core/hub.py", "async def f():\n" + "    x = 1\n" * 49)

    def test_private_names_of_others(self) -> None:
        """One file knows the insides of Twisted; everywhere else a private name is one's own."""
        source = "busy = channel._busyReceiving\n"
        self.refused("feedd/web/server/channel.py", source, "channel._busyReceiving is private")
        self.allowed("feedd/reactor/insides.py", source)
        self.allowed("feedd/web/server/channel.py", "self._held = found._replace(more=True)\n")
