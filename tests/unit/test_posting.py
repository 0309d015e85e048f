"""The order of the post path: commit, then tell."""

from feedd.core.horizon import Horizon
from feedd.core.position import Position
from feedd.core.runs import runs_of
from feedd.feed.ports import Friendship, NotYours, Unavailable
from tests.unit.core import CoreCase, ids


class PostingTests(CoreCase):
    """`Posting`."""

    def setUp(self) -> None:
        super().setUp()
        self.start()

    def known(self) -> list[int]:
        """The ids that were let through here."""
        return ids(self.log.after(Position(0), {"al", "bob"}) or ())

    def test_post(self) -> None:
        """A post is committed, let through here and told to the others."""
        stored = self.now(self.posting.post("bob", b"{}", None))
        self.assertEqual(
            (self.store.rows, self.known(), self.broker.published),
            ({1: stored.event}, [1], [stored.event]),
        )

    def test_not_open(self) -> None:
        """Nothing is taken before the log is open: who has been logged out is not known."""
        self.feed.close()
        for call in (self.posting.post("bob", b"{}", None), self.posting.delete("bob", 1)):
            with self.assertRaises(Unavailable):
                self.now(call)
        self.assertEqual(self.store.rows, {})

    def test_an_id_that_comes_again(self) -> None:
        """A commit with an id that was settled before it began proves that ids go backwards."""
        self.now(self.posting.post("bob", b"{}", None))
        self.tick()
        self.store.last_id += 1  # burnt, or on its way at somebody else's
        self.now(self.posting.post("bob", b"{}", None))
        self.assertEqual((self.log.horizon.settled, self.turns.went_back), (1, 0))
        self.tick()
        self.store.rows.clear()
        self.store.last_id = 0
        stored = self.now(self.posting.post("bob", b"{}", None))
        self.assertEqual((stored.event.id, self.turns.went_back), (1, 1))

    def test_in_a_hole(self) -> None:
        """The id of a hole may still be given out: a database that was killed does."""
        self.log.settling.horizon = Horizon("k", 9, runs_of([1]))
        self.now(self.posting.post("bob", b"{}", None))
        self.assertEqual(self.turns.went_back, 0)

    def test_not_before_the_commit(self) -> None:
        """Nobody is told before the commit has been answered."""
        self.gate.shut = True
        self.spawn(self.posting.post("bob", b"{}", None))
        self.gate.step()
        self.assertEqual((self.known(), self.broker.published), ([], []))
        self.gate.open()
        self.assertEqual(self.known(), [1])

    def test_repeated(self) -> None:
        """
        A repeated Idempotency-Key is answered with the first result, and nobody is told again.
        """
        first = self.now(self.posting.post("bob", b"{}", "key"))
        again = self.now(self.posting.post("bob", b'{"other":1}', "key"))
        self.assertEqual((again, len(self.broker.published)), (first._replace(fresh=False), 1))

    def test_away(self) -> None:
        """When the database is away nothing is told."""
        self.store.away = True
        with self.assertRaises(Unavailable):
            self.now(self.posting.post("bob", b"{}", None))
        self.assertEqual((self.known(), self.broker.published), ([], []))

    def test_edit_and_delete(self) -> None:
        """Edits and deletions are told like posts."""
        stored = self.now(self.posting.post("bob", b"{}", None))
        self.now(self.posting.edit("bob", stored.post, b'{"text":"ho"}'))
        self.now(self.posting.delete("bob", stored.post))
        self.assertEqual(
            [event.kind for event in self.broker.published], ["post", "edit", "delete"]
        )
        self.assertEqual(self.known(), [1, 2, 3])

    def test_refused(self) -> None:
        """What the log refuses is not told."""
        stored = self.now(self.posting.post("bob", b"{}", None))
        with self.assertRaises(NotYours):
            self.now(self.posting.edit("al", stored.post, b"{}"))
        with self.assertRaises(NotYours):
            self.now(self.posting.delete("al", stored.post))
        self.assertEqual(len(self.broker.published), 1)

    def test_friends(self) -> None:
        """Friendships that really change are told, all of them."""
        pairs = [Friendship("al", "bob"), Friendship("bob", "al")]
        self.now(self.posting.change_friends(pairs, []))
        self.now(self.posting.change_friends(pairs[:1], pairs[1:]))
        self.assertEqual(
            [event.kind for event in self.broker.published], ["friend", "friend", "unfriend"]
        )
        self.assertEqual(self.known(), [1, 2, 3])
