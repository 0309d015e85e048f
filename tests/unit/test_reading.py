"""Pages and polls that are answered from where they stand."""

from feedd.core.cursor import BadCursor, parse_cursor
from feedd.core.event import Event
from feedd.feed.ports import Unavailable
from tests.unit.core import CoreCase, Heard, change, ids


class ReadingCase(CoreCase):
    """al hears bob; bob has posted twice, and that is settled."""

    def setUp(self) -> None:
        super().setUp()
        self.store.friendships.add(("al", "bob"))
        self.commit("bob", 2)
        self.start()
        self.tick()

    def say(self, author: str = "bob") -> Event:
        """A post through this process."""
        return self.now(self.posting.post(author, b"{}", None)).event


class PageTests(ReadingCase):
    """`page` and `friends_of`."""

    def test_page(self) -> None:
        """
        A page shows the viewer's and their friends' posts, newest first, and says whom they hear.
        """
        self.say("al")
        self.say("eve")
        first = self.now(self.reading.page("al", None, 2))
        self.assertEqual(
            (first.friends, len(first.page.posts), first.page.more), (("bob",), 2, True)
        )
        self.assertTrue(first.page.posts[0].startswith(b'{"id":3,'))

    def test_cursor(self) -> None:
        """Its cursor counts as seen what the page shows, settled or not."""
        self.say()
        self.assertEqual(self.now(self.reading.page("al", None, 9)).cursor, "k1.3")

    def test_nothing_between_page_and_poll(self) -> None:
        """What is committed after the page was read is in the first poll, and nothing else is."""
        self.say()
        cursor = self.now(self.reading.page("al", None, 9)).cursor
        self.say()
        self.assertEqual(ids(self.now(self.reading.cold("al", cursor)).events), [4])

    def test_settled_while_the_page_is_read(self) -> None:
        """What becomes visible and settles while the page is on its way is in the first poll."""
        self.gate.shut = True
        page = self.spawn(self.reading.page("al", None, 9))
        for _ in range(4):
            self.gate.step()
        self.gate.shut = False
        self.commit("bob")
        self.tick()
        self.gate.open()
        cursor = self.successResultOf(page).cursor
        self.assertEqual(
            (self.log.horizon.settled, ids(self.now(self.reading.cold("al", cursor)).events)),
            (3, [3]),
        )

    def test_a_friend_change_while_the_page_is_read(self) -> None:
        """
        A friend lost between the reading of the list and of the page is not in the page, and is not
        told again.
        """
        self.gate.shut = True
        page = self.spawn(self.reading.page("al", None, 9))
        for _ in range(2):
            self.gate.step()
        transaction = self.store.begin()
        event = self.store.insert_change(transaction, "al", "bob")
        transaction.commit()
        self.gate.open()
        first = self.successResultOf(page)
        self.assertEqual((first.friends, first.page.posts, self.store.asked["page"]), ((), [], 2))
        self.log.offer(event)
        self.assertEqual(ids(self.now(self.reading.cold("al", first.cursor)).events), [])

    def test_friends_that_keep_changing(self) -> None:
        """A page that is never of one moment is refused."""
        pages = self.store.asked["page"]

        async def change() -> None:
            nonlocal pages
            if self.store.asked["page"] > pages:  # before each page is read
                pages += 1
                transaction = self.store.begin()
                self.store.insert_change(transaction, "al", "bob")
                transaction.commit()

        self.store.pace = change
        with self.assertRaises(Unavailable):
            self.now(self.reading.page("al", None, 9))

    def test_another_database_while_the_page_is_read(self) -> None:
        """
        The cursor is of the database that was there when it began, and will be noticed as such.
        """
        self.gate.shut = True
        page = self.spawn(self.reading.page("al", None, 9))
        self.log.close()
        self.gate.open()
        self.assertEqual(self.successResultOf(page).cursor, "k1.2")

    def test_many_ids(self) -> None:
        """A page with more than 200 ids above the watermark names gaps instead of the oldest."""
        self.commit("bob", 250)
        cursor = parse_cursor(self.now(self.reading.page("al", None, 9)).cursor)
        self.assertEqual((cursor.settled, cursor.ids), (52, tuple(range(53, 253))))

    def test_corrected_list(self) -> None:
        """A cached friend list is corrected by the changes that have come in."""
        self.assertEqual(self.now(self.reading.friends_of("al")), ("bob",))
        self.log.offer(change(3, "unfriend", "al", "bob"))
        self.log.offer(change(4, "friend", "al", "cy"))
        self.log.offer(change(5, "friend", "al", "al"))
        self.assertEqual(self.now(self.reading.friends_of("al")), ("cy",))

    def test_not_open(self) -> None:
        """Before the database has been reached there is no page and no cold poll."""
        self.log.close()
        for question in (self.reading.page("al", None, 9), self.reading.cold("al", None)):
            with self.assertRaises(Unavailable):
                self.now(question)
        self.assertEqual(len(self.hub), 0)


