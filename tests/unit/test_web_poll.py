"""
The long poll: parked, answered by an event, a deadline or the next poll, or left by its client.
"""

from twisted.internet.defer import Deferred

from tests.browser import KEY, House
from tests.polls import PollTestCase


class EventTests(PollTestCase):
    """A parked poll is answered by the event."""

    def test_answered(self) -> None:
        """A friend's post answers the parked poll, with the event and a new cursor."""
        cursor = self.cursor()
        browser = self.park(cursor)
        event = self.post("alice", "hello")
        reply = browser.reply()
        self.assertEqual(reply.status, 200)
        self.assertEqual(set(reply.json), {"events", "cursor"})
        (found,) = reply.json["events"]
        self.assertEqual(set(found), {"id", "kind", "author", "post", "body", "at"})
        self.assertEqual((found["id"], found["kind"], found["author"]), (event, "post", "alice"))
        self.assertEqual(found["body"], {"text": "hello"})
        self.assertNotEqual(reply.json["cursor"], cursor)

    def test_headers(self) -> None:
        """The late answer has every header that an early one has."""
        browser = self.park(self.cursor())
        self.post("alice")
        headers = browser.reply().headers
        self.assertEqual(headers["Content-Type"], "application/json")
        self.assertEqual(headers["Cache-Control"], "no-store")
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        self.assertEqual(headers["Vary"], "Origin")

    def test_stranger(self) -> None:
        """The post of somebody else answers nothing."""
        browser = self.park(self.cursor())
        self.post("carol")
        self.assertEqual(browser.replies(), [])

    def test_all_of_one_flush(self) -> None:
        """Posts that come together are one answer, ordered by id."""
        browser = self.park(self.cursor())
        for _ in range(3):
            self.browse().request("POST", "/feed/posts?as=alice", b'{"body":{}}')
        self.house.clock.advance(0)
        self.assertEqual(self.ids(browser.reply()), [1, 2, 3])

    def test_pending(self) -> None:
        """What comes between two polls answers the second one at once, from memory."""
        cursor = self.cursor()
        self.park(cursor).lose()
        event = self.post("alice")
        asked = self.house.store.asked.copy()
        self.assertEqual(self.ids(self.poll(cursor, "")), [event])
        self.assertEqual(self.house.store.asked, asked)

    def test_chain(self) -> None:
        """A chain of polls shows every event once."""
        cursor = self.cursor()
        for _ in range(3):
            browser = self.park(cursor)
            event = self.post("alice")
            reply = browser.reply()
            self.assertEqual(self.ids(reply), [event])
            cursor = reply.json["cursor"]
        self.assertEqual(self.ids(self.poll(cursor)), [])

    def test_lost_answer(self) -> None:
        """An answer that never reached the browser is given again to the cursor before it."""
        cursor = self.cursor()
        browser = self.park(cursor)
        event = self.post("alice")
        browser.reply()
        again = self.poll(cursor)
        self.assertEqual(self.ids(again), [event])
        self.assertEqual(self.ids(self.poll(again.json["cursor"])), [])

    def test_after_init(self) -> None:
        """The cursor of a page shows what came after the page, and not what is on it."""
        self.post("alice")
        cursor = self.web.get("/feed/init?as=bob").json["cursor"]
        event = self.post("alice")
        self.assertEqual(self.ids(self.poll(cursor)), [event])

    def test_edit_and_delete(self) -> None:
        """
        Edits and deletions are events too; what was deleted has no body any more for who comes
        later.
        """
        cursor = self.cursor()
        self.post("alice")
        self.web.request("PATCH", "/feed/posts/1?as=alice", b'{"body":{"text":"better"}}')
        events = self.poll(cursor).json["events"]
        self.assertEqual([event["body"] for event in events], [{"text": "hi"}, {"text": "better"}])
        self.web.request("DELETE", "/feed/posts/1?as=alice")
        events = self.poll(cursor).json["events"]
        self.assertEqual([event["kind"] for event in events], ["post", "edit", "delete"])
        self.assertEqual([event["body"] for event in events], [{}, {}, {}])

    def test_new_friend(self) -> None:
        """A poll that is parked hears a new friend from now on."""
        browser = self.park(self.cursor())
        pair = b'{"add":[{"viewer":"bob","friend":"dora"}],"mutual":false}'
        self.browse().request("POST", "/api/friendships", pair, KEY)
        self.house.clock.advance(0)
        reply = browser.reply()
        self.assertEqual([event["kind"] for event in reply.json["events"]], ["friend"])
        browser = self.park(reply.json["cursor"])
        event = self.post("dora")
        self.assertEqual(self.ids(browser.reply()), [event])

    def test_two_tabs(self) -> None:
        """Every tab has its own chain; one post answers both."""
        one, other = self.park(self.cursor()), self.park(self.cursor())
        event = self.post("alice")
        self.assertEqual([self.ids(one.reply()), self.ids(other.reply())], [[event], [event]])


