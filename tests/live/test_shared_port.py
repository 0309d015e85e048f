"""Several processes on one port."""

import http.client
import json
import time

from twisted.trial.unittest import SynchronousTestCase

from tests.live.daemon import Feedd
from tests.live.server import HOST

SHARED = "reuse_port = true\n"


class SharedPortTests(SynchronousTestCase):
    """Two processes, told apart by the epochs of their databases."""

    def setUp(self) -> None:
        self.feedds = [Feedd(http=SHARED), Feedd(http=SHARED)]
        self.port = self.feedds[1].port = self.feedds[0].port
        for feedd in self.feedds:
            self.addCleanup(feedd.stop)
            feedd.start()

    def ask(self, times: int = 1) -> set[str]:
        """
        The epochs that answer on one connection, without those of a process that has not reached
        its database yet.
        """
        connection = http.client.HTTPConnection(HOST, self.port, timeout=30)
        epochs = set()
        for _ in range(times):
            connection.request("GET", "/feed/init?as=bob")
            answer = json.loads(connection.getresponse().read())
            epochs |= {answer["cursor"].partition(".")[0]} if "cursor" in answer else set()
        connection.close()
        return epochs

    def test_both(self) -> None:
        """Both get connections, and keep those they have; when one stops, the other gets all."""
        seen: set[str] = set()
        deadline = time.monotonic() + 30
        while len(seen) < 2 and time.monotonic() < deadline:
            seen |= self.ask()
        self.assertEqual(len(seen), 2)
        self.assertEqual({len(self.ask(10)) for _ in range(10)}, {1})
        self.feedds[0].stop()
        self.assertEqual(len(set.union(*(self.ask() for _ in range(20)))), 1)
