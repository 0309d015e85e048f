"""The demo page in Chromium: two users in two windows."""

import functools
import json
import re
import urllib.request

from twisted.trial.unittest import SynchronousTestCase

from tests.live.chromium import Chromium, Window
from tests.live.daemon import Feedd

HOSTILE = [
    "héllo 😀 </script>",
    "<img src=x onerror=\"document.title='hacked'\">",
    "</textarea><script>document.title='hacked'</script>",
    "a & b &lt; c \u2028 d \"e\" 'f' {{g}} ${h}",
]
TEXT = ".post .text"
AWAY = re.compile("net::ERR_(CONNECTION_|SOCKET_NOT_CONNECTED)")
SHIFT, ENTER, ESCAPE = "\ue008", "\ue007", "\ue00c"


@functools.cache
def chromium() -> Chromium:
    """The chromedriver of this run, which ends with it."""
    return Chromium().start()


class DemoPageTests(SynchronousTestCase):
    """Two users of one feedd with the embedded default, each in a window of their own."""

    def setUp(self) -> None:
        self.feedd = Feedd()
        self.addCleanup(self.feedd.stop)
        self.feedd.start()
        self.alice = self.enter("alice")
        self.bob = self.alice.opened_by("#second")
        self.addCleanup(self.bob.close)
        self.addCleanup(self.check_pages)
        for window, friend in ((self.alice, "bob"), (self.bob, "alice")):
            window.find("#state[data-state=live]")
            window.wait_texts(".friend .name", [friend])

    def check_pages(self) -> None:
        """No page has run into an error but a server that was away for a moment."""
        for window in (self.alice, self.bob):
            complaints = window.complaints()
            self.assertEqual([text for text in complaints if not AWAY.search(text)], [])

    def enter(self, name: str) -> Window:
        """A new window whose user chooses this name."""
        window = chromium().open(f"{self.feedd.url}/")
        self.addCleanup(window.close)
        window.write("#welcome-name", name)
        window.click("#welcome-form button")
        return window

    def say(self, window: Window, text: str) -> None:
        """Post in a window."""
        window.write("#text", text)
        window.click("#post")

    def send(self, user: str, text: str) -> None:
        """Post from elsewhere."""
        body = json.dumps({"body": {"text": text}}).encode()
        with urllib.request.urlopen(
            f"{self.feedd.url}/feed/posts?as={user}", body, timeout=20
        ) as response:
            self.assertEqual(response.status, 201)

    def test_appears_at_the_friend(self) -> None:
        """What alice posts appears at bob without a reload, and says how fast; both see it once."""
        self.bob.run("window.loaded = 'once'")
        self.say(self.alice, HOSTILE[0])
        self.bob.wait_texts(TEXT, [HOSTILE[0]])
        self.assertRegex(self.bob.find(".badge").text, r"[0-9]+ ms")
        self.say(self.bob, "and back")
        for window in (self.alice, self.bob):
            window.wait_texts(TEXT, ["and back", HOSTILE[0]])
        self.assertEqual(self.bob.run("return window.loaded"), "once")

    def test_edit(self) -> None:
        """
        An edited post changes at the friend, and says that it was edited; Escape leaves it alone.
        """
        self.say(self.alice, "frist")
        self.bob.wait_texts(TEXT, ["frist"])
        self.alice.click(".edit")
        self.alice.write(".editor textarea", "first")
        self.alice.click(".save")
        self.bob.wait_texts(TEXT, ["first"])
        self.bob.wait_texts(".note", ["edited"])
        self.alice.wait_texts(".editor", [])
        self.alice.click(".edit")
        self.alice.find(".editor textarea").send_keys(ESCAPE)
        self.alice.wait_texts(".editor", [])
        self.assertEqual(self.alice.texts(TEXT), ["first"])

    def test_delete(self) -> None:
        """
        Deleting asks once more, then the post goes at both; a friend's post has no such button.
        """
        self.say(self.alice, "keep")
        self.say_second(self.alice, "drop")
        self.bob.wait_texts(TEXT, ["drop", "keep"])
        self.assertEqual(
            self.bob.run(
                "return [...document.querySelectorAll('.post-foot')].every((foot) => foot.hidden)"
            ),
            True,
        )
        self.alice.click(".delete")
        self.alice.click(".delete.sure")
        for window in (self.alice, self.bob):
            window.wait_texts(TEXT, ["keep"])

    def say_second(self, window: Window, text: str) -> None:
        """Post when the post before has been taken."""
        window.wait(
            lambda: window.run("return document.getElementById('text').value === ''") or None,
            "an empty composer",
        )
        self.say(window, text)

    def test_older(self) -> None:
        """A page shows the newest posts; a button brings the older ones, until there are none."""
        for number in range(55):
            self.send("alice", str(number))
        self.bob.wait_texts(TEXT, [str(number) for number in reversed(range(55))])
        self.bob.page.refresh()
        self.bob.wait_texts(TEXT, [str(number) for number in reversed(range(5, 55))])
        self.bob.run("document.getElementById('older').click()")
        self.bob.wait_texts(TEXT, [str(number) for number in reversed(range(55))])
        self.assertTrue(self.bob.run("return document.getElementById('older').hidden"))

    def test_unfriend(self) -> None:
        """
        After an unfriending neither sees the other's posts, old or new; befriending brings them
        back.
        """
        self.say(self.alice, "alice's")
        self.bob.wait_texts(TEXT, ["alice's"])
        self.bob.click(".friend .remove")
        self.bob.wait_texts(TEXT, [])
        self.bob.wait_texts(".friend .name", [])
        self.say(self.bob, "bob's")
        self.send("alice", "meanwhile")
        self.alice.wait_texts(TEXT, ["meanwhile", "alice's"])
        self.bob.wait_texts(TEXT, ["bob's"])
        self.bob.write("#friend-name", "alice")
        self.bob.click("#befriend button")
        for window in (self.alice, self.bob):
            window.wait_texts(TEXT, ["meanwhile", "bob's", "alice's"])

    def test_stays_text(self) -> None:
        """
        Whatever users write is shown as they wrote it, live and after a reload, and runs nothing.
        """
        for text in HOSTILE:
            self.send("alice", text)
        expected = list(reversed(HOSTILE))
        self.bob.wait_texts(TEXT, expected)
        self.bob.page.refresh()
        self.bob.wait_texts(TEXT, expected)
        self.assertEqual(
            self.bob.run("return document.querySelectorAll('#posts img, #posts script').length"), 0
        )
        self.assertEqual(self.bob.page.title, "bob · feedd")

    def test_other_shapes(self) -> None:
        """A post whose body has no text is shown as its JSON."""
        body = b'{"body": {"photo": "<b>7</b>"}}'
        urllib.request.urlopen(f"{self.feedd.url}/feed/posts?as=alice", body, timeout=20).close()
        self.bob.wait_texts(TEXT + ".json", ['{\n  "photo": "<b>7</b>"\n}'])

    def test_comes_back(self) -> None:
        """When feedd was away the page says so, comes back by itself, and misses nothing."""
        self.say(self.alice, "before")
        self.bob.wait_texts(TEXT, ["before"])
        self.feedd.kill()
        self.bob.find("#state[data-state=reconnecting]")
        self.feedd.start()
        self.send("alice", "after")
        self.bob.wait_texts(TEXT, ["after", "before"])
        self.bob.find("#state[data-state=live]")

    def test_keyboard(self) -> None:
        """Enter posts, Shift+Enter begins a new line."""
        field = self.alice.find("#text")
        field.send_keys("one", SHIFT, ENTER, SHIFT, "two", ENTER)
        self.bob.wait_texts(TEXT, ["one\ntwo"])
