"""The server as a whole: how many connections there may be, and of which kind."""

from feedd.feed.settings import HTTP
from tests.browser import House, WebTestCase


class NumberTests(WebTestCase):
    """There are so many connections and no more."""

    def setUp(self) -> None:
        self.use(House(http=HTTP(max_connections=2)))

    def test_full(self) -> None:
        """One too many is closed at once, and counted."""
        self.assertTrue(self.browse().open)
        self.assertFalse(self.browse().open)
        self.assertEqual(self.house.counters["http_connections_refused"], 1)

    def test_room_again(self) -> None:
        """When one has gone there is room for another."""
        self.browse().lose()
        self.assertTrue(self.browse().open)


class ProtocolTests(WebTestCase):
    """The protocols that it speaks."""

    def test_http_1_1_only(self) -> None:
        """TLS never negotiates HTTP/2."""
        self.assertEqual(self.house.site.acceptableProtocols(), [b"http/1.1"])
