"""A process that can open no more files says so, and is well again by itself."""

import http.client
import json
import os
import resource
import time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.live.daemon import Feedd


class ExhaustedTests(SynchronousTestCase):
    """The limit of open files is reached."""

    def setUp(self) -> None:
        self.feedd = Feedd().start()
        self.addCleanup(self.feedd.stop)
        self.kept = http.client.HTTPConnection(self.feedd.host, self.feedd.port, timeout=20)
        self.addCleanup(self.kept.close)
        self.files()

    def files(self) -> Any:
        """The state of the files, asked for on a connection that was there before."""
        self.kept.request("GET", "/status", headers={"Authorization": "Bearer demo"})
        status = json.loads(self.kept.getresponse().read())
        self.counted = status["counters"].get("files_exhausted", 0)
        return status["parts"]["files"]

    def within(self, seconds: float, is_up: bool) -> None:
        """Wait until it is said so."""
        deadline = time.monotonic() + seconds
        while self.files()["up"] != is_up:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def test_exhausted_and_back(self) -> None:
        """It is said within two seconds, in the system's words, counted, and over when it is."""
        before = resource.prlimit(self.feedd.pid, resource.RLIMIT_NOFILE)
        used = max(map(int, os.listdir(f"/proc/{self.feedd.pid}/fd"))) + 1
        resource.prlimit(self.feedd.pid, resource.RLIMIT_NOFILE, (used, before[1]))
        fill = [
            http.client.HTTPConnection(self.feedd.host, self.feedd.port, timeout=5)
            for _ in range(used)
        ]
        for connection in fill:
            self.addCleanup(connection.close)
            connection.connect()
        self.within(2.0, False)
        self.assertIn("Too many open files", self.files()["trouble"])
        self.assertGreater(self.counted, 0)
        resource.prlimit(self.feedd.pid, resource.RLIMIT_NOFILE, before)
        self.within(2.0, True)
