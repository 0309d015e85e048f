"""The address of the database."""

import os

from twisted.trial.unittest import SynchronousTestCase

from feedd.feed.settings import BadConfig
from feedd.store.database.address import FileAddress, ServerAddress, parse_address

SERVER = ServerAddress("db", 3306, "feedd", "", "feed", False, None)


class AddressTests(SynchronousTestCase):
    """``store.url``."""

    def test_a_file(self) -> None:
        """Relative to where the daemon was started, or absolute."""
        self.assertEqual(
            parse_address("sqlite:feedd.sqlite", ""), FileAddress(os.path.abspath("feedd.sqlite"))
        )
        self.assertEqual(
            parse_address("sqlite:/var/lib/a%20b", "unused"), FileAddress("/var/lib/a%20b")
        )

    def test_a_server(self) -> None:
        """The port has a default; names and passwords may be written with percent signs."""
        self.assertEqual(parse_address("mysql://feedd@db/feed", ""), SERVER)
        self.assertEqual(
            parse_address("mysqls://a%40b:p%2Fw%3A@[::1]:3307/my%20feed?ca=/etc/ca.pem", ""),
            ServerAddress("::1", 3307, "a@b", "p/w:", "my feed", True, "/etc/ca.pem"),
        )

    def test_the_password_of_the_file_wins(self) -> None:
        """The password of the file wins over the one in the URL, and is taken as it is."""
        address = parse_address("mysql://feedd:url@db/feed", "fi%6Ce")
        self.assertEqual(address, SERVER._replace(password="fi%6Ce"))

    def test_what_cannot_be_used(self) -> None:
        """A URL that cannot be used is named as the mistake, without the password."""
        for url in (
            "sqlite:",
            "sqlite::memory:",
            "sqlite:file:x?mode=memory",
            "postgres://feedd:geheim@db/feed",
            "mysql://feedd:geheim@db",
            "mysql://feedd:geheim@db/",
            "mysql://feedd:geheim@db/a/b",
            "mysql://feedd:geheim@db:port/feed",
            "mysql://feedd:geheim@db:99999/feed",
            "mysql://:geheim@db/feed",
            "mysql://feedd:geheim@/feed",
            "mysql://feedd:geheim@db/feed?sslmode=none",
        ):
            error = self.assertRaises(BadConfig, parse_address, url, "geheim2")
            self.assertIn("store.url", str(error))
            self.assertNotIn("geheim", str(error))

    def test_the_password_is_not_shown(self) -> None:
        """An address does not show its password, not even in a traceback."""
        self.assertEqual(repr(SERVER._replace(password="geheim")), "<feedd at db:3306/feed>")