class HotTests(ReadingCase):
    """`hot`."""

    def setUp(self) -> None:
        super().setUp()
        self.asked = self.store.asked.copy()

    def begin(self) -> str:
        """The cursor of a subscription that is here."""
        cursor = self.now(self.reading.cold("al", "k1.2")).cursor
        self.asked = self.store.asked.copy()
        return cursor

    def test_pending(self) -> None:
        """What is pending answers at once, without a question to anybody."""
        cursor = self.begin()
        self.say()
        self.asked = self.store.asked.copy()
        reply = self.reading.hot("al", cursor)
        assert reply is not None
        self.assertEqual((ids(reply.events), self.store.asked), ([3], self.asked))
        self.assertIsNone(self.reading.hot("al", cursor))

    def test_nothing(self) -> None:
        """With nothing pending there is a subscription to wait on, and the cursor stays."""
        cursor = self.begin()
        reply = self.reading.hot("al", cursor)
        assert reply is not None and reply.subscription is not None
        self.assertEqual((reply.events, reply.cursor), ([], cursor))
        self.assertIsNotNone(self.reading.hot("al", cursor))

    def test_not_here(self) -> None:
        """A cursor without a handle, of another process or of another viewer is not hot."""
        cursor = self.begin()
        for viewer, text in (
            ("al", "k1.2"),
            ("al", "k1.2~x1"),
            ("bob", cursor),
            ("al", ""),
            ("al", "nonsense"),
        ):
            self.assertIsNone(self.reading.hot(viewer, text), text)

    def test_second_poll(self) -> None:
        """A second poll with the same cursor ends the first one, empty."""
        cursor, heard = self.begin(), Heard()
        reply = self.reading.hot("al", cursor)
        assert reply is not None and reply.subscription is not None
        self.hub.park(reply.subscription, heard)
        self.assertIsNotNone(self.reading.hot("al", cursor))
        self.assertEqual(heard.answers, [([], cursor)])

    def test_second_poll_before_the_flush(self) -> None:
        """
        When it takes what the first would have been answered with, the subscription still expires
        when both have gone.
        """
        cursor, heard = self.begin(), Heard()
        reply = self.reading.hot("al", cursor)
        assert reply is not None and reply.subscription is not None
        self.hub.park(reply.subscription, heard)
        self.say()
        again = self.reading.hot("al", cursor)
        assert again is not None
        self.assertEqual((ids(again.events), heard.answers), ([3], [([], cursor)]))
        self.hub.expire(60, 60)
        self.assertEqual(len(self.hub), 0)

    def test_overflowed(self) -> None:
        """A subscription that has overflowed is not hot, and has nothing to take."""
        cursor = self.begin()
        subscription = self.hub.find(cursor.rpartition("~")[2], "al", cursor)
        assert subscription is not None
        for _ in range(self.max_pending + 1):
            self.say()
        self.assertIsNone(self.reading.hot("al", cursor))
        self.assertEqual((self.reading.take(subscription), subscription.issued), ([], cursor))


class BeginTests(ReadingCase):
    """Polls without a cursor, and those that memory answers."""

    def test_now(self) -> None:
        """
        A poll without a cursor starts now: what was said before is not answered, what comes then
        is.
        """
        self.say()
        reply = self.now(self.reading.cold("al", None))
        assert reply.subscription is not None
        heard = Heard()
        self.hub.park(reply.subscription, heard)
        self.say()
        self.flush()
        settled = parse_cursor(reply.cursor).settled
        self.assertEqual((reply.events, settled, heard.ids), ([], 3, [4]))

    def test_now_while_somebody_speaks(self) -> None:
        """What is said after a poll without a cursor began answers it."""
        self.gate.shut = True
        reply = self.spawn(self.reading.cold("bob", None))
        self.gate.shut = False
        self.say()
        self.gate.open()
        self.assertEqual(ids(self.successResultOf(reply).events), [3])

    def test_now_with_a_short_memory(self) -> None:
        """When memory does not reach down to the watermark, the poll starts at the watermark."""
        self.log.fill("k1", 1, self.commit("bob"))
        reply = self.now(self.reading.cold("al", None))
        self.assertEqual((reply.events, reply.cursor.split("~")[0]), ([], "k1.1"))

    def test_malformed(self) -> None:
        """A cursor cut in half is refused before anything is opened."""
        with self.assertRaises(BadCursor):
            self.now(self.reading.cold("al", "k1."))
        self.assertEqual(len(self.hub), 0)

    def test_full(self) -> None:
        """When there are too many subscriptions the poll is asked to come again."""
        for _ in range(self.max_subscriptions):
            self.hub.open("al")
        with self.assertRaises(Unavailable):
            self.now(self.reading.cold("al", None))

    def test_from_memory(self) -> None:
        """
        A cursor that memory reaches back to is answered without the database, also when that is
        away.
        """
        self.now(self.reading.friends_of("al"))
        self.say()
        self.store.away = True
        reply = self.now(self.reading.cold("al", "k1.1"))
        self.assertEqual((ids(reply.events), reply.gap, reply.more), ([2, 3], False, False))

    def test_behind_the_viewer(self) -> None:
        """A process that is behind a viewer's cursor does not take them back."""
        self.commit("bob", 2)
        reply = self.now(self.reading.cold("al", "k1.4"))
        self.assertEqual(
            (reply.events, parse_cursor(reply.cursor).settled, reply.gap), ([], 4, False)
        )
