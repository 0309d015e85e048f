"""
feedd itself as a server of the live tests: ``twistd feedd`` with a configuration of the test's.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.live.server import HOST, Server

ROOT = Path(__file__).parents[2]


class Feedd(Server):
    """
    One process.

    :param settings: TOML; ``{folder}`` in it is the process's folder. It may not have a section
        [http].
    :param http: more lines of the section [http].
    :param wait_ready: `start` returns only when /status says 200; else as soon as it answers at
        all.
    :param libraries: a folder whose modules it finds before all others.
    """

    NAME = "feedd"

    def __init__(
        self,
        settings: str = "",
        wait_ready: bool = True,
        http: str = "",
        libraries: Path | None = None,
    ) -> None:
        super().__init__()
        self._settings = settings or '[store]\nurl = "sqlite:{folder}/feedd.sqlite"\n'
        self._wait_ready = wait_ready
        self._http = http
        self._libraries = [str(folder) for folder in (libraries, ROOT) if folder is not None]

    @property
    def url(self) -> str:
        """The URL at which it listens, without a slash at the end."""
        return f"http://{self.host}:{self.port}"

    def status(self) -> int:
        """The status of GET /status, 0 when nobody answers."""
        try:
            with urllib.request.urlopen(f"{self.url}/status", timeout=5) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def details(self, key: str = "demo") -> dict[str, Any]:
        """The answer of GET /status to who has the backend key, ready or not."""
        request = urllib.request.Request(
            f"{self.url}/status", headers={"Authorization": f"Bearer {key}"}
        )
        try:
            response = urllib.request.urlopen(request, timeout=20)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            told: dict[str, Any] = json.load(response)
        return told

    def _prepare(self) -> None:
        listen = f'[http]\nlisten = ["tcp:{self.port}:interface={HOST}"]\n{self._http}'
        (self.folder / "feedd.toml").write_text(
            listen + self._settings.replace("{folder}", str(self.folder))
        )

    def _launch(self) -> int:
        twistd = str(Path(sys.executable).with_name("twistd"))
        arguments = [
            "--nodaemon",
            "--pidfile=",
            "feedd",
            "--config",
            str(self.folder / "feedd.toml"),
        ]
        return self._run(
            [twistd, *arguments], os.environ | {"PYTHONPATH": os.pathsep.join(self._libraries)}
        )

    def _ready(self) -> bool:
        return self.status() == 200 if self._wait_ready else self.status() > 0
