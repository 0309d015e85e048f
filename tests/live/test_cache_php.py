"""Friend lists in a real memcached, written by a real php-memcached, as a site of old has them."""

import json
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from feedd.cache.ring import make_hash_ring
from feedd.cache.site import SiteFriends
from feedd.feed.settings import Cache
from tests.live import servers
from tests.live.browser import Browser
from tests.live.daemon import Feedd
from tests.live.server import program
from tests.live.test_cache_memcached import LiveCase, plain
from tests.live.test_end_to_end import parked, settings

_WRITE = """
[, $ports, $options, $lists] = array_map(fn($word) => json_decode($word, true), $argv);
$memcached = new Memcached();
$memcached->setOption(Memcached::OPT_LIBKETAMA_COMPATIBLE, true);
$memcached->addServers(array_map(fn($port) => ['127.0.0.1', $port], $ports));
foreach ($options as $name => $value) {
    $memcached->setOption(constant("Memcached::$name"),
        is_string($value) ? constant("Memcached::$value") : $value);
}
foreach ($lists as $key => $list) {
    $memcached->set($key, $list) or exit($memcached->getResultMessage());
}
"""

NO_COMPRESSION = {"OPT_COMPRESSION": False}
PLAIN_PHP = NO_COMPRESSION | {"OPT_SERIALIZER": "SERIALIZER_PHP"}
LONG = [f"friend-{number:04}" for number in range(500)]


async def php_writes(ports: list[int], options: dict[str, Any], lists: dict[str, Any]) -> None:
    """Let PHP put `lists` into the memcached servers on `ports`."""
    words = [json.dumps(word) for word in (ports, options, lists)]
    out, err, code = await getProcessOutputAndValue(program("php"), ["-r", _WRITE, "--", *words])
    assert (out, err, code) == (b"", b"", 0), (out, err, code)


class PHPLists(LiveCase):
    """`SiteFriends` over what php-memcached writes, on one server and on two."""

    async def friends(self, form: str, *ports: int) -> SiteFriends:
        settings = Cache(
            url="memcached://" + ",".join(f"127.0.0.1:{port}" for port in ports),
            friends_key=self.prefix + "{user}",
            friends_format=form,
            friends_writer="site",
        )
        ring = make_hash_ring(reactor, settings, self.counters)
        ring.startService()
        self.addCleanup(ring.stopService)
        await self.until(lambda: ring.up)
        return SiteFriends(ring, self.load, settings, self.counters, reactor)

    async def written(self, form: str, options: dict[str, Any], value: object) -> tuple[str, ...]:
        """Ann's list after PHP has written `value` with these options."""
        port = servers.memcached().port
        await php_writes([port], options, {self.prefix + "ann": value})
        return await (await self.friends(form, port)).of("ann")

    def flags(self) -> bytes:
        """The flags that Ann's value has in memcached."""
        return plain(servers.memcached().port, b"get " + self.key("ann")).split()[2]

    async def test_formats(self) -> None:
        """serialize(), JSON, and text with commas are read as php-memcached stores them."""
        as_json = NO_COMPRESSION | {"OPT_SERIALIZER": "SERIALIZER_JSON"}
        for form, options, value, flags in (
            ("php", PLAIN_PHP, ["cid", 17, "ann"], b"4"),
            ("php", PLAIN_PHP, {"3": "cid", "9": 17}, b"4"),
            ("json", as_json, ["cid", 17, "ann"], b"6"),
            ("comma", NO_COMPRESSION, "cid,17,ann", b"0"),
        ):
            self.assertEqual(await self.written(form, options, value), ("17", "cid"))
            self.assertEqual(self.flags(), flags)
        self.assertEqual(await self.written("php", PLAIN_PHP, LONG), tuple(LONG))
        self.assertEqual(await self.written("comma", NO_COMPRESSION, 17), ("17",))
        self.assertEqual(self.load.calls, [])

    async def test_compressed(self) -> None:
        """What php-memcached compresses by itself is a miss, counted, and stays as it is."""
        self.load.lists["ann"] = ("bob",)
        for number, how in enumerate(("COMPRESSION_ZLIB", "COMPRESSION_FASTLZ"), 1):
            options = {"OPT_COMPRESSION": True, "OPT_COMPRESSION_TYPE": how}
            self.assertEqual(await self.written("php", options, LONG), ("bob",))
            flags = self.flags()
            self.assertEqual((how, int(flags) & 0x10), (how, 0x10))
            self.assertEqual(self.counters["cache_compressed"], number)
        self.assertEqual(self.counters["cache_unreadable"], 0)

    async def test_igbinary(self) -> None:
        """A list that igbinary has packed is a miss, counted."""
        self.load.lists["ann"] = ("bob",)
        options = NO_COMPRESSION | {"OPT_SERIALIZER": "SERIALIZER_IGBINARY"}
        self.assertEqual(await self.written("php", options, ["cid"]), ("bob",))
        self.assertEqual(self.counters["cache_unreadable"], 1)

    async def test_same_ring(self) -> None:
        """With several servers PHP's ketama and feedd's agree where each list is."""
        two = servers.Memcached().start(), servers.Memcached().start()
        for server in two:
            self.addCleanup(server.kill)
        ports = [server.port for server in two]
        viewers = [f"v{number}" for number in range(40)]
        await php_writes(ports, PLAIN_PHP, {self.prefix + viewer: ["cid"] for viewer in viewers})
        friends = await self.friends("php", *ports)
        self.assertEqual([await friends.of(viewer) for viewer in viewers], [("cid",)] * 40)
        for server in two:
            self.assertNotIn(b"STAT curr_items 0\r\n", plain(server.port, b"stats"))


class Daemon(TestCase):
    """A whole feedd beside a site that keeps its friend lists in memcached."""

    timeout = 90

    async def test_hears_whom_the_site_lists(self) -> None:
        """
        Bob hears alice by the list that PHP wrote; a change that feedd is told of counts at once,
        though the list is late, and the list stays.
        """
        config = settings(servers.mariadb().database())
        key = config.rpartition('friends_key = "')[2].split('"')[0].replace("{user}", "bob")
        feedd = Feedd(config + 'friends_format = "php"\nfriends_writer = "site"\n')
        self.addCleanup(feedd.stop)
        feedd.start()
        port = servers.memcached().port
        await php_writes([port], PLAIN_PHP, {key: ["alice", "no such user"]})
        alice, bob = (Browser(reactor, feedd.url, user) for user in ("alice", "bob"))
        self.assertEqual((await bob.init())["friends"], ["alice"])
        poll = Deferred.fromCoroutine(bob.poll())
        await parked([feedd], 1)
        await alice.post("heard")
        self.assertEqual([event["body"]["text"] for event in (await poll)["events"]], ["heard"])
        for remove in (False, True):  # friendships had no row of it, and what changes is told
            await bob.befriend("alice", remove)
        page = await bob.init()
        self.assertEqual((page["friends"], page["posts"]), ([], []))
        self.assertIn(b'"alice"', plain(port, b"get " + key.encode()))
        self.assertGreater(feedd.details()["counters"]["cache_names_left_out"], 0)
