"""Posts, as far as they need no database."""

from twisted.trial.unittest import SynchronousTestCase

from feedd.store.tables.posts import stored_key


class KeyTests(SynchronousTestCase):
    """`stored_key`."""

    def test_keys(self) -> None:
        """A plain key is stored as it is; a long or odd one as a digest, one for each."""
        self.assertEqual(stored_key("a" * 200), "a" * 200)
        odd = ["a" * 201, "a" * 202, "é", "e\u0301", "\udc80"]
        self.assertEqual(len({stored_key(key) for key in odd}), len(odd))
        self.assertTrue(all(len(stored_key(key)) <= 200 for key in odd))
