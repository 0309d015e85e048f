"""
Two equal processes, of which one has the fast way: what is done to one is done to the other, and
nobody can tell them apart.
"""

import re
from collections import Counter

from feedd.auth.token import TokenAuth
from feedd.core.counters import Counters
from feedd.core.subscription import by_id
from feedd.feed.settings import Auth
from tests.browser import LINGER_SECONDS, House
from tests.fast import FastBrowser, SocketBrowser, Tally, batch_reader_on
from tests.sockets import Kernel

SECRET = "a secret of thirty-two bytes, and more"


class Side:
    """One of the two processes, and the connections to it."""

    def __init__(self, fast: bool, sockets: bool) -> None:
        self.house = House(
            authenticator=TokenAuth(
                SECRET,
                Auth(leeway_seconds=0),
                lambda: self.house.clock.seconds(),
                Counters(),
            )
        )
        self.house.store.friendships |= {("alice", "bob"), ("bob", "alice")}
        self.house.open()
        self.kernel = Kernel()
        self.tally = Tally()
        if fast:
            batch_reader = batch_reader_on(self.kernel)
            self.house.site = self.house.fast_site(self.tally, batch_reader)
        self.sockets = sockets
        self.browsers: list[FastBrowser] = []
        self.inboxes: list[list[bytes]] = []

    def connect(self, index: int) -> None:
        """A new connection in the place of an old one."""
        site = self.house.site
        browser = (
            SocketBrowser(site, self.tally, self.kernel)
            if self.sockets
            else FastBrowser(site, self.tally)
        )
        self.browsers[index : index + 1] = [browser]
        self.inboxes[index : index + 1] = [[]]

    def deliver(self) -> None:
        """Let everything that is on its way arrive, as far as the site reads it."""
        moved = True
        while moved:
            self.house.clock.advance(0)
            moved = False
            for browser, inbox in zip(self.browsers, self.inboxes, strict=True):
                if self.sockets:
                    browser.wire.drain()
                reads = (
                    browser.wire.reads
                    if self.sockets
                    else browser.wire.producerState == "producing"
                )
                if inbox and reads and not browser.dropped:
                    browser.send(inbox.pop(0))
                    moved = True

    def outputs(self) -> list[tuple[bytes, bool]]:
        """
        For each connection what was written since the last call, but for the time of day, and
        whether it is closed.
        """
        found = []
        for browser in self.browsers:
            found.append(
                (
                    re.sub(rb"\r\nDate: [^\r]*", b"\r\nDate: now", browser.wire.value()),
                    bool(browser.dropped),
                )
            )
            browser.wire.clear()
        return found

    def state(self) -> dict[str, object]:
        """All that the process keeps."""
        house, hub = self.house, self.house.hub
        return {
            "subscriptions": [
                (
                    found.handle,
                    found.viewer,
                    found.issued,
                    found.overflowed,
                    list(by_id(found.pending)),
                    found.listener is not None,
                )
                for found in hub
            ],
            "idle": [(found.handle, found.idle_since) for found in hub if found.listener is None],
            "ready": [found.handle for found in hub.ready],
            "wheels": [
                Counter(item.due for item in wheel) for wheel in (house.deadlines, house.idle)
            ],
            "followed": set(house.broker.followed),
            "connections": house.site.connections,
            "timers": sorted(call.getTime() for call in house.clock.getDelayedCalls()),
            "counters": house.counters.snapshot(),
            "posts": len(house.store.posts),
        }

    def end(self) -> dict[str, object]:
        """All connections and subscriptions end; returns what is kept of them."""
        for browser in self.browsers:
            browser.lose()
        self.house.flush()
        self.house.hub.expire(self.house.clock.seconds() + LINGER_SECONDS, LINGER_SECONDS)
        self.house.clock.advance(0)
        return self.state()