class EndTests(PollTestCase):
    """A parked poll that no event answers."""

    def test_deadline(self) -> None:
        """After the holding time the answer is empty, and its cursor has moved with the log."""
        cursor = self.cursor()
        browser = self.park(cursor)
        self.post("carol")
        self.house.settle()
        self.house.advance(49.5)
        self.assertEqual(browser.replies(), [])
        self.house.advance(1)
        reply = browser.reply()
        self.assertEqual(self.ids(reply), [])
        self.assertEqual(reply.json["cursor"].partition("~")[0], "k1.1")
        self.assertEqual(cursor.partition("~")[0], "k1.0")

    def test_after_the_deadline(self) -> None:
        """The connection and the subscription go on after it."""
        browser = self.park(self.cursor())
        self.house.advance(51)
        browser.ask("GET", f"/feed/poll?as=bob&cursor={browser.reply().json['cursor']}")
        event = self.post("alice")
        self.assertEqual(self.ids(browser.reply()), [event])

    def test_wait(self) -> None:
        """A poll may ask for less time than it could have."""
        browser = self.park(self.cursor(), "&wait=5")
        self.house.advance(4.5)
        self.assertEqual(browser.replies(), [])
        self.house.advance(1)
        self.assertEqual(self.ids(browser.reply()), [])

    def test_wait_a_moment(self) -> None:
        """A fraction of a second is a time too."""
        browser = self.park(self.cursor(), "&wait=0.25")
        self.house.advance(0.5)
        self.assertEqual(self.ids(browser.reply()), [])

    def test_jitter(self) -> None:
        """Polls that began together do not end together."""
        for jitter, seconds in ((0, 47.5), (1, 52.5)):
            self.use(House(jitter=jitter))
            browser = self.park(self.cursor())
            self.house.advance(seconds - 0.5)
            self.assertEqual(browser.replies(), [])
            self.house.advance(1)
            self.assertEqual(self.ids(browser.reply()), [])
            self.tearDown()

    def test_wait_too_long(self) -> None:
        """And not for more."""
        browser = self.park(self.cursor(), "&wait=999999999")
        self.house.advance(51)
        self.assertEqual(self.ids(browser.reply()), [])

    def test_second_poll(self) -> None:
        """
        A second poll with the same cursor ends the first one, empty and with that cursor, and is
        parked itself.
        """
        cursor = self.cursor()
        first = self.park(cursor)
        second = self.park(cursor)
        reply = first.reply()
        self.assertEqual((self.ids(reply), reply.json["cursor"]), ([], cursor))
        event = self.post("alice")
        self.assertEqual(self.ids(second.reply()), [event])
        self.assertEqual(first.replies(), [])

    def test_second_poll_that_does_not_wait(self) -> None:
        """It ends the first one as well, and the subscription is not forgotten."""
        cursor = self.cursor()
        first = self.park(cursor)
        self.assertEqual(self.ids(self.poll(cursor)), [])
        self.assertEqual(self.ids(first.reply()), [])
        self.assertEqual(self.house.hub.parked, 0)

    def test_session_ended(self) -> None:
        """When the site ends the user's sessions the parked poll is answered at once."""
        browser = self.park(self.cursor())
        reply = self.web.request("DELETE", "/api/sessions/bob", None, KEY)
        self.assertEqual((reply.status, reply.json["ended"]), (200, 1))
        self.assertEqual(self.ids(browser.reply()), [])
        self.assertEqual(len(self.house.hub), 0)

    def test_session_ended_of_another(self) -> None:
        """Only that user's."""
        browser = self.park(self.cursor())
        reply = self.web.request("DELETE", "/api/sessions/alice", None, KEY)
        self.assertEqual(reply.json["ended"], 0)
        self.assertEqual(browser.replies(), [])

    def test_overflow(self) -> None:
        """
        More than can be pending for one flush ends the poll; the next one gets all of it from the
        log.
        """
        self.use(House(max_pending=2))
        cursor = self.cursor()
        browser = self.park(cursor)
        for _ in range(3):
            self.browse().request("POST", "/feed/posts?as=alice", b'{"body":{}}')
        self.house.clock.advance(0)
        reply = browser.reply()
        self.assertEqual((self.ids(reply), reply.json["cursor"]), ([], cursor))
        self.assertEqual(self.ids(self.poll(cursor)), [1, 2, 3])


