"""
A process that does not read for a while: its queue drops the oldest messages, and the net brings
what was dropped.
"""

from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread

from tests.live.harmed import HarmedCase, eventually

POSTS = 350
POST_BYTES = 50_000
"""
In all more than the socket buffers between RabbitMQ and a process take (10 MB), so that the queue
fills.
"""

AT_ONCE = 10
"""Posts that are under way together: all must be there before the poll's client gives it up."""

QUEUE_LENGTH = 5


class OverflowTests(HarmedCase):
    """Bob's process stands still while Alice posts."""

    def _settings(self) -> str:
        direct = (
            super()
            ._settings()
            .replace(f":{self.proxies['rabbitmq'].port}/", f":{self.rabbitmq.port}/")
        )
        return direct.replace(
            "timeout_seconds = 2.0\n",
            f"timeout_seconds = 2.0\nheartbeat_seconds = 60\nqueue_length = {QUEUE_LENGTH}\n",
        )

    async def test_drop_head(self) -> None:
        """
        All posts arrive, each once; what the net brings comes after what the bell brought of later
        ones.
        """
        parked = await self.park(self.bob, wait=50)
        self.feedds[1].pause()
        try:
            for start in range(0, POSTS, AT_ONCE):
                numbers = range(start, start + AT_ONCE)
                posts = [self.alice.post(f"{number} {'x' * POST_BYTES}") for number in numbers]
                await gatherResults([Deferred.fromCoroutine(post) for post in posts])

            async def is_full() -> bool:
                return f"\t{QUEUE_LENGTH}\n" in await deferToThread(
                    self.rabbitmq.ctl, "list_queues", "name", "messages"
                )

            await eventually(is_full, "the queue is full")
        finally:
            self.feedds[1].resume()
        seen: list[int] = []
        answer: Any = await parked
        while answer["events"] or len(seen) < POSTS:
            seen += [int(event["body"]["text"].split()[0]) for event in answer["events"]]
            answer = await self.bob.poll(wait=0 if answer.get("more") else 3)
        self.assertEqual(sorted(seen), list(range(POSTS)))
