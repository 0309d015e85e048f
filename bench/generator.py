"""
The choice of the load generator: the one in C where there is a compiler, else the one in Python.

Both have the same two functions. The name of the one that was used belongs into every result.
"""

import argparse
from collections.abc import Callable
from typing import NamedTuple

from bench import load, native
from bench.conversation import Served
from bench.measured import Measured, Timed

NATIVE = "C (bench/native/fanbench.c)"
PYTHON = "Python (bench/load.py)"


class Generator(NamedTuple):
    """`fanout` and `rate` as in `bench.load`."""

    name: str
    fanout: Callable[[Served, int, int, int, int], Measured]
    rate: Callable[[Served, int, float, int], Timed]


def add_option(parser: argparse.ArgumentParser) -> None:
    """``--native`` and ``--no-native``."""
    parser.add_argument(
        "--native",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="the load generator in C, or the one in Python, which costs more than a fast "
        "server and hides differences; "
        "default: C where there is a compiler",
    )


def choose(wish: bool | None, lacking: str) -> Generator:
    """
    The generator for the option `wish`, where `lacking` says what the one in C needs, "" when
    nothing.

    :raises ValueError: when C is wished for and there is no compiler.
    """
    if wish and lacking:
        raise ValueError(f"--native needs {lacking}")
    if wish is False or lacking:
        return Generator(PYTHON, load.fanout, load.rate)
    return Generator(NATIVE, native.fanout, native.rate)


def chosen(wish: bool | None) -> Generator:
    """As `choose`, on this machine; it says which."""
    try:
        generator = choose(wish, native.missing())
    except ValueError as mistake:
        raise SystemExit(str(mistake)) from None
    print(f"load generator: {generator.name}", flush=True)
    return generator
