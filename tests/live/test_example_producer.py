"""The producers of ``etc/examples``, each run by its own runtime, as a site would run it."""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from tests.live import servers
from tests.live.browser import Browser
from tests.live.daemon import ROOT, Feedd
from tests.live.server import program, supervisor
from tests.live.test_end_to_end import HOSTILE, parked, settings

EXAMPLES = ROOT / "etc/examples"
BELL_ONLY = "tail_seconds = 600.0\n"


class Beside(NamedTuple):
    """A database, a process that has only the bell, and one that has the net as well."""

    database: str
    bell: Feedd
    net: Feedd


@functools.cache
def beside() -> Beside:
    """The ones of this run, which end with it."""
    database = servers.mariadb().database()
    config = settings(database)
    bell = Feedd(config.replace("[broker]", f"{BELL_ONLY}[broker]"))
    return Beside(database, bell.start(), Feedd(config).start())


@functools.cache
def node_folder() -> Path:
    """A folder with the examples for Node.js beside their packages, as ``npm ci`` leaves it."""
    program("npm")
    fetched = subprocess.run([ROOT / "tests/node"], capture_output=True, text=True, check=False)
    if fetched.returncode:
        missing = servers.NotStarted if os.environ.get("CI") else servers.NotInstalled
        raise missing(f"the packages for Node.js are not there:\n{fetched.stderr}")
    folder = Path(tempfile.mkdtemp(dir=supervisor().folder))
    for example in (EXAMPLES / "node").glob("*.mjs"):
        shutil.copy(example, folder)
    (folder / "node_modules").symlink_to(fetched.stdout.strip())
    return folder


class ProducerCase(TestCase):
    """Bob, whose friend alice posts by an example."""

    timeout = 90

    async def run_example(self, command: list[str], **environment: str) -> str:
        """What an example says on stderr."""
        given = os.environ | {"PYTHONUTF8": "1"} | environment
        executable, *arguments = command
        out, err, code = await getProcessOutputAndValue(executable, arguments, env=given)
        self.assertEqual(code, 0, (out + err).decode())
        return err.decode()

    async def poll_of_bob(self, feedd: Feedd) -> "Deferred[list[str]]":
        """The texts that bob's poll, parked now, is answered with."""
        self.bob = Browser(reactor, feedd.url, "bob")
        await self.bob.befriend("alice")
        await self.bob.init()
        poll = Deferred.fromCoroutine(self.texts())
        await parked([feedd], 1)
        return poll

    async def texts(self, wait: float = 20) -> list[str]:
        return [event["body"]["text"] for event in (await self.bob.poll(wait))["events"]]


class RowsAndBell(ProducerCase):
    """The example writes the rows of a post and rings; a subclass says which one it is."""

    def command(self) -> list[str]:
        """The example, without its arguments."""
        raise NotImplementedError

    async def post(self, text: str, broker: str) -> str:
        """What the example says on stderr when alice posts `text`."""
        at = urlsplit(beside().database)
        return await self.run_example(
            [*self.command(), "alice", text],
            DB_PORT=str(at.port),
            DB_USER=str(at.username),
            DB_NAME=at.path[1:],
            BROKER=broker,
        )

    async def test_bell(self) -> None:
        """The bell answers a friend's parked poll, and the net tells it nobody again."""
        poll = await self.poll_of_bob(beside().bell)
        self.assertEqual(await self.post(HOSTILE, servers.rabbitmq().url), "")
        self.assertEqual(await poll, [HOSTILE])
        self.bob.url = beside().net.url
        self.assertEqual(await self.texts(wait=1.5), [])
        self.assertEqual((await self.bob.init())["posts"][0]["body"], {"text": HOSTILE})

    async def test_broker_away(self) -> None:
        """Without a broker the example says so, and the net brings the post."""
        poll = await self.poll_of_bob(beside().net)
        away = f"amqp://guest:guest@127.0.0.1:{servers.free_port()}/%2F"
        self.assertIn("no bell, the log has it", await self.post("no bell", away))
        self.assertEqual(await poll, ["no bell"])


class PythonTests(RowsAndBell):
    """``python/post.py``: PyMySQL and pika."""

    def command(self) -> list[str]:
        return [sys.executable, str(EXAMPLES / "python/post.py")]


class NodeTests(RowsAndBell):
    """``node/post.mjs``: mysql2 and amqplib."""

    def command(self) -> list[str]:
        return [program("node"), str(node_folder() / "post.mjs")]


class HTTPTests(ProducerCase):
    """The examples that post through feedd."""

    async def test_node(self) -> None:
        """``node/post-by-http.mjs`` posts with Node.js alone."""
        poll = await self.poll_of_bob(beside().net)
        command = [program("node"), str(EXAMPLES / "node/post-by-http.mjs"), "alice", HOSTILE]
        await self.run_example(command, FEEDD=beside().net.url, BACKEND_KEY="demo")
        self.assertEqual(await poll, [HOSTILE])

    async def test_curl(self) -> None:
        """
        ``curl/post.sh`` posts with curl, and tries again while feedd is away; the key is in no
        command line.
        """
        feedd = Feedd()
        self.addCleanup(feedd.stop)
        key = feedd.folder / "key"
        key.write_text("demo\n")
        command = [program("sh"), str(EXAMPLES / "curl/post.sh"), "alice", '{"text": "héllo"}']
        program("curl")
        posting = Deferred.fromCoroutine(
            self.run_example(command, FEEDD=feedd.url, BACKEND_KEY_FILE=str(key))
        )
        feedd.start()
        await posting
        self.bob = Browser(reactor, feedd.url, "bob")
        await self.bob.befriend("alice")
        posts = (await self.bob.init())["posts"]
        self.assertEqual([post["body"] for post in posts], [{"text": "héllo"}])

    async def test_curl_refused(self) -> None:
        """An error of feedd is the exit code and the text of the example."""
        key = beside().net.folder / "wrong"
        key.write_text("wrong")
        out, _, code = await getProcessOutputAndValue(
            program("sh"),
            [str(EXAMPLES / "curl/post.sh"), "alice", "{}"],
            env=os.environ | {"FEEDD": beside().net.url, "BACKEND_KEY_FILE": str(key)},
        )
        self.assertEqual((code != 0, b"backend key" in out), (True, True), out)


del RowsAndBell  # it is no test by itself
