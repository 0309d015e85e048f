"""
The short way to read feedd's own events against the plain one: whatever comes in, nobody can tell
them apart.

FEEDD_EXAMPLES=5000 makes it long, and different every time.
"""

import json
import os
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from feedd.core.event import (
    KINDS,
    Event,
    UnreadableEvent,
    make_event,
    parse_any,
    parse_event,
    parse_own,
    safe_json,
)

EXAMPLES = int(os.environ.get("FEEDD_EXAMPLES", "0"))
PROFILE = settings(
    max_examples=EXAMPLES or 300,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
OWN = make_event(7, "post", "bob", 3, b'{"text":"hi"}', 5).json
FRIEND = make_event(8, "friend", "bob", None, b'{"friend":"al"}', 5).json

texts = st.text(st.sampled_from('ab<>\u2028\u2029é😀"\\\n\0/{}[],:'), max_size=8)
values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([2**63, 10**40, -1.5, 1e300]),
        texts,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)
bodies = st.builds(
    lambda value, ascii, indent, before, after: (
        before + json.dumps(value, ensure_ascii=ascii, indent=indent) + after
    ).encode(),
    st.one_of(values, st.just({"friend": "al"}), st.just({"friend": "a l"})),
    st.booleans(),
    st.sampled_from([None, 0, 1]),
    st.sampled_from(["", "", "", " ", "\n"]),
    st.sampled_from(["", "", "", " ", "\r"]),
)
numbers = st.sampled_from(
    ["0", "1", "7", "-1", "01", "1.0", "1e3", "true", "null", '"7"', "999999999999999",
     "1000000000000000", "9007199254740991",
     "9007199254740992", "18446744073709551616", "1" + "0" * 40, "1" * 5000]
)  # fmt: skip
documents = st.builds(
    lambda id, kind, author, post, body, at: (
        f'{{"id":{id},"kind":"{kind}","author":"{author}","post":{post},"body":'.encode()
        + body
        + f',"at":{at}}}'.encode()
    ),
    numbers,
    st.sampled_from([*sorted(KINDS), "posts", ""]),
    st.sampled_from(["bob", "bob", "eve", "b b", "", "x" * 65]),
    numbers,
    bodies,
    numbers,
)
fragments = st.sampled_from(
    [b"", b"<", "\u2028".encode(), b"\xe2\x80", b"\xff", b"\xed\xa0\x80", b"\\ud800",
     b"\\ud83d\\ude00", b" ", b"\n", b"\r\n",
     b"\0",
     b",", b"{", b"}", b"[", b"]", b'"', b"\\", b'"at":6,', b'"body":2,', b'"id":9,', b',"at":5}',
     b'"author":"eve",',
     b'"x":1,', b"1", b"0", b"-", b"NaN", b"\xef\xbb\xbf", b'{"a":' * 90, b"[" * 150,
     b"[" * 100_000]
)  # fmt: skip
cuts = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3), fragments), max_size=3)


def outcome(parse: Any, data: bytes, author: str | None) -> Event | str | None:
    """The result of `parse`."""
    try:
        event: Event | None = parse(data, author)
    except UnreadableEvent:
        return "unreadable"
    return event


def replaced(text: str) -> bytes:
    """`safe_json`, character by character."""
    safe = {"<": "\\u003c", "\u2028": "\\u2028", "\u2029": "\\u2029", "\n": " ", "\r": " "}
    return "".join(safe.get(character, character) for character in text).encode()


class SafeTests(SynchronousTestCase):
    """`safe_json`."""

    @PROFILE
    @given(st.text(st.sampled_from("ab<\u2027\u2028\u2029\u00e9\n\r"), max_size=8))
    def test_same(self, text: str) -> None:
        """It finds all that is unsafe, whatever stands beside it."""
        self.assertEqual(safe_json(text.encode()), replaced(text))


class SameTests(SynchronousTestCase):
    """`parse_event` is `parse_any`."""

    def same(self, data: bytes, author: str | None) -> None:
        self.assertEqual(outcome(parse_event, data, author), outcome(parse_any, data, author), data)

    @PROFILE
    @given(documents, st.sampled_from(["bob", "eve", None]))
    @example(OWN, "bob")
    @example(OWN.replace(b'"body":', b'"body": '), "bob")
    @example(OWN.replace(b',"at"', b' ,"at"'), "bob")
    @example(OWN + b"\n", "bob")
    @example(OWN.replace(b"{", b'{"body":1,"at":5},', 1), "bob")
    def test_documents(self, data: bytes, author: str | None) -> None:
        """The order of fields that feedd writes, with anything in them."""
        self.same(data, author)

    @PROFILE
    @given(bodies, st.sampled_from(sorted(KINDS)), cuts, st.sampled_from(["bob", "eve", None]))
    def test_mutations(
        self, body: bytes, kind: str, cuts: list[tuple[int, int, bytes]], author: str | None
    ) -> None:
        """What feedd writes, with some bytes taken out and others put in."""
        try:
            data = make_event(7, kind, "bob", 3, body, 5).json
        except UnreadableEvent:
            data = FRIEND
        for start, length, fragment in cuts:
            start %= len(data) + 1
            data = data[:start] + fragment + data[start + length :]
        self.same(data, author)

    def test_hidden_fields(self) -> None:
        """A body that seems to end early or hides another field is no body."""
        for body in (
            b'1,"body":2',
            b'1,"x":{"at":1}',
            b'1,"id":9',
            b'{},"author":"eve"',
            b"",
            b"1 1",
            b'"',
            b'1,"at":5},{',
        ):
            self.same(OWN.replace(b'{"text":"hi"}', body), "bob")

    def test_deep(self) -> None:
        """
        Deeply nested bodies; where exactly the parser gives up depends on the stack, not on the
        document.
        """
        for depth in (1, 100, 800, 1_100, 100_000):
            self.same(OWN.replace(b'{"text":"hi"}', b"[" * depth + b"]" * depth), "bob")

    def test_takes_the_short_way(self) -> None:
        """Every kind of feedd's own events is read in one pass."""
        for kind in KINDS - {"friend", "unfriend"}:
            event = make_event(7, kind, "bob", 3, '{"text":"😀 </b> \u2028 [{"}'.encode(), 5)
            self.assertEqual(parse_own(event.json), event)
        self.assertEqual(
            parse_own(FRIEND), make_event(8, "friend", "bob", None, b'{"friend":"al"}', 5)
        )
