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
        self.assertTrue((ROOT / "feedd" / "event.py").exists())

    def test_twisted_is_not_shadowed(self) -> None:
        """Neither folder above the plug-in is a package, for it would hide Twisted itself."""
        self.assertEqual(sorted(path.name for path in (ROOT / "twisted").rglob("*.py")), ["feedd_plugin.py"])


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

    def test_layer_0_knows_no_clock_socket_or_log(self) -> None:
        """Layer 0 imports only the pure part of the standard library."""
        for module in ("time", "socket", "logging", "asyncio", "random", "os", "threading", "twisted.logger", "zope.interface"):
            self.refused("feedd/hub.py", f"import {module}\n", f"layer 0 may not know {module.partition('.')[0]}")
        self.allowed("feedd/hub.py", "import re\nimport msgspec\nfrom collections.abc import Mapping\n")

    def test_layer_0_does_not_know_layer_1(self) -> None:
        """An import upwards is refused."""
        self.refused("feedd/hub.py", "from feedd.ports import Store\n", "may not know ports")
        self.allowed("feedd/posting.py", "from feedd.ports import Store\nfrom feedd.event import Event\n")

    def test_layer_1_knows_no_twisted(self) -> None:
        """Layer 1 is as pure as layer 0."""
        self.refused("feedd/posting.py", "from twisted.internet.defer import Deferred\n", "layer 1 may not know twisted")

    def test_folders_of_layer_2_do_not_know_each_other(self) -> None:
        """Neither directly nor by a relative import."""
        self.refused("feedd/web/poll.py", "from feedd.store.tail import Tail\n", "web (layer 2) may not know store")
        self.refused("feedd/web/poll.py", "from feedd import store\n", "web (layer 2) may not know store")
        self.refused("feedd/web/poll.py", "from ..store import tail\n", "web (layer 2) may not know store")
        self.refused("feedd/web/__init__.py", "from ..store import tail\n", "web (layer 2) may not know store")
        self.allowed(
            "feedd/web/poll.py", "from feedd.web.jsonp import wrap\nfrom .jsonp import wrap\nfrom feedd.hub import Hub\n"
        )

    def test_layer_2_does_not_take_the_global_reactor(self) -> None:
        """In none of the spellings; the interfaces are free."""
        for source in (
            "from twisted.internet import reactor\n",
            "import twisted.internet.reactor\n",
            "from twisted.internet.reactor import callLater\n",
            "def late():\n    from twisted.internet import reactor\n",
            "import importlib\nimportlib.import_module('twisted.internet.reactor')\n",
        ):
            self.refused("feedd/amqp/broker.py", source, "the global reactor is for tap only")
        self.allowed("feedd/amqp/broker.py", "from twisted.internet.interfaces import IReactorTime\n")
        self.allowed("feedd/tap.py", "from twisted.internet import reactor\n")

    def test_a_vendor_has_one_folder(self) -> None:
        """Its name elsewhere, even in the wiring, is refused."""
        self.refused("feedd/web/poll.py", "import treq\n", "treq belongs to auth")
        self.refused("feedd/cli.py", "import jwt\n", "jwt belongs to auth")
        self.refused("feedd/web/poll.py", "import requests\n", "requests has no folder")
        self.allowed("feedd/auth/token.py", "import jwt\n")

    def test_nobody_imports_the_wiring(self) -> None:
        """But the commands beside twistd, which wire the same parts."""
        self.refused("feedd/web/poll.py", "import feedd.tap\n", "nobody imports tap")
        self.refused("feedd/posting.py", "from feedd import tap\n", "nobody imports tap")
        self.refused("feedd/tap.py", "from feedd.cli import main\n", "nobody imports cli")
        self.allowed("feedd/cli.py", "from feedd.tap import make_store\n")
        self.refused("feedd/web/poll.py", "import feedd.watchdog\n", "nobody imports watchdog")
        self.allowed("feedd/tap.py", "from feedd.watchdog import Watchdog\n")
        self.allowed("feedd/tap.py", "from feedd.web.site import site\nfrom feedd.store.sql import SQLStore\n")

    def test_a_new_module_needs_a_layer(self) -> None:
        """A file that the table does not name is refused."""
        self.refused("feedd/helpers.py", "", "helpers has no layer")

    def test_long_files_and_functions_are_refused(self) -> None:
        """At 401 lines, and at 51 lines."""
        self.refused("tests/unit/test_x.py", "x = 1\n" * 401, "more than 400")
        self.allowed("tests/unit/test_x.py", "x = 1\n" * 400)
        self.refused("feedd/hub.py", "def f():\n" + "    x = 1\n" * 50, "f has 51 lines")
        self.allowed("feedd/hub.py", "async def f():\n" + "    x = 1\n" * 49)
