"""The servers of the tests do as they are told, and nothing outlives the run that started it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pymysql
from twisted.trial.unittest import SynchronousTestCase

from tests.live import servers

ROOT = Path(__file__).parents[2]
_OWNER = """
import signal, sys, time
from pathlib import Path
from tests.live import servers
signal.signal(signal.SIGINT, signal.default_int_handler)
{start}
print(servers.supervisor().folder, flush=True)
time.sleep(100)
"""
_STUBBORN = """
folder = str(servers.supervisor().folder)
inner = "(setsid sh -c 'trap : TERM; sleep 321; :' " + folder + " &); sleep 321; :"
servers.supervisor().start(["sh", "-c", inner, folder], {"PATH": "/usr/bin:/bin"})
time.sleep(0.3)
"""


def naming(text: str) -> list[str]:
    """The command lines and environments of the running processes that name `text`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (process / "cmdline").read_bytes() + b"\0" + (process / "environ").read_bytes()
            if text.encode() in line and process.name != str(os.getpid()):
                found.append(line[:200].decode(errors="replace"))
    return found


class NeverReady(servers.Memcached):
    """A memcached that is waited for in vain: another process answers on its port."""

    def _ready(self) -> bool:
        return False


class EndTests(SynchronousTestCase):
    """The end of an owner is the end of all it started."""

    def end(self, start: str, number: int) -> tuple[list[str], list[str]]:
        """
        Let an owner run `start`, send it a signal; returns what ran before, and what a little
        later.
        """
        owner = subprocess.Popen(
            [sys.executable, "-c", _OWNER.format(start=start)],
            cwd=ROOT,
            env={
                name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert owner.stdout is not None
        with owner, owner.stdout as output:
            folder = output.readline().strip()
            before = naming(folder)
            owner.send_signal(number)
            owner.wait(30)
        deadline = time.monotonic() + 10
        while (
            after := naming(folder) + [folder] * Path(folder).exists()
        ) and time.monotonic() < deadline:
            time.sleep(0.05)
        return before, after

    def test_stubborn_processes(self) -> None:
        """Processes that ignore signals and detach themselves go too, however the owner ends."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            before, after = self.end(_STUBBORN, number)
            self.assertGreaterEqual(len(before), 3, before)
            self.assertEqual(after, [])

    def test_rabbitmq(self) -> None:
        """Neither the Erlang machine nor its epmd is left when the owner is killed."""
        before, after = self.end("servers.RabbitMQ().start()", signal.SIGKILL)
        self.assertTrue([line for line in before if "beam" in line], before)
        self.assertTrue([line for line in before if "epmd\0" in line], before)
        self.assertEqual(after, [])


class PrivateTests(SynchronousTestCase):
    """A private server comes and goes at the same place."""

    def test_memcached(self) -> None:
        """It can be frozen, thawed, ended and started again on its port."""
        server = servers.Memcached().start()
        self.addCleanup(server.kill)
        server.pause()
        self.assertEqual(servers.answers(server.port, b"version\r\n"), b"")
        server.resume()
        self.assertIn(b"VERSION", servers.answers(server.port, b"version\r\n"))
        server.stop()
        self.assertEqual(servers.answers(server.port, b"version\r\n"), b"")
        server.start()
        self.assertIn(b"VERSION", servers.answers(server.port, b"version\r\n"))

    def test_mariadb(self) -> None:
        """What was committed is there after a crash, and a database is fresh each time."""
        server = servers.MariaDB().start()
        self.addCleanup(server.kill)
        name = server.database().rpartition("/")[2]
        self.assertNotIn(name, server.database())
        server.execute(f"CREATE TABLE {name}.kept (id INT) ENGINE=InnoDB")
        server.kill()
        self.assertRaises(pymysql.Error, server.execute, "DO 1")
        server.start().execute(f"SELECT id FROM {name}.kept")

    def test_rabbitmq(self) -> None:
        """What is durable is there after a restart."""
        server = servers.RabbitMQ().start()
        self.addCleanup(server.kill)
        server.ctl("add_vhost", "kept")
        server.stop()
        server.start()
        self.assertIn("kept", server.ctl("list_vhosts").split())

    def test_what_does_not_start_says_why(self) -> None:
        """A port that is taken: the error holds the server's own words."""
        server = NeverReady()
        server.port = servers.memcached().port
        error = self.assertRaises(servers.NotStarted, server.start)
        self.assertIn("Address already in use", str(error))
