"""Requests of nobody, of a user, and of the site's own servers."""

from tests.browser import URLS, WebTestCase


class GateTests(WebTestCase):
    """401, or the user."""

    def test_nobody(self) -> None:
        """Nobody gets nothing of a user's."""
        for path, method in URLS.items():
            if path not in ("/status", "/"):
                reply = self.web.request(method, path, b"{}")
                self.assert_refused(reply, 401, "unauthorized")
                self.assertEqual(reply.headers["WWW-Authenticate"], "Bearer")

    def test_wrong_key(self) -> None:
        """A user, or a wrong key, is not the site's server."""
        for header in ("Bearer alice", "Bearer backend-ke", "backend-key", ""):
            reply = self.web.request("POST", "/api/friendships", b"{}", {"Authorization": header})
            self.assert_refused(reply, 401, "unauthorized", "backend key")
            self.assertNotIn(b"backend-k", reply.body)

    def test_ways(self) -> None:
        """A token in the header or in the query, a name, or a cookie; also one of several."""
        for path, headers in (
            ("?token=bob", {}),
            ("?as=bob", {}),
            ("", {"Authorization": "Bearer bob"}),
            ("", {"Cookie": "a=b; user=bob"}),
        ):
            self.assertEqual(self.web.get("/feed/init" + path, headers).json["me"], "bob")

    def test_form(self) -> None:
        """Nothing in a body proves anything."""
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        self.assert_refused(
            self.web.request("POST", "/feed/posts", b"as=bob&token=bob", form), 401, "unauthorized"
        )

    def test_cookie_headers(self) -> None:
        """Several Cookie headers are one."""
        self.web.expect("GET")
        self.web.send(b"GET /feed/init HTTP/1.1\r\nCookie: a=b\r\nCookie: user=bob\r\n\r\n")
        self.assertEqual(self.web.reply().json["me"], "bob")
