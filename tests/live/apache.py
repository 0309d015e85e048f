"""
A real Apache with PHP, as a server of the live tests: the site of ``etc/examples/php``.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from tests.live import servers
from tests.live.server import Server, program

EXAMPLE = Path(__file__).parents[2] / "etc/examples/php"


class Apache(Server):
    """
    The site, by its own httpd.conf: mpm_prefork, its data in the folder of the server.

    :param database: the URL of its database, which has feedd's tables as well.
    """

    NAME = "apache2"

    def __init__(self, database: str) -> None:
        super().__init__()
        at = urlsplit(database)
        self._database = {
            "dsn": f"mysql:host={at.hostname};port={at.port};dbname={at.path[1:]};charset=utf8mb4",
            "user": at.username,
        }

    @property
    def url(self) -> str:
        """The URL of its pages, without a slash at the end."""
        return f"http://{self.host}:{self.port}"

    def configure(
        self,
        feed: str,
        posting: str,
        broker: Mapping[str, object] | None = None,
        database: Mapping[str, object] | None = None,
    ) -> None:
        """
        Write its site.ini, which every request reads anew.

        :param feed: the URL of feedd.
        :param posting: publish, insert or table.
        """
        rabbitmq = servers.rabbitmq()
        sections: dict[str, Mapping[str, object]] = {
            "database": {"password": ""} | self._database | dict(database or {}),
            "broker": {"host": rabbitmq.host, "port": rabbitmq.port, "vhost": "/"}
            | {"login": "guest", "password": "guest"}
            | dict(broker or {}),
            "feed": {"url": feed, "posting": posting},
        }
        lines = [
            line
            for name, section in sections.items()
            for line in (f"[{name}]", *(f'{key} = "{value}"' for key, value in section.items()))
        ]
        (self.folder / "new.ini").write_text("\n".join(lines))
        (self.folder / "new.ini").chmod(0o644)
        (self.folder / "new.ini").rename(self.folder / "site.ini")

    def php(self, script: str, *arguments: str, given: str = "") -> str:
        """The output of a script of the site, run on the command line."""
        return subprocess.run(
            [program("php"), str(self.folder / "site" / script), *arguments],
            input=given,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        ).stdout

    def errors(self) -> str:
        """What PHP and Apache have logged."""
        return (self.folder / "error.log").read_text(errors="replace")

    def _prepare(self) -> None:
        shutil.copytree(EXAMPLE, self.folder / "site")
        (self.folder / "sessions").mkdir()
        if os.geteuid() == 0:  # the processes that serve are not root, and come by here
            for folder in self._folders():
                folder.chmod(0o711)
            subprocess.run(["chmod", "-R", "a+rX", self.folder / "site"], check=True)
            os.chown(self.folder / "sessions", pwd.getpwnam("www-data").pw_uid, -1)

    def _folders(self) -> list[Path]:
        """The server's folder and those above it that the tests have made."""
        above = list(self.folder.parents)
        ours = [number for number, each in enumerate(above) if each.name.startswith("feedd-tests-")]
        return [self.folder, *above[: max(ours) + 1]]

    def _launch(self) -> int:
        program("apache2")
        # At its end Apache signals its whole process group, which must not be that of the others.
        command = ["setsid", "apache2", "-f", str(self.folder / "site/httpd.conf")]
        return self._run([*command, "-D", "FOREGROUND"], self._environment())

    def _ready(self) -> bool:
        return servers.answers(self.port, b"GET /feed.js HTTP/1.0\r\n\r\n").startswith(
            b"HTTP/1.1 200"
        )

    def _environment(self) -> dict[str, str]:
        return os.environ | {
            "SITE": str(self.folder / "site"),
            "SITE_PORT": str(self.port),
            "SITE_DATA": str(self.folder),
            "SITE_CONFIG": str(self.folder / "site.ini"),
        }
