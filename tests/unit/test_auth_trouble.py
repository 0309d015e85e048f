"""A site that cannot be asked for a user: /status, counters and the log say so."""

from typing import Any

from twisted.logger import formatEvent, globalLogPublisher

from feedd.auth.http import TROUBLE_SECONDS
from tests.unit.test_auth_http import SiteCase, says


class TroubleTests(SiteCase):
    """`SiteAuth.trouble` and the log."""

    def test_nobody_asks_again(self) -> None:
        """A failure is forgotten a minute later: nobody knows how the site is by then."""
        self.site.answer = says(500)
        self.away()
        self.clock.advance(TROUBLE_SECONDS - 1)
        self.assertNotEqual(self.auth.trouble, "")
        self.clock.advance(1)
        self.assertEqual(self.auth.trouble, "")

    def test_the_log(self) -> None:
        """Of many failures one is logged, without the cookie."""
        said: list[Any] = []
        globalLogPublisher.addObserver(said.append)
        self.addCleanup(globalLogPublisher.removeObserver, said.append)
        self.site.answer = says(500, b"SECRET")
        for _ in range(5):
            self.away(b"SECRET")
        lines = [formatEvent(event) for event in said]
        self.assertEqual(lines, ["auth_unavailable: the site cannot be asked: it answered 500"])
