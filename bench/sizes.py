"""
How large the code is, and how many hops it takes: ``python -m bench sizes [FOLDER]``.

Any checkout of the project can be measured, an older one too. Lines of a function are those from
its ``def`` to its last, with its docstring; statements do not depend on the length of a line.
"""

import argparse
import ast
import io
import json
import subprocess
import sys
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.measured import percentile

ROOT = Path(__file__).parents[1]

PATHS = {
    "send": "from a delivered AMQP frame to send",
    "new": "from a poll to parked, on a new connection",
    "again": "from a poll to parked, again on its connection",
}
"""The hops that are told, in the words of `bench.hops`."""


PARTS = (0.5, 0.9, 1)
"""The median, the 90th percentile, the largest."""


class Sizes(NamedTuple):
    """
    The source files of a package.

    :ivar files: the lines of each file.
    :ivar functions: the lines of each function.
    :ivar statements: the statements of each function, without its docstring.
    :ivar comments: the lines with a ``#`` comment, of all files.
    """

    files: list[int]
    functions: list[int]
    statements: list[int]
    comments: int


def sizes(sources: Sequence[str]) -> Sizes:
    """The sizes of these files."""
    functions = [node for source in sources for node in _functions(ast.parse(source))]
    return Sizes(
        [len(source.splitlines()) for source in sources],
        [(node.end_lineno or node.lineno) - node.lineno + 1 for node in functions],
        [_statements(node) for node in functions],
        sum(map(_comments, sources)),
    )


def table(found: Sizes) -> str:
    """The sizes, a line each."""
    lines = sum(found.files)
    rows = [
        ("lines of a file", found.files),
        ("lines of a function", found.functions),
        ("statements of a function", found.statements),
    ]
    texts = [
        f"{len(found.files)} files, {lines} lines, {len(found.functions)} functions; "
        f"{found.comments} comments, one in {lines / max(1, found.comments):.0f} lines",
        "",
        f"{'':56}   median    p90    max",
    ]
    texts += [
        f"{name:56}   " + " ".join(f"{percentile(sorted(values), part):6}" for part in PARTS)
        for name, values in rows
    ]
    return "\n".join(texts)


def hops_table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The hops, a line each: with the fast channel and without it."""
    texts = [f"{'':56}  functions  calls  deepest"]
    for way, paths in found.items():
        for name, what in PATHS.items():
            functions, calls, deepest = (
                paths[name][key] for key in ("functions", "calls", "deepest")
            )
            texts.append(f"{f'{way}: {what}':56}{functions:>11}{calls:>7}{deepest:>9}")
        texts.append(f"{f'{way}: calls for each further listener':56}{further(paths):>18.1f}")
    return "\n".join(texts)


def further(paths: Mapping[str, Any]) -> float:
    """How many functions are called for each listener but the first."""
    one, many = paths["send"], paths["crowd"]
    return float(many["calls"] - one["calls"]) / (many["listeners"] - one["listeners"])


def hops(folder: Path) -> dict[str, Any]:
    """What `bench.hops` finds in the checkout in `folder`."""
    command = [sys.executable, "-m", "bench.hops", str(folder)]
    told = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    return found


def main(argv: list[str] | None = None) -> None:
    """Print the sizes and the hops of a checkout; JSON when asked to."""
    parser = argparse.ArgumentParser(prog="python -m bench sizes", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT, help="the checkout")
    parser.add_argument("--names", action="store_true", help="name the functions of each path")
    given = parser.parse_args(argv)
    folder = given.folder.resolve()
    print(table(sizes([path.read_text() for path in sorted(folder.glob("feedd/**/*.py"))])))
    found = hops(folder)
    print(f"\n{hops_table(found)}")
    if given.names:
        for way, paths in found.items():
            for name, what in PATHS.items():
                print(f"\n{way}: {what}", *paths[name]["names"], sep="\n  ")


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _statements(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    inside = sum(isinstance(node, ast.stmt) for node in ast.walk(function)) - 1
    return inside - (ast.get_docstring(function) is not None)


def _comments(source: str) -> int:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return sum(token.type == tokenize.COMMENT for token in tokens)


if __name__ == "__main__":
    main()
