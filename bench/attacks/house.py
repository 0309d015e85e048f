"""The feedd that is attacked: any checkout's, embedded, with friends in its tables."""

import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NamedTuple, Self

from bench.attacks.attackers import BACKEND_KEY, Attack, Target
from bench.attacks.others import PAIRS
from bench.process import resident_kib
from tests.live.daemon import Feedd
from tests.live.server import HOST, free_port

LINGER_SECONDS = 5.0
SAMPLE_SECONDS = 0.05


class Memory(NamedTuple):
    """Resident memory: before the attack, at most, and after it."""

    calm_kib: int
    most_kib: int
    after_kib: int


class CheckedOut(Feedd):
    """feedd of another checkout."""

    def __init__(self, checkout: Path, settings: str) -> None:
        super().__init__(settings)
        self._checkout = checkout

    def _prepare(self) -> None:
        (self.folder / "backend.key").write_text(BACKEND_KEY)
        super()._prepare()

    def _launch(self) -> int:
        twistd = str(Path(sys.executable).with_name("twistd"))
        config = str(self.folder / "feedd.toml")
        return self._run(
            [twistd, "--nodaemon", "--pidfile=", "feedd", "--config", config],
            os.environ | {"PYTHONPATH": str(self._checkout)},
        )


class House:
    """
    feedd, and the site that knows cookies when the attack is one on them; runs within ``with``.
    """

    def __init__(self, checkout: Path, attack: Attack, small: bool) -> None:
        self._attack = attack
        self._small = small
        self._site: subprocess.Popen[bytes] | None = None
        self._site_port = free_port()
        self._feedd = CheckedOut(checkout, self._settings())
        self._readings: list[int] = []
        self._calm = 0
        self._ended = threading.Event()

    @property
    def port(self) -> int:
        """The port of feedd."""
        return self._feedd.port

    @property
    def target(self) -> Target:
        """The facts that an attacker is given."""
        return Target(self.port, self._small)

    def __enter__(self) -> Self:
        if self._attack.cookies:
            words = [sys.executable, "-m", "bench.attacks.site", str(self._site_port)]
            self._site = subprocess.Popen(words)
        self._feedd.start()  # makes the tables
        self._feedd.stop()
        self._befriend()
        self._feedd.start()
        threading.Thread(target=self._sample, daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._ended.set()
        self._feedd.stop()
        if self._site is not None:
            self._site.kill()
            self._site.wait()

    def note_calm(self) -> None:
        """The attack begins."""
        self._calm = resident_kib([self._feedd.pid])
        self._readings = [self._calm]

    def memory(self) -> Memory:
        """The memory so far."""
        return Memory(self._calm, max(self._readings), resident_kib([self._feedd.pid]))

    def _settings(self) -> str:
        text = '[store]\nurl = "sqlite:{folder}/feedd.sqlite"\n'
        text += f"[poll]\nlinger_seconds = {LINGER_SECONDS}\n"
        if self._attack.cookies:
            text += f'[auth]\nmode = "http"\nurl = "http://{HOST}:{self._site_port}/whoami"\n'
            text += 'backend_key_file = "{folder}/backend.key"\n'
        return text

    def _befriend(self) -> None:
        rows = [(f"u{pair}", f"a{pair}") for pair in range(PAIRS)]
        rows += self._attack.friendships(self.target)
        connection = sqlite3.connect(self._feedd.folder / "feedd.sqlite")
        with connection:
            connection.executemany(
                "INSERT INTO friendships (viewer, friend, since) VALUES (?, ?, 0)", rows
            )
        connection.close()

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            try:
                self._readings.append(resident_kib([self._feedd.pid]))
            except OSError:
                return
