"""
The broker on a real RabbitMQ: the contract, producers that are not feedd, poison, TLS, and logins
that are refused.
"""

import json
from collections.abc import Coroutine
from typing import Any

import pika
from twisted.internet.defer import Deferred

from feedd.amqp.broker import AMQPBroker
from feedd.core.event import make_event
from feedd.feed.ports import Broker
from tests.contracts.broker import BrokerContract, posts, someone
from tests.live.amqp import EXCHANGE, BrokerTestCase, Stranger

PAYLOAD = b'{"message": "This is the message payload"}'


class AMQPBrokerTests(BrokerContract, BrokerTestCase):
    """The contract, over RabbitMQ, an exchange for each author."""

    settings: dict[str, Any] = {}  # noqa: RUF012

    def drive(self, test: Coroutine[Deferred[Any], Any, None]) -> Deferred[None]:
        return Deferred.fromCoroutine(test)

    async def broker(self) -> Broker:
        return await self.up(**self.settings)

    async def send_away(self, broker: AMQPBroker) -> None:
        await broker.stopService()


class ShardedBrokerTests(AMQPBrokerTests):
    """The contract, over RabbitMQ, a few exchanges for all authors."""

    settings = {"exchange": "feed.{shard}", "shards": 4}  # noqa: RUF012


class TwoProcessTests(BrokerTestCase):
    """Two processes."""

    async def test_heard_by_the_other(self) -> None:
        """What one publishes the other hears, and with confirms nothing is lost on the way."""
        author = someone()
        await self.up(author)
        publisher = await self.up()
        publisher.publish(posts(author, 1000))
        await self.wait_for(1000)
        self.assertEqual(self.counters.snapshot(), {})

    async def test_exchange_deleted(self) -> None:
        """An exchange that somebody deletes is there again after the next publish."""
        author = someone()
        broker = await self.up(author)
        stranger = Stranger(self.rabbit)
        stranger.channel.exchange_delete(EXCHANGE.replace("{user}", author))
        stranger.close()
        broker.publish(posts(author))
        await self.until(lambda: self.counters["amqp_publish_lost"] == 1)
        await broker.when_idle()
        broker.publish(posts(author, first=2))
        await self.wait_for(1)
        self.assertEqual((self.heard[0].id, broker.trouble), (2, ""))

    async def test_many_authors(self) -> None:
        """Five hundred authors, bound and unbound in batches; the exchanges stay."""
        authors = [someone() for _ in range(500)]
        broker = await self.up(*authors)
        broker.publish([event for author in authors for event in posts(author)])
        await self.wait_for(500)


class ProducerTests(BrokerTestCase):
    """Producers that are not feedd."""

    async def test_payload_of_2011(self) -> None:
        """The old producer's message arrives as a live event of kind message."""
        author = someone()
        await self.up(author)
        stranger = Stranger(self.rabbit)
        stranger.publish(
            author, PAYLOAD, pika.BasicProperties(message_id="m1", timestamp=1_700_000_000)
        )
        stranger.close()
        await self.wait_for(1)
        event = json.loads(self.heard[0].json)
        self.assertLess(event.pop("id"), 0)
        expected = {
            "kind": "message",
            "author": author,
            "post": None,
            "body": json.loads(PAYLOAD),
            "at": 1_700_000_000_000,
        }
        self.assertEqual(event, expected)

    async def test_exchange_declared_otherwise(self) -> None:
        """
        An exchange that was declared not durable is used as it is, and so is one of another type;
        all others are bound.
        """
        authors = [someone() for _ in range(5)]
        stranger = Stranger(self.rabbit)
        stranger.channel.exchange_declare(
            EXCHANGE.replace("{user}", authors[1]), "fanout", auto_delete=True
        )
        stranger.channel.exchange_declare(
            EXCHANGE.replace("{user}", authors[3]), "topic", durable=True
        )
        broker = await self.up(*authors)
        for author in authors:
            stranger.publish(author, PAYLOAD, routing_key="some.key")
        stranger.close()
        await self.wait_for(5)
        broker.publish(posts(authors[1]))
        await self.wait_for(6)
        self.assertEqual(self.counters.snapshot(), {})

    async def test_poison(self) -> None:
        """
        Messages that break other clients are counted or delivered, on the same connection, and the
        next one arrives.
        """
        author = someone()
        flips: list[int] = []
        await self.up(author, changed=lambda: flips.append(1))
        stranger = Stranger(self.rabbit)
        deaths: dict[str, Any] = {
            "x-death": [{"count": 3, "queue": "q", "reason": "rejected"}],
            "big": 2**40,
            "none": None,
        }
        stranger.publish(author, PAYLOAD, pika.BasicProperties(headers=deaths, message_id="1"))
        for body in (
            b"{",
            b"",
            b"\xff\xfe",
            b'"\xff"',
            b"x" * 200_000,
            b"[" * 200_000,
            b"x" * 2_000_000,
        ):
            stranger.publish(author, body)
        stranger.publish(
            author, b'"' + "😀".encode() * 50_000 + b'"', pika.BasicProperties(message_id="2")
        )
        stranger.publish(author, make_event(9, "post", "somebody-else", 1, b"{}", 1).json)
        stranger.publish(author, posts(author)[0].json)
        stranger.publish(author, PAYLOAD)
        stranger.close()
        await self.wait_for(3)
        self.assertEqual({event.kind for event in self.heard}, {"message"})
        self.assertEqual(self.hints, [1])
        self.assertEqual(
            self.counters.snapshot(),
            {"amqp_hints": 1, "amqp_too_large": 1, "amqp_unreadable": 7},
        )
        self.assertEqual(flips, [1])

    async def test_queue_is_bounded(self) -> None:
        """Our queue drops its oldest messages when it is full, and does not hold the broker up."""
        broker = await self.up(queue_length=5)
        stranger = Stranger(self.rabbit)
        queues = [
            line
            for line in self.rabbit.ctl("list_queues", "arguments").splitlines()
            if "x-max-length" in line
        ]
        stranger.close()
        self.assertTrue(
            any("x-max-length" in line and "5" in line and "drop-head" in line for line in queues),
            queues,
        )
        self.assertTrue(broker.up)


class LoginTests(BrokerTestCase):
    """Who is let in."""

    async def trouble(self, url: str, password: str = "") -> str:
        broker = self.make(url, password)
        await self.until(lambda: broker.trouble != "connecting")
        return broker.trouble

    async def test_wrong_password(self) -> None:
        """The trouble is the broker's own word, and holds no password."""
        trouble = await self.trouble(f"amqp://guest:wr0ng-s3cret@127.0.0.1:{self.rabbit.port}")
        self.assertIn("403 ACCESS_REFUSED", trouble)
        self.assertNotIn("wr0ng-s3cret", trouble)

    async def test_wrong_vhost(self) -> None:
        """So it is with a vhost that is not there."""
        trouble = await self.trouble(f"amqp://guest:guest@127.0.0.1:{self.rabbit.port}/nowhere")
        self.assertIn("530 NOT_ALLOWED - vhost nowhere not found", trouble)

    async def test_password_beside_the_url(self) -> None:
        """The password may come from a file."""
        broker = self.make(f"amqp://guest@127.0.0.1:{self.rabbit.port}", "guest")
        await self.until(lambda: broker.up)

    async def test_second_host(self) -> None:
        """When the first host is away the next one is taken."""
        broker = self.make(f"amqp://guest:guest@127.0.0.1:1,127.0.0.1:{self.rabbit.port}/%2F")
        await self.until(lambda: broker.up)
