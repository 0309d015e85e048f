"""A process that prunes: who comes back too late is told so, and finds the posts all the same."""

from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.live.browser import Browser
from tests.live.daemon import Feedd

SETTINGS = """
[store]
url = "sqlite:{folder}/feedd.sqlite"
keep_days = 0.00001
"""


class RetentionTests(TestCase):
    """One process, on SQLite, that keeps events for a second."""

    timeout = 90

    async def test_a_long_absence(self) -> None:
        """
        While memory knows the events nothing is missing; later the old cursor says gap, and init
        shows the posts.
        """
        from twisted.internet import reactor

        feedd = Feedd(SETTINGS)
        self.addCleanup(feedd.stop)
        feedd.start()
        alice = Browser(reactor, feedd.url, "alice")
        before = (await alice.init())["cursor"]
        for number in range(3):
            await alice.post(str(number))
        while (await alice.status()).json["counters"].get("events_pruned", 0) < 2:
            await deferLater(reactor, 0.2, lambda: None)
        answer = (await alice.ask("GET", "/feed/poll", cursor=before, wait=0)).json
        self.assertEqual((len(answer["events"]), "gap" in answer), (3, False))
        now = answer["cursor"]
        feedd.stop()
        feedd.start()
        answer = (await alice.ask("GET", "/feed/poll", cursor=before, wait=0)).json
        self.assertEqual((answer["events"], answer["gap"]), ([], True))
        answer = (await alice.ask("GET", "/feed/poll", cursor=now, wait=0)).json
        self.assertEqual((answer["events"], "gap" in answer), ([], False))
        self.assertEqual(len((await alice.init())["posts"]), 3)
