"""The read marker."""

from tests.browser import KEY, WebTestCase


class MarkerTests(WebTestCase):
    """``PUT /feed/marker``."""

    def test_forward(self) -> None:
        """The marker only moves forward; the answer says where it stands."""
        for post, stands in ((5, 5), (3, 5), (7, 7)):
            reply = self.web.request("PUT", "/feed/marker?as=bob", b'{"post":%d}' % post)
            self.assertEqual((reply.status, reply.json), (200, {"post": stands}))


class BackendTests(WebTestCase):
    """``PUT /api/markers/<user>``."""

    def test_set(self) -> None:
        """The site's own servers set a user's marker, also back to before the first post."""
        for post in (7, 3, 0):
            body = b'{"post":%d}' % post
            reply = self.web.request("PUT", "/api/markers/bob", body, KEY)
            self.assertEqual((reply.status, reply.json), (200, {"post": post}))
            reply = self.web.request("PUT", "/feed/marker?as=bob", b'{"post":1}')
            self.assertEqual(reply.json, {"post": max(post, 1)})

    def test_refused(self) -> None:
        """Nobody else does, and not to what is no id of a post."""
        for headers in ({}, {"Authorization": "Bearer bob"}):
            reply = self.web.request("PUT", "/api/markers/bob?as=bob", b'{"post":1}', headers)
            self.assert_refused(reply, 401, "unauthorized")
        for body in (b'{"post":-1}', b'{"post":%d}' % 2**53, b"{}", b'{"post":"1"}'):
            reply = self.web.request("PUT", "/api/markers/bob", body, KEY)
            self.assert_refused(reply, 400, "bad_argument", "post")
        reply = self.web.request("PUT", "/api/markers/a%20b", b'{"post":1}', KEY)
        self.assert_refused(reply, 400, "bad_argument", "user")
        self.assertEqual(self.house.store.asked["set_mark"], 0)
