"""Which polls the fast way takes, and the header lines that it remembers."""

from feedd.web.fast import request as asked
from tests.fast import FastTestCase, Tally
from tests.wire import spell


class TakenTests(FastTestCase):
    """Which polls the fast way takes."""

    def make_tally(self) -> Tally:
        """A parser that remembers three heads."""
        return Tally(max_heads=3)

    def took(self, query: str = "", headers: dict[str, str] | None = None) -> bool:
        """
        Whether a hot poll of bob with this added was taken; it is parked either way, or answered.
        """
        taken = self.tally.taken
        browser = self.browse()
        browser.ask("GET", f"/feed/poll?as=bob&cursor={self.cursor()}{query}", None, headers)
        return self.tally.taken > taken

    def test_common(self) -> None:
        """
        What browsers send is taken: JSON and JSONP, by fetch and by a script tag, with a cookie and
        without.
        """
        page = {
            "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Accept": "*/*",
            "Accept-Language": "en-GB,en;q=0.5",
            "Accept-Encoding": "gzip, deflate, br, zstd",
            "Connection": "keep-alive",
            "Referer": "https://www.example.org/",
            "Sec-Fetch-Dest": "script",
            "Sec-Fetch-Mode": "no-cors",
            "Sec-Fetch-Site": "same-origin",
            "Priority": "u=0",
        }
        for query in ("", "&callback=jQuery1830_17", "&wait=50", "&wait=5&_=1766000000000"):
            for headers in (page, {}, page | {"Cookie": "a=b; user=bob"}):
                self.assertTrue(self.took(query, headers), (query, headers))

    def test_uncommon(self) -> None:
        """What is odd is not, nor what has no answer here."""
        for query in (
            "&wait=0",
            "&wait=000",
            "&wait=5.5",
            "&wait=100000",
            "&callback=a-b",
            "&x",
            "&as=bob",
            "&x=%41",
            "&x=a+b",
        ):
            self.assertFalse(self.took(query), query)
        for headers in (
            {"Origin": "https://www.example.org"},
            {"Connection": "close"},
            {"X": "é"},
            {"Content-Length": "keep-alive"},
        ):
            self.assertFalse(self.took("", headers), headers)

    def test_cold(self) -> None:
        """
        A poll whose cursor is not the last one of a subscription is, and one with an empty cursor;
        but not one with none.
        """
        for number, query in enumerate(("as=bob&cursor=k1.0", "cursor=&as=bob"), 1):
            browser = self.browse()
            browser.ask("GET", "/feed/poll?" + query)
            self.assertEqual((self.tally.taken, browser.channel.requests), (number, []))
        self.browse().ask("GET", "/feed/poll?as=bob")
        self.assertEqual(self.tally.taken, 2)

    def test_foreign_page(self) -> None:
        """A cookie alone does not open a script to a foreign page, here either."""
        path = f"/feed/poll?callback=f&cursor={self.cursor()}"
        reply = self.web.get(path, {"Cookie": "user=bob", "Sec-Fetch-Site": "cross-site"})
        self.assertEqual(reply.jsonp("f")["error"]["status"], 403)
        self.web.ask("GET", path, None, {"Cookie": "user=bob", "Sec-Fetch-Site": "same-origin"})
        self.assertEqual((self.tally.taken, self.web.replies()), (2, []))

    def test_long_read(self) -> None:
        """A read of more than 8 KiB is not looked at."""
        rest = asked.MAX_READ_BYTES - len(
            spell("GET", f"/feed/poll?as=bob&cursor={self.cursor()}", None, {"X": ""})
        )
        self.assertTrue(self.took("", {"X": "x" * rest}))
        self.assertFalse(self.took("", {"X": "x" * (rest + 1)}))

    def test_remembered(self) -> None:
        """
        Header lines are read once; of more than there is room for the older ones are forgotten.
        """
        for number in (1, 1, 2, 3):
            self.took("", {"X": str(number)})
        self.assertEqual(len(self.tally.parser), 3)
        self.assertTrue(self.took("", {"X": "4"}))
        self.assertEqual(len(self.tally.parser), 1)
        self.assertTrue(self.took("", {"X": "1"}))

    def test_not_remembered(self) -> None:
        """Long ones are not remembered, nor what is not the end of one request."""
        self.assertTrue(self.took("", {"X": "x" * asked.MAX_HEAD_BYTES}))
        poll = spell("GET", f"/feed/poll?as=bob&cursor={self.cursor()}&wait=5")
        self.web.send(poll + poll)
        self.browse().send(poll[:-2])
        self.browse().send(poll + b"\r\n")
        self.assertEqual(len(self.tally.parser), 0)

    def test_refused_is_remembered(self) -> None:
        """That header lines are not for the fast way is remembered as well."""
        for _ in range(2):
            self.assertFalse(self.took("", {"Connection": "close"}))
        self.assertEqual(len(self.tally.parser), 1)
