"""Every wrong argument is a 400 that names it, and changes nothing."""

from urllib.parse import quote

import msgspec

from tests.browser import KEY, WebTestCase
from tests.wire import Reply


class QueryTests(WebTestCase):
    """Arguments in the URL."""

    def assert_wrong(self, path: str, name: str, *values: str, code: str = "bad_argument") -> None:
        """Assert that `path` with each of `values` at its end is refused, naming `name`."""
        for value in values:
            reply = self.web.get(path + quote(value, safe="%"))
            self.assert_refused(reply, 400, code, name)
            self.assertTrue(reply.message.startswith(name + ": "), reply.message)
            self.assertTrue(reply.body.isascii())

    def test_limit(self) -> None:
        """``limit`` is 1 to 200."""
        self.assert_wrong(
            "/feed/init?as=bob&limit=",
            "limit",
            "0",
            "201",
            "abc",
            "",
            "-1",
            "1.5",
            "1e2",
            " 1",
            "1" * 5000,
            "٣",
        )
        for limit in ("1", "200", "007"):
            self.assertEqual(self.web.get(f"/feed/init?as=bob&limit={limit}").status, 200)

    def test_before(self) -> None:
        """``before`` is the id of a post."""
        self.assert_wrong(
            "/feed/init?as=bob&before=", "before", "0", "-1", "abc", "", str(2**53), "9" * 40
        )
        for before in (1, 2**53 - 1):
            self.assertEqual(self.web.get(f"/feed/init?as=bob&before={before}").status, 200)

    def test_wait(self) -> None:
        """``wait`` is a number of seconds."""
        values = (
            "-1",
            "abc",
            "1e9",
            "NaN",
            "inf",
            "",
            "1.",
            ".5",
            "1,5",
            "0x1",
            "1" * 30,
            "-0",
            "+1",
        )
        self.assert_wrong("/feed/poll?as=bob&wait=", "wait", *values)
        for wait in ("0", "0.0", "000"):
            self.assertEqual(self.web.get(f"/feed/poll?as=bob&wait={wait}").status, 200)

    def test_cursor(self) -> None:
        """``cursor`` is one that feedd gave out, whole."""
        wrong = (
            "k1",
            "k1.",
            "k1.0~",
            "k1.0.",
            "k1.0.5.",
            "k1.0.5.4",
            ".0",
            "k1.-1",
            "k1.0~x~y",
            "k1.0\n",
            "k1 .0",
            "k1.0<b>",
        )
        self.assert_wrong("/feed/poll?as=bob&cursor=", "cursor", *wrong, code="bad_cursor")
        long = "k1.0" + "." * 5997
        odd = (
            "%FF",
            "k1.%D9%A3",
            "k1.0%00",
            long,
            "k1." + "9" * 5998,
            "k1." + ".".join(map(str, range(300))),
        )
        self.assert_wrong("/feed/poll?as=bob&cursor=", "cursor", *odd, code="bad_cursor")
        self.assertEqual(len(self.house.hub), 0)

    def test_cut(self) -> None:
        """
        A real cursor cut anywhere is refused, or it is an older or a colder one; it never is a
        failure.
        """
        self.post("alice")
        cursor = self.cursor()
        for length in range(len(cursor)):
            reply = self.web.get(f"/feed/poll?as=bob&wait=0&cursor={cursor[:length]}")
            self.assertIn(reply.status, (200, 400))

    def test_twice(self) -> None:
        """An argument that is given twice is refused: nobody can know which was meant."""
        self.assert_wrong("/feed/init?as=bob&limit=1&limit=", "limit", "1")
        self.assert_wrong("/feed/init?as=bob&before=1&before=", "before", "1")
        self.assert_wrong("/feed/poll?as=bob&wait=1&wait=", "wait", "1")
        self.assert_wrong("/feed/poll?as=bob&cursor=k1.0&cursor=", "cursor", "k1.0")
        self.assert_wrong("/feed/init?as=bob&as=", "as", "alice")
        self.assert_wrong("/feed/init?token=bob&token=", "token", "alice")

    def test_unknown(self) -> None:
        """An argument nobody knows is nobody's business: pages append some against caches."""
        self.assertEqual(self.web.get("/feed/init?as=bob&_=1700000000&utm=1").status, 200)


