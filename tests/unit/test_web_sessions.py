"""The end of a user's sessions, which the site's own servers ask for."""

from tests.browser import KEY, WebTestCase


class SessionsTests(WebTestCase):
    """``DELETE /api/sessions/<user>``."""

    def test_all(self) -> None:
        """
        All tabs of the user end, parked or not, and their cursors are good for a login after it.
        """
        tabs = [self.cursor() for _ in range(3)]
        self.web.ask("GET", f"/feed/poll?as=bob&cursor={tabs[0]}")
        reply = self.browse().request("DELETE", "/api/sessions/bob", None, KEY)
        self.assertEqual((reply.status, reply.json["ended"]), (200, 3))
        self.assertEqual(self.house.authenticator.revoked, {"bob": reply.json["at"]})
        self.assertEqual(self.web.reply().json, {"events": [], "cursor": tabs[0]})
        (event,) = self.house.broker.published
        self.assertEqual((event.kind, event.id), ("logout", reply.json["event"]))
        event = self.post("alice")
        self.assertEqual(
            self.web.get(f"/feed/poll?as=bob&cursor={tabs[0]}").json["events"][0]["id"], event
        )

    def test_not_here(self) -> None:
        """Others may serve the user, so it is written in any case; nobody is told it."""
        cursor = self.cursor("carol")
        for user in ("carol2", "alice"):
            reply = self.web.request("DELETE", f"/api/sessions/{user}", None, KEY)
            self.assertEqual((reply.status, reply.json["ended"]), (200, 0))
        self.assertEqual(
            self.web.get(f"/feed/poll?as=carol&cursor={cursor}&wait=0").json["events"], []
        )

    def test_refused(self) -> None:
        """With the database away nothing has ended, and it is said so."""
        cursor = self.cursor()
        self.house.store.away = True
        reply = self.web.request("DELETE", "/api/sessions/bob", None, KEY)
        self.assert_refused(reply, 503, "unavailable")
        self.assertEqual(self.house.authenticator.revoked, {})
        self.assertEqual(self.web.get(f"/feed/poll?as=bob&cursor={cursor}&wait=0").status, 200)
