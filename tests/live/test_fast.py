"""
Parked polls on real sockets: what comes, or ends, while the batch reader reads.
"""

import json
import socket
import struct
import time
import urllib.request
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.live.daemon import Feedd

INIT = b"GET /feed/init?as=bob HTTP/1.1\r\nHost: h\r\n\r\n"


class WatchTests(SynchronousTestCase):
    """Polls of bob at the embedded default, on connections made by hand."""

    def setUp(self) -> None:
        self.feedd = Feedd()
        self.addCleanup(self.feedd.stop)
        self.feedd.start()

    def connect(self) -> socket.socket:
        """A connection, on which nothing takes for ever."""
        connection = socket.create_connection((self.feedd.host, self.feedd.port), 20)
        self.addCleanup(connection.close)
        return connection

    def park(self) -> socket.socket:
        """A connection on which a poll of bob is parked."""
        connection, parked = self.connect(), self.polls()
        connection.sendall(INIT)
        connection.sendall(self.poll(self.answer(connection)["cursor"]))
        self.wait_for(parked + 1)
        return connection

    def poll(self, cursor: str) -> bytes:
        """A poll of bob."""
        return f"GET /feed/poll?as=bob&cursor={cursor} HTTP/1.1\r\nHost: h\r\n\r\n".encode()

    def answer(self, connection: socket.socket) -> Any:
        """The body of the next answer."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.receive(connection, 1)
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        while len(body) < length:
            body += self.receive(connection, length - len(body))
        return json.loads(body)

    def receive(self, connection: socket.socket, most: int) -> bytes:
        """Some bytes, which must come."""
        data = connection.recv(most)
        self.assertNotEqual(data, b"")
        return data

    def post(self) -> int:
        """A post of bob; returns its event's id."""
        body = b'{"body":{"text":"hi"}}'
        asked = urllib.request.Request(f"{self.feedd.url}/feed/posts?as=bob", body)
        with urllib.request.urlopen(asked, timeout=20) as answer:
            event: int = json.load(answer)["event"]
        return event

    def polls(self) -> int:
        """How many are parked."""
        return int(self.feedd.details()["polls"])

    def wait_for(self, polls: int) -> None:
        """Return when so many are parked."""
        deadline = time.monotonic() + 20
        while self.polls() != polls:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)

    def test_over_and_over(self) -> None:
        """A hundred polls on each of three connections, each answered with its event."""
        connections = [self.park() for _ in range(3)]
        for _ in range(100):
            event = self.post()
            for connection in connections:
                answer = self.answer(connection)
                self.assertEqual([each["id"] for each in answer["events"]], [event])
                connection.sendall(self.poll(answer["cursor"]))
            self.wait_for(3)

    def test_gone(self) -> None:
        """A client that hangs up, and may still read its answer, or is cut off, leaves no poll."""
        ended = self.park()
        cut = self.park()
        cut.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        cut.close()
        self.wait_for(1)
        ended.shutdown(socket.SHUT_WR)
        self.wait_for(0)
        self.assertEqual(self.answer(ended)["events"], [])
        self.assertEqual(ended.recv(1), b"")

    def test_something_else(self) -> None:
        """
        What comes behind a parked poll, in pieces, is answered behind it; so is what is no poll,
        and no HTTP.
        """
        connection = self.park()
        for byte in INIT:
            connection.sendall(bytes([byte]))
        event = self.post()
        self.assertEqual([each["id"] for each in self.answer(connection)["events"]], [event])
        cursor = self.answer(connection)["cursor"]
        connection.sendall(self.poll(cursor))
        self.wait_for(1)
        connection.sendall(b"\x00\r\n\r\n")
        self.post()
        self.assertEqual(len(self.answer(connection)["events"]), 1)
        self.assertIn(b"400 Bad Request", self.receive(connection, 100))

    def test_too_much_behind(self) -> None:
        """
        Who sends on and on behind a parked poll is read no further, and answered when the poll is.
        """
        connection = self.park()
        number = 2000
        connection.setblocking(False)
        sent = 0
        try:
            while sent < number * len(INIT):
                sent += connection.send((INIT * number)[sent:])
        except BlockingIOError:
            pass
        connection.setblocking(True)
        connection.settimeout(20)
        self.assertEqual(self.polls(), 1)
        self.post()
        self.assertEqual(len(self.answer(connection)["events"]), 1)
        for _ in range(sent // len(INIT)):
            self.assertEqual(self.answer(connection)["me"], "bob")

    def test_stop(self) -> None:
        """When feedd stops, those who are parked are not left waiting."""
        connection = self.park()
        self.feedd.stop()
        self.assertEqual(connection.recv(1), b"")
