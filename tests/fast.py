"""Browsers on fast channels, on strings and on sockets, that take note of what is recognised."""

from typing import Any

from feedd.reactor.batch_reader import BatchReader
from feedd.web.fast.request import PollParser, PollRequest
from feedd.web.fast.states import EXPECTING, PLAIN, WAITING, State
from feedd.web.origin import Origins
from tests.browser import SITE, Browser, House
from tests.polls import PollTestCase
from tests.sockets import Kernel, Selected, Socket


class Tally:
    """
    A `PollParser` that counts.

    :ivar parsed: the polls that it has read for the fast way.
    :ivar repeated: those that were parked again without it; `FastBrowser` counts them.
    """

    def __init__(self, **settings: int) -> None:
        """The parameters are those of `PollParser`."""
        self.parser = PollParser(Origins([SITE]), **settings)
        self.parsed = 0
        self.repeated = 0

    def parse(self, data: bytes) -> PollRequest | None:
        """The same, counted."""
        request = self.parser.parse(data)
        self.parsed += request is not None
        return request

    @property
    def taken(self) -> int:
        """All polls of the fast way."""
        return self.parsed + self.repeated


class FastBrowser(Browser):
    """A browser on a fast channel that takes note of polls that are parked again."""

    def __init__(self, site: Any, tally: Tally, wire: Any = None) -> None:
        super().__init__(site, wire)
        self._tally = tally

    def send(self, data: bytes) -> None:
        """These bytes."""
        parsed, expected = self._tally.parsed, self.state is EXPECTING
        self.bring(data)
        if expected and self.state is WAITING and self._tally.parsed == parsed:
            self._tally.repeated += 1

    @property
    def state(self) -> State:
        """The state of its fast connection; always PLAIN on a site without."""
        fast = getattr(self.channel, "fast", None)
        return PLAIN if fast is None else fast.state

    def bring(self, data: bytes) -> None:
        """Let these bytes be read."""
        super().send(data)


class SocketBrowser(FastBrowser):
    """A browser on a socket, from which whoever is to reads."""

    wire: Socket

    def __init__(self, site: Any, tally: Tally, kernel: Kernel, room: int = 10**9) -> None:
        super().__init__(site, tally, Socket(room, kernel))
        self._site = site
        self._kernel = kernel

    def bring(self, data: bytes) -> None:
        """Let these bytes be read, by way of the socket."""
        if self.wire.is_batched:
            self.wire.inbox.append(data)
            self._site.shared.batch_reader.doRead()
        else:
            super().bring(data)

    def lose(self) -> None:
        """
        The connection is gone, and so is the socket; its end is read first, unless its loss was
        noticed otherwise.
        """
        if self.wire.is_batched and not self.wire.lost:
            self.send(b"")
        self._kernel.close(self.wire)
        super().lose()


class FastTestCase(PollTestCase):
    """
    A house with fast channels, on strings (`browse`) and on sockets (`socket`).

    :ivar tally: what was taken.
    """

    def use(self, house: House) -> None:
        """Let `house`, with fast channels, be the house of this test."""
        self.tally = self.make_tally()
        self.kernel = Kernel()
        self.batch_reader = batch_reader_on(self.kernel)
        house.site = house.fast_site(self.tally, self.batch_reader)
        super().use(house)

    def make_tally(self) -> Tally:
        """The parser of the house."""
        return Tally()

    def browse(self) -> FastBrowser:
        """Another connection."""
        browser = FastBrowser(self.house.site, self.tally)
        self.browsers.append(browser)
        return browser

    def socket(self, room: int = 10**9) -> SocketBrowser:
        """A connection on a socket with so much room."""
        browser = SocketBrowser(self.house.site, self.tally, self.kernel, room)
        self.browsers.append(browser)
        return browser

    def tearDown(self) -> None:
        """When everybody has gone nobody is read from any more."""
        super().tearDown()
        self.assertEqual(len(self.batch_reader), 0)


def batch_reader_on(kernel: Kernel) -> BatchReader:
    """A `BatchReader` that reads four sockets at once."""
    return BatchReader(Selected(), kernel, lambda: 4)
