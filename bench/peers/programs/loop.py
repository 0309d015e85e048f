"""
The floor of Python: parks every GET and answers all of them with the body of a POST, in one loop of
sends.

``python loop.py PORT``. The answers have the shape and the length of feedd's, so that a client has
the same work with them. Nothing else is done: no request is read further than its first byte, no
answer is made for somebody.
"""

import select
import socket
import sys

HEAD = (
    b"HTTP/1.1 200 OK\r\nServer: TwistedWeb/26.10.0\r\nDate: Thu, 01 Jan 2026 00:00:00 "
    b"GMT\r\nVary: Origin\r\n"
    b"Content-Type: application/javascript; charset=utf-8\r\nContent-Length: "
    b"%d\r\nCache-Control: no-store\r\n"
    b"X-Content-Type-Options: nosniff\r\n\r\n%s"
)
EVENT = (
    b'/**/cb123({"events":[{"id":1043,"kind":"post","author":"author","post":1043,"body":%s,"at":1767225600000}],'
    b'"cursor":"0123456789abcdef.1042.1043~a1b2c3d4"});'
)
CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"


class Loop:
    """One epoll, the connections by their descriptors, and those that wait."""

    def __init__(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", port), backlog=8192)
        self._listener.setblocking(False)
        self._epoll = select.epoll()
        self._epoll.register(self._listener, select.EPOLLIN)
        self._connections: dict[int, socket.socket] = {}
        self._parked: list[socket.socket] = []

    def run(self) -> None:
        """Until it is killed."""
        while True:
            for descriptor, _ in self._epoll.poll(-1, 250):
                connection = self._connections.get(descriptor)
                if connection is None:
                    self._accept()
                else:
                    self._read(connection)

    def _accept(self) -> None:
        try:
            while True:
                connection, _ = self._listener.accept()
                connection.setblocking(False)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._connections[connection.fileno()] = connection
                self._epoll.register(connection, select.EPOLLIN)
        except BlockingIOError:
            return

    def _read(self, connection: socket.socket) -> None:
        data = connection.recv(16_384)
        if data.startswith(b"G"):
            self._parked.append(connection)
        elif data:
            self._publish(data.partition(b"\r\n\r\n")[2])
            connection.send(CREATED)
        else:
            del self._connections[connection.fileno()]
            connection.close()

    def _publish(self, body: bytes) -> None:
        script = EVENT % body
        answer = HEAD % (len(script), script)
        parked, self._parked = self._parked, []
        for connection in parked:
            connection.send(answer)


if __name__ == "__main__":
    Loop(int(sys.argv[1])).run()
