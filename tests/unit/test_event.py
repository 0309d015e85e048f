"""Events and their JSON."""

import json
from contextlib import suppress as suppressed  # trial looks for the other name

from twisted.trial.unittest import SynchronousTestCase

from feedd.core.event import (
    MAX_DEPTH,
    UnreadableEvent,
    check_json,
    foreign_message,
    is_user,
    make_event,
    parse_any,
    parse_event,
    safe_json,
    stored_event,
    without_body,
)


def wire(**changes: object) -> bytes:
    """A post as it travels, with these fields changed."""
    fields = {"id": 7, "kind": "post", "author": "bob", "post": 3, "body": {"text": "hi"}, "at": 5}
    return json.dumps({**fields, **changes}).encode()


class MakeTests(SynchronousTestCase):
    """`make_event` and `safe_json`."""

    def test_json(self) -> None:
        """An event's JSON holds its fields in the order of the protocol."""
        event = make_event(7, "post", "bob", 3, b'{"text":"hi"}', 5)
        self.assertEqual(
            event.json,
            b'{"id":7,"kind":"post","author":"bob","post":3,"body":{"text":"hi"},"at":5}',
        )

    def test_no_post(self) -> None:
        """An event that speaks of no post says null."""
        self.assertIsNone(json.loads(make_event(7, "message", "bob", None, b"1", 5).json)["post"])

    def test_hostile_text(self) -> None:
        """
        Emoji, U+2028, U+2029, </script> and NUL come back as they were, and stand safely in a
        script.
        """
        text = "héllo 😀 </script><!-- \u2028\u2029\0"
        made = make_event(
            7, "post", "bob", 3, json.dumps({"text": text}, ensure_ascii=False).encode(), 5
        ).json
        self.assertEqual(json.loads(made)["body"]["text"], text)
        for forbidden in (b"<", "\u2028".encode(), "\u2029".encode(), b"\0"):
            self.assertNotIn(forbidden, made)

    def test_line_breaks(self) -> None:
        """
        Line breaks between tokens become spaces, so that the event is one line of an event stream.
        """
        self.assertEqual(safe_json(b'{\r\n"a":\n"\\n"\r}'), b'{  "a": "\\n" }')

    def test_neighbours_of_line_separators(self) -> None:
        """Other characters that begin with the same bytes as U+2028 stay as they are."""
        self.assertEqual(safe_json('"\u2027\u202a…"'.encode()), '"\u2027\u202a…"'.encode())

    def test_friend(self) -> None:
        """A friend change names the other user."""
        self.assertEqual(make_event(7, "unfriend", "bob", None, b'{"friend":"al"}', 5).friend, "al")

    def test_friend_missing(self) -> None:
        """A friend change that names nobody, or no user, is unreadable."""
        for body in (
            b"{}",
            b'{"friend":1}',
            b'{"friend":"a b"}',
            b'{"friend":""}',
            b"[]",
            b"{",
            b'{"friend":"\xff"}',
        ):
            with self.assertRaises(UnreadableEvent, msg=body):
                make_event(7, "friend", "bob", None, body, 5)

    def test_users(self) -> None:
        """
        A user is 1-64 characters of A-Z a-z 0-9 _ - and nothing else, not even a line break at the
        end.
        """
        for name in ("a", "A_z-9", "x" * 64):
            self.assertTrue(is_user(name), name)
        for name in ("", "x" * 65, "a b", "é", "a\n", "a/b", "a.b", "٣"):
            self.assertFalse(is_user(name), name)


