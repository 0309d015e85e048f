"""Somebody who may publish on the vhost, and is no writer of the log."""

import json
from typing import Any

import pika
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.live import servers
from tests.live.amqp import Stranger
from tests.live.browser import Browser
from tests.live.daemon import Feedd
from tests.live.test_end_to_end import parked, settings
from tests.live.test_example_producer import BELL_ONLY


def bell_only(database: str) -> str:
    """A process that nothing but the bell tells of others' posts."""
    return settings(database).replace("[broker]", f"{BELL_ONLY}[broker]")


class HostileProducerTests(TestCase):
    """alice and eve at one process, bob at another one that has the bell only."""

    timeout = 120

    def setUp(self) -> None:
        self.database = servers.mariadb().database()
        self.feedds = [Feedd(settings(self.database)), Feedd(bell_only(self.database))]
        for feedd in self.feedds:
            self.start(feedd)
        self.alice, self.eve = (
            Browser(reactor, self.feedds[0].url, name) for name in ("alice", "eve")
        )
        self.bob = Browser(reactor, self.feedds[1].url, "bob")
        self.stranger = Stranger(servers.rabbitmq())
        self.addCleanup(self.stranger.close)

    def start(self, feedd: Feedd) -> Feedd:
        self.addCleanup(feedd.stop)
        feedd.start()
        return feedd

    def ring(self, on: str, properties: Any = None, **event: object) -> None:
        """Publish this on the exchange of `on`."""
        self.stranger.publish(on, json.dumps(event).encode(), properties)

    async def told(self, events: int) -> list[Any]:
        """The texts, else the bodies, of the next events that bob is told."""
        told: list[Any] = []
        while len(told) < events:
            told += [event["body"] for event in (await self.bob.poll())["events"]]
        return [body.get("text", body) for body in told]

    async def test_hides_befriends_and_spoils_nothing(self) -> None:
        """
        Events that are not in the log are told to nobody, hide no post, make no friends and leave
        every cursor usable.
        """
        await self.alice.befriend("bob")
        await self.bob.init()
        poll = Deferred.fromCoroutine(self.told(1))
        await parked(self.feedds, 1)
        last = (await self.eve.post("to learn the last id"))["event"]
        fake = {"kind": "post", "author": "alice", "post": 1, "body": {"text": "fake"}, "at": 1}
        for id in (*[last + 1] * 40, *range(2**52, 2**52 + 250)):
            self.ring("alice", id=id, **fake)
        self.ring("alice", id=last + 2, **(fake | {"post": int("4" * 400)}))
        befriend = {"kind": "friend", "author": "bob", "body": {"friend": "eve"}, "at": 1}
        for id in (last + 1, 2**53 - 1):
            self.ring("bob", id=id, **befriend)
        await self.eve.post("for friends only")
        await self.alice.post("one")
        self.assertEqual(await poll, ["one"])
        await self.alice.post("two")
        self.assertEqual(await self.told(1), ["two"])
        self.assertEqual((await self.bob.init())["friends"], ["alice"])

    async def test_another_database(self) -> None:
        """Staging on the same vhost is not heard in production, not even as a hint."""
        staging = self.start(Feedd(settings(servers.mariadb().database())))
        await self.alice.befriend("bob")
        await self.bob.init()
        poll = Deferred.fromCoroutine(self.told(1))
        await parked(self.feedds, 1)
        other = Browser(reactor, staging.url, "alice")
        for number in range(5):
            await other.post(f"staging {number}")
        await self.alice.post("production")
        self.assertEqual(await poll, ["production"])
        status = (await self.bob.status()).json
        self.assertEqual(status["counters"]["amqp_other_seal"], 5)

    async def test_equal_messages(self) -> None:
        """Twenty that are equal are twenty; a message-id makes two the same."""
        await self.alice.befriend("bob")
        await self.bob.init()
        poll = Deferred.fromCoroutine(self.told(21))
        await parked(self.feedds, 1)
        for _ in range(20):
            self.ring("alice", message="hello")
        for _ in range(2):
            self.ring("alice", pika.BasicProperties(message_id="m"), message="once")
        told = await poll
        self.assertEqual(told, [{"message": "hello"}] * 20 + [{"message": "once"}])
