"""A socket whose time limits the kernel keeps."""

import socket

from twisted.trial.unittest import SynchronousTestCase

from feedd.store.database.timed_socket import TimedSocket

SECONDS = 0.01


class TimedSocketTests(SynchronousTestCase):
    """One end of a pair, whose other end is the test's."""

    def setUp(self) -> None:
        ours, self.peer = socket.socketpair()
        self.timed = TimedSocket(ours, SECONDS)
        self.addCleanup(self.peer.close)
        self.addCleanup(self.timed.close)

    def test_passes_bytes(self) -> None:
        """What is sent arrives, and what arrives is read, also through a file."""
        self.timed.sendall(b"INSERT")
        self.assertEqual(self.peer.recv(100), b"INSERT")
        self.peer.sendall(b"OK")
        with self.timed.makefile("rb") as file:
            self.assertEqual(file.read(2), b"OK")

    def test_no_answer(self) -> None:
        """
        A file of a peer that says nothing raises what it raises with `settimeout`, and not "nothing
        there".
        """
        self.peer.sendall(b"O")
        with self.timed.makefile("rb") as file:
            self.assertRaises(TimeoutError, file.read, 2)

    def test_takes_nothing(self) -> None:
        """A peer that reads nothing is not waited for for ever."""
        self.assertRaises(TimeoutError, self.timed.sendall, b"x" * 10_000_000)

    def test_python_keeps_no_time(self) -> None:
        """
        Python asks no poll() before each call: that is what it is for. What it was made of is
        empty.
        """
        self.assertIsNone(self.timed.gettimeout())
        self.assertTrue(self.timed.getblocking())
        ours, peer = socket.socketpair()
        self.addCleanup(peer.close)
        ours.settimeout(1)
        timed = TimedSocket(ours, SECONDS)
        self.addCleanup(timed.close)
        self.assertEqual(ours.fileno(), -1)
        self.assertRaises(TimeoutError, timed.recv_into, bytearray(1))
