"""
The file of a benchmark: JSON that says what was measured, how, and on which machine.
"""

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


def document(benchmark: str, **found: Any) -> dict[str, Any]:
    """The document of a benchmark: its findings, its name and the machine."""
    return {"benchmark": benchmark, "machine": machine(), **found}


def write(file: str | None, found: dict[str, Any]) -> None:
    """Write the document, when a file is asked for."""
    if file:
        Path(file).write_text(json.dumps(found, indent=1) + "\n")


def read(folder: str | Path) -> dict[str, dict[str, Any]]:
    """Every document in the folder, by the name of its file without ``.json``."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(Path(folder).glob("*.json"))}


def machine() -> dict[str, Any]:
    """The machine and the versions, on which the numbers depend."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "twisted": _version("Twisted"),
        "feedd": _version("feedd"),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
