"""The producer of ``etc/examples``, run as a site would run it."""

import os
import sys
from urllib.parse import urlsplit

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from tests.live import servers
from tests.live.browser import Browser
from tests.live.daemon import ROOT, Feedd
from tests.live.test_end_to_end import HOSTILE, parked, settings

BELL_ONLY = "tail_seconds = 600.0\n"


class PythonProducerTests(TestCase):
    """``post.py``, beside a process that has only the bell and one that has the net as well."""

    timeout = 90

    def setUp(self) -> None:
        self.database = servers.mariadb().database()
        config = settings(self.database)
        self.bell = Feedd(config.replace("[broker]", f"{BELL_ONLY}[broker]"))
        self.net = Feedd(config)
        for feedd in (self.bell, self.net):
            self.addCleanup(feedd.stop)
            feedd.start()

    async def post(self, text: str, broker: str) -> str:
        """What the example says on stderr when alice posts `text`."""
        at = urlsplit(self.database)
        environment = os.environ | {
            "DB_PORT": str(at.port),
            "DB_USER": str(at.username),
            "DB_NAME": at.path[1:],
            "BROKER": broker,
            "PYTHONUTF8": "1",
        }
        command = [str(ROOT / "etc/examples/post.py"), "alice", text]
        _, err, code = await getProcessOutputAndValue(sys.executable, command, env=environment)
        self.assertEqual(code, 0, err.decode())
        return err.decode()

    async def test_posts(self) -> None:
        """
        The bell answers a friend's parked poll; the net tells it nobody again; without a broker the
        net brings it.
        """
        bob = Browser(reactor, self.bell.url, "bob")
        await bob.befriend("alice")
        await bob.init()
        poll = Deferred.fromCoroutine(bob.poll())
        await parked([self.bell], 1)
        self.assertEqual(await self.post(HOSTILE, servers.rabbitmq().url), "")
        self.assertEqual([event["body"]["text"] for event in (await poll)["events"]], [HOSTILE])
        bob.url = self.net.url
        self.assertEqual((await bob.poll(wait=2))["events"], [])
        poll = Deferred.fromCoroutine(bob.poll())
        await parked([self.net], 1)
        said = await self.post("no bell", f"amqp://guest:guest@127.0.0.1:{servers.free_port()}/%2F")
        self.assertIn("no bell, the log has it", said)
        self.assertEqual([event["body"]["text"] for event in (await poll)["events"]], ["no bell"])
        self.assertEqual(
            [post["body"]["text"] for post in (await bob.init())["posts"]], ["no bell", HOSTILE]
        )
