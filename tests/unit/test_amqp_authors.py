"""The authors that a process follows, their exchanges, and what it remembers of them."""

from zlib import crc32

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from feedd.amqp.authors import FollowedAuthors
from feedd.amqp.exchanges import Exchanges, Remembered
from feedd.feed.settings import BadConfig

USERS = Exchanges("{user}_feedExchange", 256)
SHARDS = Exchanges("feed.{shard}", 2)


class ExchangesTests(SynchronousTestCase):
    """`Exchanges`."""

    def test_of_a_user(self) -> None:
        """The name of 2011."""
        self.assertEqual(USERS.of("alice"), b"alice_feedExchange")

    def test_shard(self) -> None:
        """
        Documented, so that a producer in another language finds the same one: crc32 of the author,
        modulo shards.
        """
        self.assertEqual(
            Exchanges("feed.{shard}", 256).of("alice"), b"feed.%d" % (crc32(b"alice") % 256)
        )
        self.assertEqual(Exchanges("feed.{shard}", 256).of("alice"), b"feed.71")

    @settings(derandomize=True, deadline=None, database=None)
    @given(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True), st.integers(1, 300))
    def test_shard_of(self, author: str, shards: int) -> None:
        """The shard of a routing key is that of its author, and is called as the template says."""
        exchanges = Exchanges("feed.{shard}", shards)
        name = b"feed.%d" % (crc32(author.encode()) % shards)
        self.assertEqual(exchanges.of(author), name)
        self.assertEqual(exchanges.shard_of(author.encode()), name)

    def test_too_long(self) -> None:
        """A name that AMQP cannot carry is refused at once, for the longest user."""
        Exchanges("é" * 90 + "{user}", 1)
        self.assertRaises(BadConfig, Exchanges, "é" * 95 + "{user}", 1)


class FollowingTests(SynchronousTestCase):
    """`FollowedAuthors`."""

    def test_follow_twice(self) -> None:
        """The second time needs nothing new."""
        authors = FollowedAuthors(USERS, 60)
        self.assertEqual(
            [authors.follow("alice"), authors.follow("alice")], [b"alice_feedExchange", None]
        )
        self.assertEqual(authors.by_name, {b"alice_feedExchange": "alice"})

    def test_lingers(self) -> None:
        """An author is kept for a while after the last interest, from the first unfollow on."""
        authors = FollowedAuthors(USERS, 60)
        authors.follow("alice")
        authors.unfollow("alice", 100)
        authors.unfollow("alice", 130)
        self.assertEqual(
            (authors.next_expiry(), authors.expire(159), len(authors.by_name)), (160, [], 1)
        )
        self.assertEqual((authors.expire(160), authors.by_name), ([b"alice_feedExchange"], {}))
        self.assertIsNone(authors.next_expiry())

    def test_comes_back(self) -> None:
        """An author who is followed again while lingering stays, and lingers anew later."""
        authors = FollowedAuthors(USERS, 60)
        for author in ("alice", "bob"):
            authors.follow(author)
            authors.unfollow(author, 0)
        self.assertIsNone(authors.follow("alice"))
        self.assertEqual(authors.expire(1000), [b"bob_feedExchange"])
        self.assertTrue(authors.needs(b"alice_feedExchange"))

    def test_never_followed(self) -> None:
        """Unfollowing a stranger is nothing."""
        authors = FollowedAuthors(USERS, 60)
        authors.unfollow("alice", 0)
        self.assertIsNone(authors.next_expiry())

    def test_shard_is_counted(self) -> None:
        """
        A shard is needed as long as one of its authors is; authors are told apart by the routing
        key.
        """
        authors = FollowedAuthors(SHARDS, 0)
        same = [name for name in map(str, range(20)) if SHARDS.of(name) == b"feed.0"][:2]
        self.assertEqual([authors.follow(author) for author in same], [b"feed.0", None])
        self.assertEqual(authors.by_name, {author.encode(): author for author in same})
        authors.unfollow(same[0], 0)
        self.assertEqual((authors.expire(0), authors.needs(b"feed.0")), ([], True))
        authors.unfollow(same[1], 0)
        self.assertEqual((authors.expire(0), authors.needed()), ([b"feed.0"], []))

    @given(st.lists(st.tuples(st.sampled_from("fue"), st.sampled_from("abcd"), st.integers(0, 5))))
    def test_any_order(self, steps: list[tuple[str, str, int]]) -> None:
        """Whatever happens in whatever order, needed is what is followed or lingers."""
        authors, now, ends = FollowedAuthors(SHARDS, 3), 0, dict[str, float]()
        for step, author, later in steps:
            now += later
            if step == "f":
                authors.follow(author)
                ends[author] = float("inf")
            elif step == "u" and author in ends:
                authors.unfollow(author, now)
                ends[author] = min(ends[author], now + 3)
            elif step == "e":
                authors.expire(now)
                ends = {author: end for author, end in ends.items() if end > now}
            self.assertEqual(set(authors.by_name), {author.encode() for author in ends})
            self.assertEqual(set(authors.needed()), {SHARDS.of(author) for author in ends})


class RememberedTests(SynchronousTestCase):
    """`Remembered`."""

    def test_bound(self) -> None:
        """The oldest is forgotten; adding again makes it new."""
        remembered = Remembered(2)
        for name in (b"a", b"b", b"a", b"c"):
            remembered.add(name)
        self.assertEqual(list(remembered), [b"a", b"c"])
        remembered.discard(b"a")
        self.assertEqual((b"a" in remembered, len(remembered)), (False, 1))
        remembered.clear()
        self.assertEqual(len(remembered), 0)
