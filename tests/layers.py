"""
The rules of the house that can be read off the source: which module may import which, and how long
a file or a function may be.

Nothing here reads a file; `tests.unit.test_layers` passes the files of the project.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

FLOORS: tuple[frozenset[str], ...] = (
    frozenset({"core"}),
    frozenset({"feed"}),
    frozenset({"reactor"}),
    frozenset({"amqp", "auth", "cache", "log", "store", "web"}),
    frozenset({"cli", "config", "process", "tap"}),
)
"""
The house, from the ground up: a part may import what is below it. Parts of one floor do not know
each other.
"""

PURE_FLOORS = FLOORS[:2]
TOP = ("config", "process", "tap", "cli")
"""The one floor whose parts know each other: each those before it."""

OF_REACTOR = "feedd.core.counters"
"""All of feedd that the floor of Twisted parts may import."""

INNER = {
    "store": ("database", "running", "tables"),
    "amqp": ("protocol",),
}
"""
Folders inside a part, from the ground up: one imports nothing of its part but what stands before
it, or itself.
"""

UNKNOWN = {"amqp.protocol": ("feedd.core.event", "feedd.feed.ports")}
"""Modules that a folder must not import besides."""

VENDORS = {
    "autobahn": "web.stream",
    "cryptography": "auth",
    "jwt": "auth",
    "phpserialize": "cache",
    "pymysql": "store.database.mariadb",
    "sqlite3": "store.database.sqlite",
    "treq": "auth",
    "twistar": "store.database.adapter",
    "txamqp": "amqp.protocol",
    "uhashring": "cache",
}
"""The one folder, or module, in which the name of a library stands."""

INSIDES = "feedd/reactor/insides.py"
"""The one file that uses private names of others, which are Twisted's."""

NOT_PRIVATE = frozenset({"_asdict", "_current_frames", "_replace"})
"""Public names of the standard library, in spite of their spelling."""

_PURE = """
__future__ abc bisect collections contextlib dataclasses enum functools hashlib heapq itertools
json math msgspec operator re
string struct tomllib types typing weakref
"""
PURE = frozenset(_PURE.split())
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50


class Import(NamedTuple):
    """An imported thing, as one dotted name: ``from a.b import c`` imports ``a.b.c``."""

    line: int
    name: str


def violations(path: PurePosixPath, source: str) -> list[str]:
    """A sentence for each rule that the file at `path`, relative to the root, does not keep."""
    tree = ast.parse(source)
    found = [*_sizes(source, tree)]
    if path.parts[0] == "feedd":
        found += _import_violations(path, list(_imports(tree, path.parent.parts)))
        found += [] if path.as_posix() == INSIDES else _private_names(tree)
    return [f"{path}:{text}" for text in found]


def _private_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and node.attr.startswith("_")
            and not node.attr.endswith("__")
            and node.attr not in NOT_PRIVATE
            and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
        ):
            yield f"{node.lineno}: {ast.unparse(node)} is private; see {INSIDES}"


def floor_of(part: str) -> int | None:
    """The number of a part's floor, or None when the table does not know it."""
    return next((number for number, parts in enumerate(FLOORS) if part in parts), None)


def _import_violations(path: PurePosixPath, imports: list[Import]) -> Iterator[str]:
    module = ".".join(path.with_suffix("").parts[1:])
    part = module.partition(".")[0]
    floor = 0 if part == "__init__" else floor_of(part)
    if floor is None:
        yield f"1: {part} has no floor"
        return
    for line, name in imports:
        for sentence in _judge(module, part, floor, name):
            yield f"{line}: {sentence}"


def _judge(module: str, part: str, floor: int, name: str) -> Iterator[str]:
    top = name.partition(".")[0]
    if top == "feedd":
        yield from _judge_own(module, part, floor, name)
    elif top in VENDORS and not _is_in(module, VENDORS[top]):
        yield f"{top} belongs to {VENDORS[top]}"
    elif floor < 2 and top not in PURE:
        yield f"{part} may not know {top}"
    elif (
        top not in VENDORS
        and top not in {"twisted", "zope", "msgspec", "incremental"} | sys.stdlib_module_names
    ):
        yield f"{top} has no folder it belongs to"
    if part not in FLOORS[-1] and (name + ".").startswith("twisted.internet.reactor."):
        yield "the global reactor is for the top floor only"


def _judge_own(module: str, part: str, floor: int, name: str) -> Iterator[str]:
    inside = name.removeprefix("feedd.")
    other = inside.partition(".")[0]
    other_floor = floor_of(other)
    if other == part:
        yield from _judge_inner(module, part, inside)
    elif part in TOP and other in TOP:
        if TOP.index(other) > TOP.index(part):
            yield f"{part} may not know {other}"
    elif other_floor is not None and (
        other_floor >= floor or (part == "reactor" and not _is_in(name, OF_REACTOR))
    ):
        yield f"{part} may not know {other}"
    for folder, unknown in UNKNOWN.items():
        if _is_in(module, folder) and any(_is_in(name, each) for each in unknown):
            yield f"{folder} may not know {name}"


def _judge_inner(module: str, part: str, inside: str) -> Iterator[str]:
    """
    Inside a part: a folder of `INNER` knows itself and those before it; modules beside the folders
    know all.
    """
    folders = INNER.get(part, ())
    here, there = ([*name.split("."), ""][1] for name in (module, inside))
    if here in folders and not (there in folders and folders.index(there) <= folders.index(here)):
        yield f"{part}.{here} may not know {inside}"


def _is_in(name: str, folder: str) -> bool:
    return name == folder or name.startswith(folder + ".")


def _imports(tree: ast.AST, package: tuple[str, ...]) -> Iterator[Import]:
    """Every import in the file, those inside functions and those by a literal name too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (Import(node.lineno, f"{module}.{alias.name}") for alias in node.names)
        elif (
            isinstance(node, ast.Call)
            and _is_import(node.func)
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
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
                yield (
                    f"{node.lineno}: {node.name} has {length} lines, more than {MAX_FUNCTION_LINES}"
                )
