"""What goes wrong at RabbitMQ while the connection stands is noticed and repaired."""

import json
import time

from twisted.internet.threads import deferToThread

from tests.contracts.broker import posts, someone
from tests.live.amqp import BrokerTestCase, Stranger
from tests.sealed import sealed

LINGER_SECONDS = 60.0


class RepairTests(BrokerTestCase):
    """The connection stands, and nothing comes."""

    async def test_exchange_deleted(self) -> None:
        """
        An exchange that somebody deletes takes its binding along; when the net is first, it is
        declared and bound again.
        """
        author = someone()
        broker = await self.up(author, linger_seconds=LINGER_SECONDS)
        stranger = Stranger(self.rabbit)
        self.addCleanup(stranger.close)
        stranger.channel.exchange_delete(f"{author}_feedExchange")
        broker.missed(author)
        await broker.when_idle()
        (event,) = posts(author)
        stranger.publish(author, event.json, sealed(event))
        await self.wait_for(1)
        self.assertEqual(self.counters["amqp_bound_again"], 1)

    async def test_queue_deleted(self) -> None:
        """
        A consumer that the broker cancels, because its queue is gone, is replaced within seconds.
        """
        author, flips = someone(), list[bool]()
        broker = self.make(linger_seconds=LINGER_SECONDS, changed=lambda: flips.append(broker.up))
        broker.follow(author)
        await self.until(lambda: broker.up)
        listed = await deferToThread(
            self.rabbit.ctl,
            "list_bindings",
            "source_name",
            "destination_name",
            "--formatter",
            "json",
        )
        (queue,) = (
            row["destination_name"]
            for row in json.loads(listed)
            if row["source_name"] == f"{author}_feedExchange"
        )
        await deferToThread(self.rabbit.ctl, "delete_queue", queue)
        began = time.monotonic()
        await self.until(lambda: flips == [True, False, True])
        self.assertLess(time.monotonic() - began, 10)
        stranger = Stranger(self.rabbit)
        self.addCleanup(stranger.close)
        (event,) = posts(author)
        stranger.publish(author, event.json, sealed(event))
        await self.wait_for(1)
