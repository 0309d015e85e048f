"""A logout where the site says whose cookies they are: what it said before is not believed."""

from tests.unit.test_auth_http import Request, SiteCase, silent


class LogoutTests(SiteCase):
    """`SiteAuth.revoke`."""

    def test_forgotten(self) -> None:
        """The site is asked again, about this user only."""
        for session in (b"alice", b"bob"):
            self.user(session)
        self.auth.revoke("alice", 0)
        for session in (b"alice", b"bob"):
            self.user(session)
        self.assertEqual(len(self.site.requests), 3)

    def test_on_its_way(self) -> None:
        """An answer that was asked for before is not believed either."""
        self.site.answer = silent
        waiting = self.begin(b"alice")
        (asked,) = self.site.requests
        self.auth.revoke("alice", 0)
        self.site.answer = None
        self.finish(asked, b'{"user": "alice"}')
        self.assertEqual(self.successResultOf(waiting).user, "alice")
        self.assertEqual(len(self.site.requests), 2)
        self.user(b"alice")
        self.assertEqual(len(self.site.requests), 2)

    def test_gone_meanwhile(self) -> None:
        """When the session is over by then, so is the login."""
        self.site.answer = silent
        waiting = self.begin(b"alice")
        (asked,) = self.site.requests
        self.auth.revoke("alice", 0)
        self.site.answer = lambda request: b"{}"
        self.finish(asked, b'{"user": "alice"}')
        self.assertIn("nobody", str(self.failureResultOf(waiting).value))

    def finish(self, request: Request, body: bytes) -> None:
        """Let the site answer, and what follows from it."""
        request.write(body)
        request.finish()
        for _ in range(3):
            self.agent.flush()
            self.clock.advance(0)
