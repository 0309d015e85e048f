"""
The site that says whose cookies they are, ``python -m bench.attacks.site PORT``: those that end
with ``.good`` are the user's whose name stands before it.
"""

import asyncio
import re
import sys

ANSWER_SECONDS = 0.01

_SESSION = re.compile(rb"session=([a-z0-9]+)\.good")


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of a connection."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(ANSWER_SECONDS)
            found = _SESSION.search(head)
            body = b'{"user":"%b"}' % found[1] if found else b""
            status = b"200 OK" if found else b"401 Unauthorized"
            writer.write(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def serve(port: int) -> None:
    """Listen for ever."""
    server = await asyncio.start_server(answer, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
