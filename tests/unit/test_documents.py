"""The documents: they are well-formed, and what they name is there."""

import ast
import re
from pathlib import Path

import msgspec
from docutils.core import publish_doctree
from docutils.utils import SystemMessage
from twisted.python.reflect import namedAny
from twisted.trial.unittest import SynchronousTestCase

from bench.__main__ import BENCHMARKS
from feedd.config import SECTIONS
from feedd.core.event import KINDS
from feedd.web.errors import TABLE
from tests.browser import KEY, WebTestCase

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*sorted(ROOT.glob("*.rst")), *sorted((ROOT / "docs").glob("*.rst"))]
WARNING = 2
FILES = re.compile(r"(?:\.ci|bench|docs|etc|feedd|tests|twisted)/[\w./-]*|[\w/]+\.py|[\w/]+/")
"""The files and folders that a document names; a part's may be named without ``feedd/``."""

NAMES = re.compile(r"feedd(?:\.[a-z_]+)*\.[A-Za-z_]\w*(?:\.\w+)*")
OTHER_NAMES = {"feedd.toml", "feedd.sqlite", "feedd.js"}
TESTS = re.compile(r"(?:unit|live)\.test_\w+\.\w+")
CLASSES = re.compile(r"([A-Z][a-z]+(?:[A-Z]\w*)?)(?:\.(\w+))?")
OTHER_CLASSES = {"Authorization", "Clock", "Date", "Origin", "Protocol", "Referer"}
"""Of HTTP, Twisted and Python."""

OF_THE_CODE = [
    ROOT / name for name in ("CONTRIBUTING.rst", "docs/architecture.rst", "docs/glossary.rst")
]


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


COUNTING = {"add", "complain", "_complain", "_count", "failed", "_failed"}
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
        and call.args[0].value.isidentifier()
    }


def quoted(path: Path) -> list[str]:
    """What a document says literally."""
    return re.findall(r"``([^`]+)``", path.read_text())


def classes() -> dict[str, set[str]]:
    """The classes of the project, and the names that are defined in each or set on it."""
    found: dict[str, set[str]] = {}
    for path in ROOT.glob("*/**/*.py"):
        if path.parts[len(ROOT.parts)] in ("feedd", "tests", "bench"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    found.setdefault(node.name, set()).update(_defined(node))
    return found


def _defined(node: ast.ClassDef) -> set[str]:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {each.name for each in ast.walk(node) if isinstance(each, functions)} | {
        each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)
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
        """A file or folder of the project that a document names is there."""
        for path in DOCUMENTS:
            for name in filter(FILES.fullmatch, quoted(path)):
                found = (ROOT / name).exists() or (ROOT / "feedd" / name).exists()
                self.assertTrue(found, f"{path.name} names {name}")

    def test_modules(self) -> None:
        """Where modules are named one by one, none is left out."""
        said = quoted(ROOT / "docs/architecture.rst")
        for part in ("core", "feed", "web"):
            for path in sorted((ROOT / "feedd" / part).glob("[a-z]*.py")):
                self.assertIn(f"{part}/{path.name}", said)

    def test_names(self) -> None:
        """A module, class or function that a document names by its whole name is there."""
        for path in DOCUMENTS:
            for name in filter(NAMES.fullmatch, quoted(path)):
                if name not in OTHER_NAMES:
                    namedAny(name)

    def test_tests(self) -> None:
        """A test case that a document names is there."""
        for path in DOCUMENTS:
            for name in filter(TESTS.fullmatch, quoted(path)):
                self.assertTrue(isinstance(namedAny(f"tests.{name}"), type), name)

    def test_classes(self) -> None:
        """A class that a document about the code names is there, and so is its method."""
        known = classes()
        for path in OF_THE_CODE:
            for match in filter(None, map(CLASSES.fullmatch, quoted(path))):
                name, attribute = match.groups()
                if name not in OTHER_CLASSES:
                    self.assertIn(name, known, path.name)
                    self.assertIn(attribute, {None, *known[name]}, f"{path.name}: {match[0]}")

    def test_benchmarks(self) -> None:
        """A benchmark that a document names is there."""
        for path in DOCUMENTS:
            for name in re.findall(r"-m bench ([a-z]+)", path.read_text()):
                self.assertIn(name, BENCHMARKS, path.name)

    def test_manifest(self) -> None:
        """The source distribution holds every document."""
        manifest = (ROOT / "MANIFEST.in").read_text().split()
        for path in DOCUMENTS:
            self.assertIn("docs" if path.parent.name == "docs" else path.name, manifest)

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

    def test_kinds(self) -> None:
        """docs/protocol.rst has every kind of event, and no other."""
        events = (ROOT / "docs/protocol.rst").read_text().partition("\nEvents\n")[2]
        table = events.partition("\n``kind``")[2].partition("\n\n")[0]
        self.assertEqual(set(re.findall(r"^``(\w+)``", table, re.MULTILINE)), KINDS)

    def test_errors(self) -> None:
        """docs/protocol.rst has every error code with its status, and no other."""
        text = (ROOT / "docs/protocol.rst").read_text()
        told = {
            (int(status), code)
            for status, code in re.findall(r"^(\d{3})    ``(\w+)``", text, re.MULTILINE)
        }
        known = {(status, code) for _, status, code in TABLE} | {
            (500, "internal"),
            (503, "unavailable"),
        }
        self.assertEqual(told, known)


class StatusTests(WebTestCase):
    """``GET /status`` in docs/protocol.rst."""

    def test_fields(self) -> None:
        """Both exchanges have every field of the answer, and no other."""
        text = (ROOT / "docs/protocol.rst").read_text().partition("\nGET /status\n")[2]
        written = re.findall(r"^    (\{.*\})$", text, re.MULTILINE)
        for answer, headers in zip(written, ({}, KEY), strict=True):
            expected = set(self.web.get("/status", headers).json)
            self.assertEqual(set(msgspec.json.decode(answer)), expected)
