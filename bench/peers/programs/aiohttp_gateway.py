"""
A peer of feedd: aiohttp, aio-pika and uvloop. ``aiohttp_gateway.py PORT AMQP_URL``; no login, no
friends, no database.
"""

import asyncio
import contextlib
import json
import sys

import aio_pika
import uvloop
from aiohttp import web

HOLD_SECONDS = 50
BACKLOG = 20_000
EXCHANGE = "aiohttp_feedExchange"


class Gateway:
    """Every poll hears every message."""

    def __init__(self) -> None:
        self._parked: dict[asyncio.Future[None], None] = {}
        self._messages: list[object] = []

    async def connect(self, url: str) -> None:
        """Hear the exchange, on a queue of this process."""
        channel = await (await aio_pika.connect(url)).channel()
        self._exchange = await channel.declare_exchange(EXCHANGE, "fanout", durable=True)
        queue = await channel.declare_queue("", exclusive=True)
        await queue.bind(self._exchange)
        await queue.consume(self._heard, no_ack=True)

    async def _heard(self, message: aio_pika.abc.AbstractIncomingMessage) -> None:
        self._messages.append(json.loads(message.body))
        for parked in list(self._parked):
            if not parked.done():
                parked.set_result(None)

    async def poll(self, request: web.Request) -> web.Response:
        """GET /poll?callback=…&since=…, as JSONP."""
        since = int(request.query.get("since") or len(self._messages))
        if since >= len(self._messages):
            await self._wait()
        answer = json.dumps({"cursor": len(self._messages), "items": self._messages[since:]})
        return web.Response(
            text=f"/**/{request.query['callback']}({answer});",
            content_type="application/javascript",
        )

    async def _wait(self) -> None:
        parked = asyncio.get_running_loop().create_future()
        self._parked[parked] = None
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(parked, HOLD_SECONDS)
        finally:
            del self._parked[parked]

    async def publish(self, request: web.Request) -> web.Response:
        """POST /pub."""
        await self._exchange.publish(aio_pika.Message(await request.read()), "")
        return web.Response(text="ok")


async def main(port: int, url: str) -> None:
    """Serve for ever."""
    gateway = Gateway()
    await gateway.connect(url)
    application = web.Application()
    application.router.add_get("/poll", gateway.poll)
    application.router.add_post("/pub", gateway.publish)
    runner = web.AppRunner(application, access_log=None, keepalive_timeout=300)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=BACKLOG).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2]))
