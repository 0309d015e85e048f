"""
The rules of the house that can be read off the source: who may import whom, and how long a file or a function may be.

This module knows paths and text. It reads no file; `tests.unit.test_layers` feeds it the project's.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"config", "counters", "cursor", "event", "hub", "recent", "subscription"}),
    frozenset({"ports", "posting", "reading"}),
    frozenset({"amqp", "auth", "cache", "store", "web"}),
    frozenset({"cli", "tap", "turns", "watchdog"}),
)
VENDORS = {
    "autobahn": "web",
    "cryptography": "auth",
    "jwt": "auth",
    "pymysql": "store",
    "sqlite3": "store",
    "treq": "auth",
    "twistar": "store",
    "txamqp": "amqp",
    "uhashring": "cache",
}
_PURE = """
__future__ abc bisect collections contextlib dataclasses enum functools hashlib heapq itertools json math msgspec operator re
string struct tomllib types typing
"""
PURE = frozenset(_PURE.split())
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50


class Import(NamedTuple):
    """An imported thing, as one dotted name: ``from a.b import c`` imports ``a.b.c``."""

    line: int
    name: str


def violations(path: PurePosixPath, source: str) -> list[str]:
    """What the file at `path`, relative to the project's root, does wrong; a sentence each."""
    tree = ast.parse(source)
    found = [*_sizes(source, tree)]
    if path.parts[0] == "feedd":
        found += _import_violations(path, list(_imports(tree, path.parent.parts)))
    return [f"{path}:{text}" for text in found]


def part_of(name: str) -> str:
    """The part of feedd that a dotted name below ``feedd`` belongs to: ``feedd.amqp.client`` is of ``amqp``."""
    return name.split(".")[1] if "." in name else ""


def layer_of(part: str) -> int | None:
    """The layer of a part, or None when the table does not know it."""
    return next((number for number, parts in enumerate(LAYERS) if part in parts), None)


def _import_violations(path: PurePosixPath, imports: list[Import]) -> Iterator[str]:
    part = path.parts[1].removesuffix(".py")
    layer = 0 if part == "__init__" else layer_of(part)
    if layer is None:
        yield f"1: {part} has no layer"
        return
    for line, name in imports:
        for sentence in _judge(part, layer, name):
            yield f"{line}: {sentence}"


def _judge(part: str, layer: int, name: str) -> Iterator[str]:
    top = name.partition(".")[0]
    if top == "feedd":
        yield from _judge_own(part, layer, name)
    elif top in VENDORS and part != VENDORS[top]:
        yield f"{top} belongs to {VENDORS[top]}"
    elif layer < 2 and top not in PURE:
        yield f"layer {layer} may not know {top}"
    elif top not in VENDORS and top not in {"twisted", "zope", "msgspec", "incremental"} | sys.stdlib_module_names:
        yield f"{top} has no folder it belongs to"
    if layer < 3 and (name + ".").startswith("twisted.internet.reactor."):
        yield "the global reactor is for tap only"


def _judge_own(part: str, layer: int, name: str) -> Iterator[str]:
    other = part_of(name)
    other_layer = layer_of(other)
    if other_layer == 3 and other != part and (part, other) not in {("cli", "tap"), ("tap", "turns"), ("tap", "watchdog")}:
        yield f"nobody imports {other}"  # but the other commands, which wire the same parts
    elif other_layer is not None and other != part and (other_layer > layer or other_layer == layer == 2):
        yield f"{part} (layer {layer}) may not know {other} (layer {other_layer})"


def _imports(tree: ast.AST, package: tuple[str, ...]) -> Iterator[Import]:
    """Every import in the file, those inside functions and those by a literal name too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (Import(node.lineno, f"{module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and _is_import(node.func) and node.args and isinstance(node.args[0], ast.Constant):
            yield Import(node.lineno, str(node.args[0].value))


def _is_import(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in ("__import__", "import_module", "namedAny", "namedModule")


def _sizes(source: str, tree: ast.AST) -> Iterator[str]:
    lines = len(source.splitlines())
    if lines > MAX_FILE_LINES:
        yield f"1: {lines} lines are more than {MAX_FILE_LINES}"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                yield f"{node.lineno}: {node.name} has {length} lines, more than {MAX_FUNCTION_LINES}"
