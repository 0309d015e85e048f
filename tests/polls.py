"""Polls of bob, who hears alice."""

from tests.browser import Browser, WebTestCase
from tests.wire import Reply


class PollTestCase(WebTestCase):
    """A house in which bob polls."""

    def park(self, cursor: str, wait: str = "", viewer: str = "bob") -> Browser:
        """A poll that is parked."""
        browser = self.browse()
        browser.ask("GET", f"/feed/poll?as={viewer}&cursor={cursor}{wait}")
        self.assertEqual(browser.replies(), [])
        return browser

    def poll(self, cursor: str, wait: str = "&wait=0") -> Reply:
        """The answer to a poll that does not wait."""
        return self.browse().get(f"/feed/poll?as=bob&cursor={cursor}{wait}")

    def cold_cursor(self) -> str:
        """
        A cursor that names no subscription here, and whose answer takes a look at the friends in
        the database.
        """
        self.house.friends.lists.clear()
        return "k1.0"

    def ids(self, reply: Reply) -> list[int]:
        """The ids of the events in an answer."""
        self.assertEqual(reply.status, 200, reply.body)
        return [event["id"] for event in reply.json["events"]]
