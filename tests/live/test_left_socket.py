"""A UNIX socket on which somebody listens, told from one that was left."""

import socket
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from feedd.web.server.listening import is_answered


class AnsweredTests(SynchronousTestCase):
    """`is_answered`."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()  # trial's own may be too deep for the name of a socket
        self.addCleanup(folder.cleanup)
        self.path = str(Path(folder.name) / "socket")

    def listener(self) -> socket.socket:
        """A socket that listens, and takes one connection into its queue."""
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(self.path)
        listener.listen(0)
        return listener

    def test_listens(self) -> None:
        """One that listens is found, however many wait for it already."""
        self.listener()
        self.assertEqual([is_answered(self.path) for _ in range(5)], [True] * 5)

    def test_left(self) -> None:
        """One whose process is gone is not; nor is what was never there, or is no socket."""
        self.assertFalse(is_answered(self.path))
        self.listener().close()
        self.assertFalse(is_answered(self.path))
        Path(self.path).unlink()
        Path(self.path).write_text("")
        self.assertFalse(is_answered(self.path))

    def test_clients_wait(self) -> None:
        """One whose queue is full is."""
        self.listener()
        clients = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        for client in clients:
            self.addCleanup(client.close)
            client.setblocking(False)
            client.connect_ex(self.path)
        self.assertTrue(is_answered(self.path))
