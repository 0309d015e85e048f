"""The state of the process, for whoever watches it."""

from tests.browser import KEY, WebTestCase


class StatusTests(WebTestCase):
    """``GET /status``."""

    def test_ready(self) -> None:
        """Everything is there."""
        self.house.counters.add("some_count", 3)
        self.web.ask("GET", f"/feed/poll?as=bob&cursor={self.cursor()}")
        reply = self.browse().get("/status", KEY)
        self.assertEqual(reply.status, 200)
        expected = {"live": True, "ready": True, "version": "1.2.3", "polls": 1, "subscriptions": 1}
        expected["parts"] = {
            name: {"up": True, "trouble": ""} for name in ("database", "broker", "cache")
        }
        expected["counters"] = {"some_count": 3}
        expected["ringer"] = "rings"
        self.assertEqual(reply.json, expected)

    def test_not_ready(self) -> None:
        """A part is away: 503, and which, and why."""
        self.house.troubles["broker"] = "connection refused"
        reply = self.web.get("/status", KEY)
        self.assertEqual(
            (reply.status, reply.json["live"], reply.json["ready"]), (503, True, False)
        )
        self.assertEqual(
            reply.json["parts"]["broker"], {"up": False, "trouble": "connection refused"}
        )
        self.assertEqual(reply.json["parts"]["cache"], {"up": True, "trouble": ""})

    def test_strangers(self) -> None:
        """A stranger is told which part is away, and nothing else, also with a wrong key."""
        self.house.counters.add("some_count", 3)
        self.house.troubles["broker"] = "10.0.0.7: ACCESS_REFUSED for user 'feedd'"
        parts = {name: {"up": name != "broker"} for name in ("database", "broker", "cache")}
        wrong = {"Authorization": "Bearer another-key"}
        for headers in ({}, wrong, {"Cookie": "user=bob"}):
            reply = self.web.get("/status", headers)
            self.assertEqual(reply.status, 503)
            self.assertEqual(reply.json, {"live": True, "ready": False, "parts": parts})
