"""The documents: they are well-formed, and what they name is there."""

import ast
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
    publish_doctree(
        text,
        settings_overrides={
            "halt_level": WARNING,
            "report_level": WARNING,
            "warning_stream": False,
        },
    )


COUNTING = {"add", "complain", "_complain", "_dropped", "_count"}
"""The functions whose first argument names a counter."""


def counters(source: str) -> set[str]:
    """The counters that a module counts."""
    calls = (
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and node.args
    )
    return {
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Name | ast.Attribute)
        and (call.func.id if isinstance(call.func, ast.Name) else call.func.attr) in COUNTING
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }


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
            for section, name in re.findall(
                rf"``({'|'.join(SECTIONS)})\.([a-z_]+)\b(?!\.)", path.read_text()
            ):
                known = name in SECTIONS[section].__struct_fields__ or name == "py"
                self.assertTrue(known, f"{path.name} names {section}.{name}")

    def test_counters(self) -> None:
        """docs/operations.rst has every counter of the code, in order, and no other."""
        known = set().union(
            *(counters(path.read_text()) for path in (ROOT / "feedd").rglob("*.py"))
        )
        text = (ROOT / "docs/operations.rst").read_text()
        self.assertEqual(
            re.findall(r"^``([a-z]+_[a-z_]+)``[ *]", text, re.MULTILINE), sorted(known)
        )

    def test_errors(self) -> None:
        """docs/protocol.rst has every error code with its status, and no other."""
        text = (ROOT / "docs/protocol.rst").read_text()
        told = {
            (int(status), code)
            for status, code in re.findall(r"^(\d{3})    ``(\w+)``", text, re.MULTILINE)
        }
        known = {(status, code) for _, status, code in _TABLE} | {
            (500, "internal"),
            (503, "unavailable"),
        }
        self.assertEqual(told, known)
