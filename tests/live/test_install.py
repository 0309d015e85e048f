"""
What ``pip install`` leaves behind works: from a wheel, and from a checkout with ``pip install -e``.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import urllib.request
from pathlib import Path
from zipfile import ZipFile

from twisted.trial.unittest import SynchronousTestCase

from tests.live.daemon import Feedd

ROOT = Path(__file__).parents[2]
_SOURCE = ("feedd", "twisted", "setup.py", "pyproject.toml", "MANIFEST.in", "LICENSE", "README.rst")
_TWISTD = (
    "import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; sys.exit(run())"
)


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """The output of a command; an error holds what it printed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def copy_source(folder: Path) -> Path:
    """A clean copy of what the package is made from, so that no build touches the checkout."""
    copy = folder / "source"
    copy.mkdir()
    for name in _SOURCE:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name,
                copy / name,
                ignore=shutil.ignore_patterns("__pycache__", "dropin.cache"),
            )
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, copy)
    return copy


def make_environment(folder: Path) -> Path:
    """
    The interpreter of a fresh virtual environment, which finds the dependencies, but not feedd,
    where we find them.
    """
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv")
    python = folder / "venv" / "bin" / "python"
    libraries = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    Path(libraries, "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def pip(*arguments: str | Path) -> None:
    """Run our own pip, which must not ask the network."""
    run(sys.executable, "-m", "pip", "-q", "--no-cache-dir", *arguments)


class InstalledFeedd(Feedd):
    """
    The daemon of an installation, run in an empty folder with everything but its port by default.
    """

    def __init__(self, python: Path) -> None:
        super().__init__("# the embedded default\n")
        self._python = str(python)

    def _launch(self) -> int:
        (self.folder / "run").mkdir()
        arguments = ["--nodaemon", "feedd", "--config", "../feedd.toml"]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return self._run(
            ["env", f"--chdir={self.folder}/run", self._python, "-c", _TWISTD, *arguments],
            environment,
        )


def data_files(package: Path) -> set[str]:
    """All files of the package that are not Python, by their path in it."""
    return {
        str(path.relative_to(package))
        for path in package.rglob("*.*")
        if path.suffix not in (".py", ".pyc")
    }


class Installed(SynchronousTestCase):
    """A clean source, a fresh environment, and what every installation must give."""

    def setUp(self) -> None:
        """Lay them out."""
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.source = copy_source(self.folder)
        self.python = make_environment(self.folder)
        self.elsewhere = self.folder / "elsewhere"
        self.elsewhere.mkdir()

    def check_it_works(self) -> None:
        """twistd knows feedd, Twisted is whole, the data files are there, and the daemon serves."""
        which = ("-c", "import twisted.web; print(twisted.web.__file__)")
        for where in (self.elsewhere, self.source):
            self.assertRegex(
                run(self.python, "-c", _TWISTD, "--help", cwd=where), r"\n +feedd +A realtime"
            )
            self.assertEqual(
                run(self.python, *which, cwd=where), run(sys.executable, *which, cwd=self.elsewhere)
            )
        package = run(
            self.python, "-c", "import feedd; print(feedd.__path__[0])", cwd=self.elsewhere
        ).strip()
        self.assertEqual(data_files(Path(package)), data_files(ROOT / "feedd"))
        self.assertIn("feedd", run(self.python.parent / "feedd", "--help", cwd=self.elsewhere))
        server = InstalledFeedd(self.python).start()
        self.addCleanup(server.kill)
        with urllib.request.urlopen(f"{server.url}/status", timeout=5) as response:
            self.assertTrue(json.load(response)["ready"])
        self.assertTrue((server.folder / "run" / "feedd.sqlite").exists())


class WheelTests(Installed):
    """A wheel, as ``pip install .`` makes one."""

    def wheel(self) -> Path:
        """Build it."""
        pip("wheel", "--no-deps", "--no-build-isolation", "-w", self.folder, self.source)
        (wheel,) = self.folder.glob("feedd-*.whl")
        return wheel

    def test_content(self) -> None:
        """It holds the package, its data and the plug-in, and nothing else."""
        names = {name for name in ZipFile(self.wheel()).namelist() if ".dist-info/" not in name}
        data = {f"feedd/{name}" for name in data_files(ROOT / "feedd")}
        code = {str(path.relative_to(ROOT)) for path in (ROOT / "feedd").rglob("*.py")}
        self.assertEqual(names, data | code | {"twisted/plugins/feedd_plugin.py"})

    def test_it_works(self) -> None:
        """Installed, it gives all that feedd is."""
        pip("--python", self.python, "install", "--no-deps", "--no-index", self.wheel())
        self.check_it_works()


class EditableTests(Installed):
    """A checkout, as ``pip install -e .`` leaves it."""

    def test_it_works(self) -> None:
        """From the checkout's folder and from any other."""
        pip(
            "--python",
            self.python,
            "install",
            "--no-deps",
            "--no-index",
            "--no-build-isolation",
            "-e",
            self.source,
        )
        self.check_it_works()
