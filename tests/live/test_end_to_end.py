"""
The main job on real parts: what is posted at one process answers the polls that are parked at
another.
"""

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.live import servers
from tests.live.browser import Browser
from tests.live.daemon import Feedd

HOSTILE = "héllo 😀 </script>\u2028"


def settings(database: str) -> str:
    """The shared RabbitMQ and memcached, and this database."""
    rabbitmq, memcached = servers.rabbitmq(), servers.memcached()
    return (
        f'[store]\nurl = "{database}"\n'
        f'[broker]\nurl = "{rabbitmq.url}"\n'
        f'[cache]\nurl = "memcached://{memcached.host}:{memcached.port}"\n'
        f'friends_key = "{database.rpartition("/")[2]}:friends:{{user}}"\n'
    )


async def parked(feedds: list[Feedd], polls: int) -> None:
    """Return when so many polls are parked in all."""
    watch = Browser(reactor, "", "watch")
    for _ in range(400):
        count = 0
        for feedd in feedds:
            watch.url = feedd.url
            count += (await watch.status()).json["polls"]
        if count >= polls:
            return
        await deferLater(reactor, 0.02, lambda: None)
    raise AssertionError("the polls were not parked")


class EndToEndTests(TestCase):
    """Two processes on one RabbitMQ, MariaDB and memcached."""

    timeout = 90

    def setUp(self) -> None:
        config = settings(servers.mariadb().database())
        self.feedds = [Feedd(config), Feedd(config)]
        for feedd in self.feedds:
            self.addCleanup(feedd.stop)
            feedd.start()
        self.alice = Browser(reactor, self.feedds[0].url, "alice")
        self.bob = Browser(reactor, self.feedds[1].url, "bob")

    async def test_crosses_processes(self) -> None:
        """
        A post at one process answers a JSONP poll that is parked at the other, and a page load
        shows it.
        """
        await self.alice.befriend("bob")
        await self.bob.init()
        poll = Deferred.fromCoroutine(self.bob.poll(callback="cb"))
        await parked(self.feedds, 1)
        stored = await self.alice.post(HOSTILE)
        answer = await poll
        (event,) = answer["events"]
        self.assertEqual(
            (event["id"], event["post"], event["author"]),
            (stored["event"], stored["post"], "alice"),
        )
        self.assertEqual(event["body"], {"text": HOSTILE})
        self.assertEqual((await self.bob.init())["posts"][0]["body"], {"text": HOSTILE})

    async def test_any_process_answers(self) -> None:
        """A cursor is good at the other process: nothing is skipped, nothing comes twice."""
        await self.alice.befriend("bob")
        await self.bob.init()
        seen = []
        for number in range(8):
            await self.alice.post(str(number))
            self.bob.url = self.feedds[number % 2].url
            seen += [event["body"]["text"] for event in (await self.bob.poll(wait=5))["events"]]
        self.assertEqual(seen, [str(number) for number in range(8)])

    async def test_unfriend(self) -> None:
        """
        After a friendship has ended at one process, the other delivers nothing of that friend any
        more.
        """
        await self.alice.befriend("bob")
        await self.bob.init()
        poll = Deferred.fromCoroutine(self.bob.poll())
        await parked(self.feedds, 1)
        await self.alice.befriend("bob", remove=True)
        self.assertEqual([event["kind"] for event in (await poll)["events"]], ["unfriend"])
        await self.alice.post("secret")
        self.assertEqual((await self.bob.poll(wait=3))["events"], [])
        self.assertEqual((await self.bob.init())["posts"], [])


class EmbeddedTests(TestCase):
    """The default: SQLite, no other server."""

    timeout = 60

    def setUp(self) -> None:
        self.feedd = Feedd()
        self.addCleanup(self.feedd.stop)
        self.feedd.start()
        self.alice, self.bob = (Browser(reactor, self.feedd.url, user) for user in ("alice", "bob"))

    async def test_restart(self) -> None:
        """
        A post answers the friend's parked poll; after a restart the page and the old cursor still
        have it.
        """
        await self.alice.befriend("bob")
        cursor = (await self.bob.init())["cursor"]
        poll = Deferred.fromCoroutine(self.bob.poll(callback="cb"))
        await parked([self.feedd], 1)
        await self.alice.post(HOSTILE)
        self.assertEqual([event["body"]["text"] for event in (await poll)["events"]], [HOSTILE])
        self.feedd.kill()
        self.feedd.start()
        self.assertEqual((await self.bob.init())["posts"][0]["body"]["text"], HOSTILE)
        self.bob.cursor = cursor
        self.assertEqual(
            [event["body"]["text"] for event in (await self.bob.poll(wait=0))["events"]], [HOSTILE]
        )
