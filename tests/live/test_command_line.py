"""``feedd check``, ``feedd migrate`` and the examples, on real servers."""

import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.live import servers
from tests.live.daemon import ROOT

COMMAND = [sys.executable, "-c", "import sys; from feedd.cli import main; sys.exit(main())"]


def feedd(*argv: str) -> tuple[int, str, str]:
    """The exit code of a command, what went to stdout, what went to stderr."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*COMMAND, *argv], capture_output=True, text=True, timeout=60, env=environment
    )
    return done.returncode, done.stdout, done.stderr


class CommandLineTests(SynchronousTestCase):
    """What an administrator sees."""

    def config(self, text: str) -> str:
        """A configuration file with this text."""
        path = Path(self.mktemp())
        path.write_text(text)
        return str(path.absolute())

    def test_reaches_all(self) -> None:
        """
        With every server there, all is well, and a password in a file is used; the database is left
        as it is.
        """
        rabbitmq, memcached = servers.rabbitmq(), servers.memcached()
        database = servers.mariadb().database()
        password = self.config("guest\n")
        path = self.config(
            f'[store]\nurl = "{database}"\nmigrate = false\n'
            f"[broker]\nurl = "
            f'"amqp://guest@{rabbitmq.host}:{rabbitmq.port}/"\npassword_file = '
            f'"{password}"\n'
            f'[cache]\nurl = "memcached://{memcached.host}:{memcached.port}"\n'
        )
        code, out, _ = feedd("check", "--config", path)
        self.assertEqual((code, "feedd migrate" in out), (1, True), out)
        self.assertEqual(feedd("migrate", "--config", path)[0], 0)
        code, out, err = feedd("check", "--config", path)
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(
            out.splitlines(),
            [f"ok   {part}" for part in ("configuration", "database", "broker", "cache", "auth")],
        )

    def test_reaches_none(self) -> None:
        """
        Each server that is away, or lets nobody in, is told on a line of its own, without any
        password.
        """
        rabbitmq, away = servers.rabbitmq(), servers.free_port()
        path = self.config(
            f'[auth]\nmode = "http"\nurl = "http://127.0.0.1:{away}/whoami"\n'
            f'[store]\nurl = "mysql://feedd:hush-hush@127.0.0.1:{away}/feedd"\n'
            f"[broker]\nurl = "
            f'"amqp://guest:hush-hush@{rabbitmq.host}:{rabbitmq.port}/"\ntimeout_seconds '
            f"= 2.0\n"
            f'[cache]\nurl = "memcached://127.0.0.1:{away}"\n'
        )
        code, out, err = feedd("check", "--config", path)
        self.assertEqual(code, 1)
        bad = [line.split(":")[0] for line in out.splitlines() if line.startswith("bad")]
        self.assertEqual(bad, ["bad  database", "bad  broker", "bad  cache", "bad  auth"], out)
        self.assertNotIn("hush-hush", out + err)
        code, out, err = feedd("migrate", "--config", path)
        self.assertEqual((code, out, err.startswith("database: ")), (1, "", True), err)
        self.assertNotIn("hush-hush", err)
