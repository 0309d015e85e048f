"""
MariaDB hangs, or somebody holds a lock: everything is answered in bounded time, and what needs no
database goes on.
"""

import functools
import time
from contextlib import closing

import pika
import pymysql
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from tests.live import servers
from tests.live.harmed import HarmedCase, eventually, texts

BOUND_SECONDS = 4.0
"""A statement may take one second here, and its transaction three tries."""


@functools.cache
def private_server() -> servers.MariaDB:
    """One that may be frozen; it ends with this process."""
    return servers.MariaDB().start()


def ring(url: str, author: str, body: bytes) -> None:
    """
    Publish a message on the author's exchange, as a site's own producer does; again, it is the same
    message.
    """
    with closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
        properties = pika.BasicProperties(message_id="the bell")
        connection.channel().basic_publish(f"{author}_feedExchange", "", body, properties)


class FrozenTests(HarmedCase):
    """A database of our own."""

    processes = 1
    query_seconds = 1.0

    @property
    def mariadb(self) -> servers.MariaDB:
        return private_server()

    async def test_frozen_and_back(self) -> None:
        """
        Posts are refused in time and not stored later; hot polls and the bell go on; it heals by
        itself.
        """
        parked = await self.park(self.bob)
        self.mariadb.pause()
        try:
            posting = [
                Deferred.fromCoroutine(self.try_to_post(f"refused {number}"))
                for number in range(20)
            ]

            async def rung() -> bool:
                # A poll may be parked a moment before the exchange is bound; what is not in the log
                # is lost until then.
                await deferToThread(ring, self.rabbitmq.url, "alice", b'{"live": 1}')
                return bool(parked.called)

            await eventually(rung, "the bell answers the poll")
            answer = await parked
            self.assertEqual([event["body"] for event in answer["events"]], [{"live": 1}])
            parked = await self.park(self.bob)
            for each in posting:
                status, seconds = await each
                self.assertEqual(status, 503)
                self.assertLess(seconds, BOUND_SECONDS)
            await self.until_away(self.bob, "database")
        finally:
            self.mariadb.resume()

        async def stored() -> bool:
            return (await self.try_to_post("accepted"))[0] == 201

        await eventually(stored, "a post is taken again")
        self.assertEqual(texts(await parked), ["accepted"])
        await self.until_ready(self.bob)
        self.assertEqual(
            [post["body"]["text"] for post in (await self.bob.init())["posts"]], ["accepted"]
        )


class LockTests(HarmedCase):
    """Rows that somebody else has locked."""

    processes = 1
    query_seconds = 1.0

    def hold(self, statement: str) -> pymysql.connections.Connection:
        """A transaction that keeps what `statement` locks until it is closed."""
        name = self.database.rpartition("/")[2]
        connection = pymysql.connect(
            host=servers.HOST, port=self.mariadb.port, user="feedd", database=name
        )
        self.addCleanup(connection.close)
        with connection.cursor() as cursor:
            cursor.execute(statement)
        return connection

    async def test_post(self) -> None:
        """
        An edit of a locked post is refused in time, and others post meanwhile; it works when the
        lock has gone.
        """
        post = (await self.alice.post("first"))["post"]
        holder = self.hold(f"SELECT * FROM posts WHERE id = {post} FOR UPDATE")
        editing = Deferred.fromCoroutine(
            self.alice.ask("PATCH", f"/feed/posts/{post}", {"body": {"text": "second"}})
        )
        began = time.monotonic()
        await self.alice.post("another")
        self.assertLess(time.monotonic() - began, 1.0)
        reply = await editing
        self.assertEqual(reply.status, 503, reply.text)
        self.assertTrue(reply.headers.getRawHeaders("Retry-After"))
        self.assertLess(time.monotonic() - began, BOUND_SECONDS)
        holder.rollback()
        reply = await self.alice.ask("PATCH", f"/feed/posts/{post}", {"body": {"text": "third"}})
        self.assertEqual(reply.status, 200, reply.text)

    async def test_friendship(self) -> None:
        """So is a change of a locked friendship; the reads of it go on."""
        holder = self.hold("SELECT * FROM friendships FOR UPDATE")
        began = time.monotonic()
        remove = {"remove": [{"viewer": "alice", "friend": "bob"}]}
        reply = await self.alice.ask(
            "POST", "/api/friendships", remove, {"Authorization": "Bearer demo"}
        )
        self.assertEqual(reply.status, 503, reply.text)
        self.assertTrue(reply.headers.getRawHeaders("Retry-After"))
        self.assertLess(time.monotonic() - began, 2 * BOUND_SECONDS)
        self.assertEqual((await self.alice.ask("GET", "/feed/friends")).json["friends"], ["bob"])
        holder.rollback()
        await self.alice.befriend("bob", remove=True)
        self.assertEqual((await self.alice.ask("GET", "/feed/friends")).json["friends"], [])