class BodyTests(WebTestCase):
    """What a body holds."""

    def send(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str] | None = None
    ) -> Reply:
        """The answer to `body`; none may be 201."""
        return self.web.request(
            method, path, body, (headers or {}) | (KEY if path.startswith("/api") else {})
        )

    def assert_wrong(
        self, body: bytes | None, name: str, method: str = "POST", path: str = "/feed/posts?as=bob"
    ) -> None:
        """Assert that `body` is refused for its field `name`."""
        reply = self.send(method, path, body)
        self.assert_refused(reply, 400, "bad_argument", name)
        self.assertTrue(reply.message.startswith(name), reply.message)

    def tearDown(self) -> None:
        self.assertEqual(self.house.store.posts, {})
        self.assertEqual(self.house.broker.published, [])
        super().tearDown()

    def test_not_json(self) -> None:
        """A body that is not JSON in UTF-8 is told so."""
        wrong = [
            None,
            b"",
            b"{",
            b"body=1",
            b'{"body":{}}x',
            b"\xef\xbb\xbf{}",
            b'{"body":{"a":"\xff"}}',
            b'{"body":{"a":"\x00"}}',
        ]
        wrong += [
            b'{"body":{"a":NaN}}',
            b"{'body':{}}",
            '{"body":{}}'.encode("utf-16"),
            b"<body>",
            b'{"body":{"a":"\xed\xa0\x80"}}',
        ]
        wrong += [
            b'{"body":{"a":"%s"}}' % text
            for text in (rb"\ud800", rb"\udc00", rb"\ud800\ud800", rb"\ud83dx123456")
        ]
        for body in wrong:
            self.assert_refused(
                self.send("POST", "/feed/posts?as=bob", body), 400, "bad_body", "not JSON"
            )

    def test_no_object(self) -> None:
        """A post's body is an object, in an object."""
        for body in (b"{}", b"[]", b"1", b"null", b'"x"', b'{"Body":{}}'):
            self.assert_wrong(body, "body")
        for body in (b"[]", b"[{}]", b"null", b'"x"', b"1", b"true"):
            self.assert_wrong(b'{"body":%s}' % body, "body: must be an object")
            self.assert_wrong(
                b'{"body":%s}' % body, "body: must be an object", "PATCH", "/feed/posts/1?as=bob"
            )
            self.assert_wrong(
                b'{"author":"bob","body":%s}' % body,
                "body: must be an object",
                "POST",
                "/api/posts",
            )

    def test_number(self) -> None:
        """A number that nobody can read is refused."""
        for number in (b"1e400", b"1" * 5000):
            self.assert_wrong(b'{"body":{"a":%s}}' % number, "body")

    def test_rounded(self) -> None:
        """So is one that would arrive as another one."""
        for number in (
            b"0.1000000000000000055",
            b"1e-400",
            b"123456789012345678.5",
            b"12345678901234567890.0",
            b"1e-9999999999999999999",
            b"0e9999999999999999999",
        ):
            self.assert_wrong(b'{"body":{"a":[%s]}}' % number, "body")
            self.assert_wrong(
                b'{"author":"bob","body":{"a":%s}}' % number, "body", "POST", "/api/posts"
            )

    def test_half_pair(self) -> None:
        """Half of a surrogate pair is named."""
        for text, half in (
            (rb"\ud800", "d800"),
            (rb"\uDC00 and more", "DC00"),
            (rb"\\ud83d\ude00", "ude00"),
            (rb"\ud83d\ude00\ud83d", "ud83d"),
        ):
            reply = self.send("POST", "/feed/posts?as=bob", b'{"body":{"a":"%s"}}' % text)
            self.assert_refused(reply, 400, "bad_body", half, "half of a surrogate pair")
        reply = self.send("POST", "/feed/posts?as=bob", rb'{"body":"\\ud800 \ud83d\ude00')
        self.assertNotIn("surrogate", reply.message)

    def test_deep(self) -> None:
        """A body that is nested so deeply that a reader could fail at it is refused."""
        for depth in (100, 101, 900, 950, 990, 1100, 30_000):
            for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
                if len(opening) * depth < 60_000:
                    body = b'{"body":{"a":%s1%s}}' % (opening * depth, closing * depth)
                    reply = self.send("POST", "/feed/posts?as=bob", body)
                    self.assertIn(reply.error, [(400, "bad_argument"), (400, "bad_body")])

    def test_author(self) -> None:
        """The author of a post on behalf is a user."""
        for author in ("", "a" * 65, "a b", "é", "a.b", "../x", "<b>", "a\n"):
            body = msgspec.json.encode({"author": author, "body": {}})
            self.assert_wrong(body, "author: must be 1-64 characters", "POST", "/api/posts")
        for body in (b'{"body":{}}', b'{"author":1,"body":{}}', b'{"author":null,"body":{}}'):
            self.assert_wrong(body, "author", "POST", "/api/posts")

    def test_key(self) -> None:
        """An Idempotency-Key is 1 to 128 visible characters."""
        for key in ("", "k" * 129, "a b", "\xe9", "a\tb"):
            reply = self.send(
                "POST", "/feed/posts?as=bob", b'{"body":{}}', {"Idempotency-Key": key}
            )
            self.assert_refused(reply, 400, "bad_argument", "Idempotency-Key: ")

    def test_marker(self) -> None:
        """A marker stands at the id of a post."""
        path = "/feed/marker?as=bob"
        for post in (
            b"-1",
            b"0",
            b"%d" % 2**53,
            b"9" * 40,
            b"1.5",
            b'"1"',
            b"null",
            b"true",
            b"[]",
        ):
            self.assert_wrong(b'{"post":%s}' % post, "post", "PUT", path)
        self.assert_wrong(b"{}", "post", "PUT", path)
        self.assert_wrong(b"[]", "body", "PUT", path)
        self.assert_refused(self.send("PUT", path, b""), 400, "bad_body")
        self.assertEqual(
            self.send("PUT", path, b'{"post":%d}' % (2**53 - 1)).json, {"post": 2**53 - 1}
        )

    def test_pairs(self) -> None:
        """
        A pair whose name cannot be one is named, wherever it stands, and none of the others is
        taken.
        """
        good = '{"viewer":"bob","friend":"dora"}'
        for side in ("add", "remove"):
            for field, pair in (
                ("viewer", '{"viewer":"a b","friend":"dora"}'),
                ("friend", '{"viewer":"bob","friend":""}'),
                ("viewer", '{"viewer":1,"friend":"dora"}'),
            ):
                body = f'{{"{side}":[{good},{good},{pair}]}}'.encode()
                self.assert_wrong(body, f"{side}[2].{field}", "POST", "/api/friendships")
            for pair in ('{"viewer":"bob"}', "[]", "1", "null"):
                self.assert_wrong(
                    f'{{"{side}":[{good},{pair}]}}'.encode(),
                    f"{side}[1]",
                    "POST",
                    "/api/friendships",
                )
            self.assert_wrong(f'{{"{side}":{good}}}'.encode(), side, "POST", "/api/friendships")
        self.assert_wrong(b'{"mutual":1}', "mutual", "POST", "/api/friendships")

    def test_too_many_pairs(self) -> None:
        """10,000 pairs at once and no more."""
        pairs = [{"viewer": "u", "friend": "v"}] * 10_001
        for side in ("add", "remove"):
            self.assert_wrong(
                msgspec.json.encode({side: pairs}),
                f"{side}: more than 10000",
                "POST",
                "/api/friendships",
            )
        self.assertEqual(self.house.store.asked["change_friends"], 0)

    def test_session(self) -> None:
        """Sessions are those of a user."""
        for user in ("a" * 65, "a%20b", "%C3%A9", "%00", "", "%3Cb%3E"):
            self.assert_wrong(None, "user: must be 1-64", "DELETE", f"/api/sessions/{user}")