class ColdTests(PollTestCase):
    """What is read from the log."""

    def test_now(self) -> None:
        """A poll without a cursor, or with an empty one, starts now."""
        for empty in ("", "&cursor="):
            self.post("alice")
            reply = self.web.get(f"/feed/poll?as=bob&wait=0{empty}")
            self.assertEqual(self.ids(reply), [])
            event = self.post("alice")
            self.assertEqual(self.ids(self.poll(reply.json["cursor"])), [event])

    def test_now_and_wait(self) -> None:
        """It may wait, too."""
        self.web.ask("GET", "/feed/poll?as=bob")
        event = self.post("alice")
        self.assertEqual(self.ids(self.web.reply()), [event])

    def test_came_while_reading(self) -> None:
        """What comes while the database is asked is in the answer, once."""
        first = self.post("alice")
        pace = Deferred[None]()
        self.house.friends.lists.clear()
        held = [pace]
        self.house.store.pace = lambda: held[0]
        self.web.ask("GET", "/feed/poll?as=bob&cursor=k1.0")
        event = self.house.store.begin()
        self.house.store.insert_post(event, "alice", b"{}")
        self.house.log.offer(*event.commit())
        pace.callback(None)
        self.assertEqual(self.ids(self.web.reply()), [first, 2])

    def test_gap(self) -> None:
        """A cursor older than what was kept says gap, and its answer's cursor begins now."""
        self.post("alice")
        self.house.store.prune(1)
        self.house.log.fill("k1", 1, [])
        reply = self.poll("k1.0", "")
        self.assertEqual((self.ids(reply), reply.json["gap"]), ([], True))
        event = self.post("alice")
        self.assertEqual(self.ids(self.poll(reply.json["cursor"])), [event])

    def test_other_database(self) -> None:
        """So does the cursor of another database."""
        self.assertIs(self.poll("zz.0", "").json["gap"], True)

    def test_future(self) -> None:
        """And one that is ahead of the log."""
        self.assertIs(self.poll("k1.999", "").json["gap"], True)

    def test_more(self) -> None:
        """A long absence is answered in parts, each of which says that there is more."""
        transaction = self.house.store.begin()
        for _ in range(1200):
            self.house.store.insert_post(transaction, "alice", b"{}")
        transaction.commit()
        self.house.log.fill("k1", 1200, [])
        cursor, shown, more = "k1.0", list[int](), list[bool]()
        for _ in range(3):
            reply = self.poll(cursor)
            shown += self.ids(reply)
            more.append(reply.json.get("more", False))
            cursor = reply.json["cursor"]
        self.assertEqual(shown, list(range(1, 1201)))
        self.assertEqual(more, [True, True, False])

    def test_degraded(self) -> None:
        """While the broker is away answers say so, those of parked polls too."""
        browser = self.park(self.cursor())
        self.house.troubles["broker"] = "no route to host"
        self.post("alice")
        self.assertEqual(browser.reply().json["state"], "degraded")
        self.assertEqual(self.web.get("/feed/poll?as=bob&wait=0").json["state"], "degraded")

    def test_foreign_handle(self) -> None:
        """A subscription answers nobody but its viewer."""
        self.house.store.friendships.clear()
        cursor = self.cursor("alice")
        event = self.post("alice")
        self.assertEqual(self.ids(self.poll(cursor)), [])
        self.assertEqual(
            self.ids(self.browse().get(f"/feed/poll?as=alice&cursor={cursor}")), [event]
        )
