"""The documents: they are well-formed, and what they name is there."""

import re
from pathlib import Path

from docutils.core import publish_doctree
from docutils.utils import SystemMessage
from twisted.trial.unittest import SynchronousTestCase

from feedd.config import SECTIONS
from feedd.web.errors import _TABLE

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.rst", ROOT / "CHANGES.rst", *sorted((ROOT / "docs").glob("*.rst"))]
WARNING = 2


def parse(text: str) -> None:
    """Raise `SystemMessage` at the first thing that docutils would warn of."""
    publish_doctree(text, settings_overrides={"halt_level": WARNING, "report_level": WARNING, "warning_stream": False})


class DocumentTests(SynchronousTestCase):
    """Every ``.rst`` of the project."""

    def test_well_formed(self) -> None:
        """docutils has nothing to warn of, so that a package index and a forge show them."""
        for path in DOCUMENTS:
            try:
                parse(path.read_text())
            except SystemMessage as warning:
                self.fail(f"{path.name}: {warning}")

    def test_warnings_are_seen(self) -> None:
        """The check above would notice a warning."""
        self.assertRaises(SystemMessage, parse, "Title\n===\n\n``open\n")

    def test_paths(self) -> None:
        """A file of the project that a document names is there."""
        for path in DOCUMENTS:
            for name in re.findall(r"``((?:docs|etc|tests)/[\w./-]+)``", path.read_text()):
                self.assertTrue((ROOT / name).exists(), f"{path.name} names {name}")

    def test_settings(self) -> None:
        """A setting that a document names exists."""
        for path in DOCUMENTS:
            for section, name in re.findall(rf"``({'|'.join(SECTIONS)})\.([a-z_]+)\b(?!\.)", path.read_text()):
                known = name in SECTIONS[section].__struct_fields__ or name == "py"
                self.assertTrue(known, f"{path.name} names {section}.{name}")

    def test_errors(self) -> None:
        """docs/protocol.rst has every error code with its status, and no other."""
        text = (ROOT / "docs/protocol.rst").read_text()
        told = {(int(status), code) for status, code in re.findall(r"^(\d{3})    ``(\w+)``", text, re.MULTILINE)}
        known = {(status, code) for _, status, code in _TABLE} | {(500, "internal"), (503, "unavailable")}
        self.assertEqual(told, known)