class CheckTests(SynchronousTestCase):
    """`check_json` and `stored_event`."""

    def test_not_json(self) -> None:
        """What is not one JSON document in UTF-8 is unreadable."""
        for text in (
            b"",
            b"{",
            b"{} {}",
            b"NaN",
            b"'a'",
            b'"\n"',
            b'"\0"',
            b'"\xff"',
            b'"\xed\xa0\x80"',
            b"\xef\xbb\xbf{}",
        ):
            with self.assertRaises(UnreadableEvent, msg=text):
                check_json(text)

    def test_lone_surrogates(self) -> None:
        """An escaped half of a surrogate pair, which no UTF-8 can hold, is unreadable."""
        for text in (
            b'"\\ud800"',
            b'"\\ud800 and more text"',
            b'"\\udc00 and more text"',
            b'"\\ud800\\ud800"',
        ):
            with self.assertRaises(UnreadableEvent, msg=text):
                check_json(text)

    def test_surrogate_pair(self) -> None:
        """An escaped pair is one character."""
        check_json(b'"\\ud83d\\ude00"')

    def test_nul_escape(self) -> None:
        """An escaped NUL is a character like any other."""
        check_json(b'"\\u0000"')

    def test_deep(self) -> None:
        """A document nested 100,000 deep is unreadable, and does no harm."""
        with self.assertRaises(UnreadableEvent):
            check_json(b"[" * 100_000 + b"]" * 100_000)

    def test_depth(self) -> None:
        """A body is refused at one depth, whichever way it comes and however deep the stack is."""
        for opens, closes in ((b"[", b"]"), (b'{"a":', b"}")):
            for depth, ways in ((MAX_DEPTH, 4), (MAX_DEPTH + 1, 0)):
                body = b"[1,%s1%s]" % (opens * (depth - 1), closes * (depth - 1))
                self.assertEqual(self.deep(400, body), ways, depth)
        check_json(b"[%s1]" % (b"[],{}," * 1000))  # many brackets are not deep
        check_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
        with self.assertRaises(UnreadableEvent):  # the shortest that is too deep
            check_json(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))

    def test_deeper_than_the_stack(self) -> None:
        """A body that only some callers could read is refused to all."""
        for depth in (300, 900, 990):
            self.assertEqual(self.deep(0, b"[" * depth + b"]" * depth), 0)

    def deep(self, stack: int, body: bytes) -> int:
        """The ways that let `body` in, with so many calls on the stack."""
        if stack:
            return self.deep(stack - 1, body)
        event = make_event(7, "post", "bob", 3, body, 5)
        ways = (
            lambda: without_body(stored_event(7, "post", "bob", 3, body, 5)),
            lambda: parse_event(event.json, "bob"),
            lambda: parse_any(event.json, "bob"),
            lambda: foreign_message(body, "bob", b"", 5),
        )
        taken = 0
        for way in ways:
            with suppressed(UnreadableEvent):
                taken += way() is not None
        return taken

    def test_stored(self) -> None:
        """A row of the log becomes its event."""
        self.assertEqual(
            stored_event(7, "post", "bob", 3, b"{}", 5), make_event(7, "post", "bob", 3, b"{}", 5)
        )

    def test_stored_wrong(self) -> None:
        """A row that a site's writer got wrong is unreadable, whichever column it is."""
        for kind, author, payload in (
            ("posts", "bob", b"{}"),
            ("post", "b b", b"{}"),
            ("post", "bob", b"{"),
            ("friend", "bob", b"{}"),
        ):
            with self.assertRaises(UnreadableEvent, msg=kind):
                stored_event(7, kind, author, 3, payload, 5)


