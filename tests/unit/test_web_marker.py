"""The read marker."""

from tests.browser import WebTestCase


class MarkerTests(WebTestCase):
    """``PUT /feed/marker``."""

    def test_forward(self) -> None:
        """The marker only moves forward; the answer says where it stands."""
        for post, stands in ((5, 5), (3, 5), (7, 7)):
            reply = self.web.request("PUT", "/feed/marker?as=bob", b'{"post":%d}' % post)
            self.assertEqual((reply.status, reply.json), (200, {"post": stands}))
