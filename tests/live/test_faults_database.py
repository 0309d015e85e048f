"""
MariaDB hangs, or somebody holds a lock: everything is answered in bounded time, and what needs no
database goes on.
"""

import functools
import time
from collections.abc import Sequence
from contextlib import closing

import pika
import pymysql
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from tests.live import servers
from tests.live.harmed import HarmedCase, eventually, texts
from tests.live.mariadb import INSERT, connect

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


class ReadOnlyTests(HarmedCase):
    """A database of our own that takes no writes."""

    processes = 1

    @property
    def mariadb(self) -> servers.MariaDB:
        return private_server()

    async def prepare(self) -> None:
        """Let feedd be a user whom ``read_only`` binds."""
        user, grant = "'plain'@'127.0.0.1'", f"GRANT ALL ON {self.database.rpartition('/')[2]}.*"
        for statement in (f"CREATE USER IF NOT EXISTS {user}", f"{grant} TO {user}"):
            await deferToThread(self.mariadb.execute, statement)

    def _settings(self) -> str:
        return super()._settings().replace("feedd@", "plain@")

    def insert(self, statement: str, values: Sequence[str]) -> None:
        """Write past feedd, as an administrator, whom ``read_only`` does not bind."""
        with closing(connect(self.database)) as connection:
            connection.cursor().execute(statement.replace("'ann'", "'alice'"), values)
            connection.commit()

    async def test_read_only_and_back(self) -> None:
        """
        Posts are refused, and /status says why within a second of the first, in the server's words;
        polls and pages go on, the net too; posts are taken again by themselves.
        """
        await self.alice.post("before")
        await deferToThread(self.mariadb.execute, "SET GLOBAL read_only = 1")
        try:
            status, _ = await self.try_to_post("refused")
            self.assertEqual(status, 503)
            told = await self.alice.status()
            self.assertEqual(told.status, 503)
            self.assertIn("read-only", told.json["parts"]["database"]["trouble"])
            self.assertGreater(told.json["counters"]["store_writes_refused"], 0)
            self.assertNotIn("tail_failed", told.json["counters"])
            page = await self.bob.init()
            self.assertEqual([post["body"]["text"] for post in page["posts"]], ["before"])
            parked = await self.park(self.bob)
            await deferToThread(self.insert, INSERT, ["1"])
            self.assertEqual([event["body"] for event in (await parked)["events"]], [1])
        finally:
            await deferToThread(self.mariadb.execute, "SET GLOBAL read_only = 0")
        await self.until_ready(self.alice)
        await self.alice.post("after")


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