class ParseTests(SynchronousTestCase):
    """`parse_event`: what an exchange brings."""

    def test_round_trip(self) -> None:
        """What feedd publishes comes in as the same event."""
        for event in (
            make_event(7, "post", "bob", 3, b'{"text":"\xf0\x9f\x98\x80 </script>"}', 5),
            make_event(8, "friend", "bob", None, b'{"friend":"al"}', 5),
            make_event(2**53 - 1, "delete", "bob", 3, b"{}", 5),
        ):
            self.assertEqual(parse_event(event.json, "bob"), event)

    def test_reordered(self) -> None:
        """Another writer's order, spaces, line breaks and extra fields change nothing."""
        data = (
            b'{"extra": [1],\n "at": 5, "body": {"text":\n"hi"}, "post": 3, "author": "bob", '
            b'"kind": "post", "id": 7}'
        )
        self.assertEqual(
            parse_event(data, "bob"), make_event(7, "post", "bob", 3, b'{"text": "hi"}', 5)
        )

    def test_no_post(self) -> None:
        """The post may be left out."""
        event = parse_event(b'{"id":7,"kind":"message","author":"bob","body":1,"at":5}', "bob")
        self.assertEqual(event, make_event(7, "message", "bob", None, b"1", 5))

    def test_any_author(self) -> None:
        """On an exchange of many authors everyone may speak."""
        self.assertIsNotNone(parse_event(wire(), None))

    def test_another_author(self) -> None:
        """An event of another author than its exchange is refused."""
        with self.assertRaises(UnreadableEvent):
            parse_event(wire(author="eve"), "bob")

    def test_other_shapes(self) -> None:
        """A document of any other shape is no event."""
        for data in (
            b'{"message": "This is the message payload"}',
            b"[]",
            b"1",
            b"null",
            b'"x"',
            b"{}",
        ):
            self.assertIsNone(parse_event(data, "bob"), data)

    def test_wrong_fields(self) -> None:
        """One field of another type or out of its range makes it no event."""
        for changes in (
            {"id": 0}, {"id": -3}, {"id": "7"}, {"id": 7.5}, {"id": True}, {"kind": "posts"},
            {"author": "b b"}, {"post": "3"}, {"at": None},
        ):  # fmt: skip
            self.assertIsNone(parse_event(wire(**changes), None), changes)

    def test_id_over_53_bits(self) -> None:
        """An id that neither a browser's number nor a cursor can hold is no event of ours."""
        for id in (2**53, 2**63, 2**64, 10**30):
            self.assertIsNone(parse_event(wire(id=id), "bob"), id)

    def test_not_json(self) -> None:
        """What is not JSON is unreadable."""
        with self.assertRaises(UnreadableEvent):
            parse_event(b"hello", "bob")

    def test_friend_without_friend(self) -> None:
        """A friend change that names nobody is unreadable."""
        with self.assertRaises(UnreadableEvent):
            parse_event(wire(kind="friend"), "bob")


class ForeignTests(SynchronousTestCase):
    """`foreign_message`: JSON of any other shape."""

    def test_body(self) -> None:
        """The document becomes the body of a live message of the exchange's author."""
        event = foreign_message(b'{"message":"</b>"}', "bob", b"m1", 5)
        self.assertEqual((event.kind, event.author, event.post), ("message", "bob", None))
        self.assertEqual(json.loads(event.json)["body"], {"message": "</b>"})

    def test_id(self) -> None:
        """Its id is negative and fits a JavaScript number."""
        for number in range(100):
            id = foreign_message(b"1", "bob", b"%d" % number, 5).id
            self.assertTrue(-(2**53) < id < 0, id)

    def test_same_id_everywhere(self) -> None:
        """Every process gives the same message the same id, whenever it arrives."""
        self.assertEqual(
            foreign_message(b"1", "bob", b"m1", 5).id, foreign_message(b"1", "bob", b"m1", 6).id
        )

    def test_ids_differ(self) -> None:
        """Other seeds or authors make other ids."""
        args = [(b"1", "bob", b"m1", 5), (b"1", "bob", b"m2", 5), (b"1", "al", b"m1", 5)]
        self.assertEqual(len({foreign_message(*arg).id for arg in args}), len(args))

    def test_longest_author(self) -> None:
        """An author of 64 characters has messages too."""
        self.assertLess(foreign_message(b"1", "x" * 64, b"", 5).id, 0)

    def test_not_json(self) -> None:
        """What is not JSON is unreadable."""
        with self.assertRaises(UnreadableEvent):
            foreign_message(b"hello", "bob", b"m1", 5)
