"""The authors whom a viewer hears."""

from twisted.trial.unittest import SynchronousTestCase

from feedd.feed.authors import LONG, authors_of


class AuthorsTests(SynchronousTestCase):
    """`authors_of`."""

    def test_short_and_long(self) -> None:
        """A long list answers as the set of a short one does."""
        for count in (0, 3, LONG):
            friends = tuple(f"f{number:06}" for number in range(count))
            authors = authors_of("al", friends)
            self.assertEqual(len(authors), count + 1)
            self.assertEqual(set(authors), {"al", *friends})
            for name in ("al", *friends[:2], *friends[-2:]):
                self.assertIn(name, authors)
            for name in ("", "f", "f9", "zoe", 7):
                self.assertNotIn(name, authors)
