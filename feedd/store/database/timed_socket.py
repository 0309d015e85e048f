"""
A socket whose time limits the kernel keeps.

Python keeps those of `settimeout` itself: it asks poll() before each send and each receive, and
gives its lock away for that as well as for the call. With threads that talk to a database all day,
each of these is a switch from one thread to another.
"""

import socket
import struct
from typing import Any


class TimedSocket(socket.socket):
    """
    Blocks for `seconds` at most in one receive or send, then raises TimeoutError, as a socket with
    `settimeout` does.

    :param connected: is taken over; it is empty afterwards.
    """

    def __init__(self, connected: socket.socket, seconds: float) -> None:
        connected.settimeout(None)
        super().__init__(fileno=connected.detach())
        limit = struct.pack(
            "ll", *divmod(max(1, int(seconds * 1e6)), 1_000_000)
        )  # a struct timeval; 0 would be no limit
        self.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)

    def recv_into(self, *args: Any) -> int:
        """Receive into a buffer; a file made of this socket does nothing else."""
        try:
            return super().recv_into(*args)
        except (
            BlockingIOError
        ):  # the kernel's word for it; a file would take it for "nothing there yet"
            raise TimeoutError("timed out") from None

    def sendall(self, *args: Any) -> None:
        """Send all."""
        try:
            super().sendall(*args)
        except BlockingIOError:
            raise TimeoutError("timed out") from None
