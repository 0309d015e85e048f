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
        self.assertEqual((reply.status, reply.json), (200, {"ended": 3}))
        self.assertEqual(self.web.reply().json, {"events": [], "cursor": tabs[0]})
        event = self.post("alice")
        self.assertEqual(
            self.web.get(f"/feed/poll?as=bob&cursor={tabs[0]}").json["events"][0]["id"], event
        )
