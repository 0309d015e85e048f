"""The static files."""

from tests.browser import WebTestCase


class FileTests(WebTestCase):
    """The files of the demo page."""

    def test_types(self) -> None:
        """Each has its type, and a policy that lets nothing foreign run."""
        for path, kind, content in (
            ("/", "html", b"<p>hello"),
            ("/demo.css", "css", b"p{}"),
            ("/demo.js", "javascript", b"1"),
        ):
            reply = self.web.get(path)
            self.assertEqual((reply.status, reply.body), (200, content))
            self.assertEqual(reply.headers["Content-Type"], f"text/{kind}; charset=utf-8")
            self.assertEqual(reply.headers["X-Content-Type-Options"], "nosniff")
            self.assertIn("default-src 'self'", reply.headers["Content-Security-Policy"])
            self.assertEqual(reply.headers["Cache-Control"], "no-cache")

    def test_head(self) -> None:
        """A HEAD says how long it is."""
        reply = self.web.request("HEAD", "/")
        self.assertEqual(
            (reply.status, reply.headers["Content-Length"], reply.body), (200, "8", b"")
        )
        self.assertEqual(self.web.get("/").status, 200)
